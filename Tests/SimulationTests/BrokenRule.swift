/// A rule of the protocol that a run leaves out, to show that the checker would notice.
enum BrokenRule: String, CaseIterable {
    /// A copy is not looked at again after it was added.
    case noSecondLook
    case noQuietTime, noCleaning
    /// A node is read that is being filled.
    case readingSyncing
    /// No revocations; or the client is answered before they are published.
    case noRevocation, answeringFirst
    /// Only the first write that a node misses is revoked, until it is full again.
    case revokingOnce
    /// A node that is being filled is written like the others.
    case survivorsLast
    /// A command whose effect is not known is sent to it as it is; or, if it is a touch, not at all.
    case modifyingSyncing, ignoringTouches
    /// What was once read of the markers counts until the next reading.
    case oldReadings
    /// One node that has lost its markers alone gets them back.
    case takingLossesForFlushes
    /// A write that a node missed counts as older than the last number read of a node that has it.
    case lateWatermark
    // While keys move:
    /// Reads move at once; or without a comparison.
    case movingUncopied, movingUnverified
    /// Nobody waits for proxies that have not been told, or have not been heard yet.
    case ignoringObjections, noMoveQuiet
    /// Writes of the old places end while others read there.
    case leavingEarly
    /// A target that misses a write is not revoked.
    case forgettingTargets
    /// A server that is filled while keys move gets those only that are read there.
    case fillingHalf
    /// Who is started while keys move goes by its config; or takes the old places for right that others have left.
    case startingBlind, leavingSilently
    /// Who is started by the places before writes there before the others have heard of it.
    case startingUnheard

    var isOfMoves: Bool {
        switch self {
        case .movingUncopied, .movingUnverified, .ignoringObjections, .noMoveQuiet, .leavingEarly,
            .forgettingTargets, .fillingHalf, .startingBlind, .leavingSilently, .startingUnheard:
            true
        default: false
        }
    }

    /// The faults that show it soonest; nil is any.
    var aim: MoveAim? {
        switch self {
        case .movingUncopied, .movingUnverified: .doubts
        case .forgettingTargets: .misses
        case .fillingHalf: .outages
        case .leavingSilently: .ends
        case .startingUnheard: .latecomers
        default: nil
        }
    }
}
