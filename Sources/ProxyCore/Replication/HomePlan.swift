/// Nodes that go and come back in a pool with one copy of each key whose nodes stand in for each other. Told what happens
/// to the nodes, what other proxies say, and how each step went, it says whose keys are where and what to do next, one
/// thing at a time.
///
///     home ── down ──▶ held ──▶ away ── answers ──▶ joining ──▶ proven ──▶ leading ──▶ home, the others drop its keys
///                                ▲                     │           │           │
///                                └──── disturbed, or a write was missed ───────┘
///
/// - *Held*: nobody uses the node any more, nor yet another in its place. It is over when all proxies know. Who is alone
///   does without.
/// - *Away*: others stand in. They hold what is written meanwhile, and the node what was there before.
/// - *Joining*: its keys are written in both places, what stands in decides and is read. When all writes go there, the
///   node is flushed twice, and filled from what stands in.
/// - *Proven*: the node counts as full: what the first passes have missed is added, and both are compared, until there is
///   nothing to do.
/// - *Leading*: the node decides and is read, the others are written as well, so that no two workers disagree. From here
///   it is held before it is away: another proxy may have it decide until it knows.
/// - *Home*: the node alone. What the others still hold of its keys would be old at the next outage: it is dropped. A
///   node that goes down before that is done keeps its keys, and requests for them fail, until it is.
///
/// Each step is told the other proxies before it is taken (`HomePhase`), and they follow; between two of them there is time
/// for all to have done so: who is alone has nobody to wait for. One proxy at a time brings nodes home. But each takes out
/// those that it has lost, and anyone who cannot write a node calls its return off.
///
/// So a value is read only where every write of its key went that was acknowledged, and what was acknowledged stays.
public struct HomePlan: Sendable {
    /// As this proxy sees it.
    public enum Place: Equatable, Sendable { case home, held, away, back }

    public enum Command: Equatable, Sendable {
        case wait(until: UInt64)
        /// The other proxies: end it with `told`, `heard` or `notTold`.
        case tell(Int, HomePhase)
        /// On the connection that is kept from here on: if it is lost, call `disturbed`.
        case flush(Int)
        /// To the node, from those that stand in for it.
        ///
        /// - Parameter isLive: writes come to both places at once: a second look is of use when those under way are over.
        case copy(to: Int, isLive: Bool)
        case verify(Int)
        /// The node's items whose keys belong to others.
        case drop(on: Int)
    }

    /// How a pass over items ended.
    public enum PassResult: Equatable, Sendable {
        /// - Parameters:
        ///   - changed: items that were added, dropped, or found to be missing.
        ///   - total: items that it looked at.
        case whole(changed: Int, total: Int)
        case cutShort
        /// The servers cannot do that.
        case impossible
    }

    /// Whether a write may be acknowledged that one of two places has missed.
    public enum MissAnswer: Equatable, Sendable {
        case kept, refused
        /// When that is how far the node's keys are. If something else comes of it, it is refused.
        case when(Int, HomePhase)
    }

    enum Stage: Equatable, Sendable {
        case telling(HomePhase)
        case holding
        case joining
        case flush(Int), gap
        case copy(Int)
        case proving, mend(Int), verify(Int)
        case leading
        case leaving
        case drop, dropPause

        /// The node is written and counts as full.
        var isFull: Bool {
            switch self {
            case .proving, .mend, .verify, .leading, .telling(.leading), .telling(.home): true
            default: false
            }
        }

        /// And it holds nothing that would have to be taken back.
        var isProven: Bool {
            if case .mend = self { false } else { isFull }
        }

        /// The node is not home yet, and it is not decided that it will be.
        var isReturning: Bool {
            switch self {
            case .leaving, .drop, .dropPause, .holding: false
            case .telling(let phase): phase.isReturning
            default: true
            }
        }

        /// It is taken out.
        var isLeave: Bool { self == .holding || self == .telling(.held) || self == .telling(.away) }
    }

    /// Whose keys others may hold, and who.
    struct Sweep: Equatable, Sendable {
        var node: Int
        var left: [Int]
    }

    /// Two flushes in one second would be one; and what is read in the second of a flush survives it.
    static let flushGap: UInt64 = 2_100_000_000
    static let copyLimit = 8
    static let mendLimit = 4
    static let dropLimit = 5
    /// Before anything is tried again.
    static let pause: UInt64 = 1_000_000_000
    /// Before it is told again.
    public static let tellPause: UInt64 = 100_000_000

    private let timeout: UInt64
    private let poll: UInt64
    let verifies: Bool
    /// Other proxies use the nodes.
    public var isAccompanied = false
    /// How far each node's keys are, for all proxies; nil is home, and all is clean.
    public internal(set) var phases: [HomePhase?]
    var isUp: [Bool]
    /// It answers what this proxy asks in its own right.
    var isHeard: [Bool]
    var sweep: Sweep?
    /// All may hold keys of others, after their keys have moved; somebody else drops them. What goes down meanwhile is held.
    var awaitsSweep = false
    /// Returns that are to be called off.
    var recalls: Set<Int> = []
    /// They decide, and one that stood in for them has been lost since: nobody else has all that they have.
    var soleHolders: Set<Int> = []
    var stage: Stage?
    /// Which one is brought home, or taken out, or was last.
    public internal(set) var node = 0
    /// Nobody stands in: it is flushed, and nothing is to be brought.
    var isAlone = false
    var isSent = false
    /// Some may have heard what is being told, though not all.
    var isRumored = false
    /// What is under way goes on then.
    var dueTime: UInt64 = 0
    /// Returns are tried again then.
    var returnDue: UInt64 = 0
    /// Whoever has said that a node is held has gone on by then, or will not.
    var heldDue: UInt64 = 0
    var tries = 0
    private var failures = 0
    /// Changes when what is under way has lost its ground: its end is of no interest any more.
    public internal(set) var round = 0
    /// What the servers cannot do has been tried: keys may be old.
    public internal(set) var isHopeless = false

    /// - Parameter poll: what is told is known to all within that time.
    public init(nodes: Int, timeout: UInt64, poll: UInt64 = 0, verifies: Bool) {
        phases = Array(repeating: nil, count: nodes)
        (isUp, isHeard) = (Array(repeating: true, count: nodes), Array(repeating: true, count: nodes))
        (self.timeout, self.poll, self.verifies) = (timeout, poll, verifies)
    }

    /// For so long a write may be under way that was begun under an earlier arrangement, and what a node had received
    /// before it stood still may be carried out late; and another proxy may not know yet.
    public var quietTime: UInt64 {
        timeout.addingSaturated(timeout).addingSaturated(isAccompanied ? poll : 0).addingSaturated(1_000_000_000)
    }

    /// All have stopped using a node, and what they had sent has been answered.
    var holdTime: UInt64 { poll.addingSaturated(timeout).addingSaturated(timeout) }

    /// Who said that a node is held has told that it is away, and all have heard of it.
    var heldPatience: UInt64 { holdTime.addingSaturated(poll).addingSaturated(Self.pause) }

    // MARK: What workers do

    public var places: [Place] { phases.indices.map(place) }

    func place(_ place: Int) -> Place {
        switch phases[place] {
        case nil, .clean, .home: isUp[place] && !isLeaving(place) ? .home : .held
        case .held: .held
        case .away, .joining, .proven, .leading: isUp[place] ? .back : .away
        }
    }

    public func verdict(on place: Int) -> NodeVerdict {
        let isMarked = phases.contains { $0.map { $0.isReturning || $0 == .home } ?? false }
        func verdict(_ access: NodeAccess, _ keys: KeyPlace) -> NodeVerdict {
            NodeVerdict(access, keys: keys, isHoming: isMarked)
        }
        switch phases[place] {
        case nil, .clean, .home: return verdict(self.place(place) == .home ? .full : .none, .own)
        case .held: return verdict(.none, .own)
        // Nobody stood in for it, and nobody begins to.
        case .away where isCompleting(place): return verdict(.none, .own)
        case .away: return verdict(.none, .away)
        // Who does not reach both places writes neither, until all know.
        case _ where !isUp[place] || phases.indices.contains { self.place($0) == .held }: return verdict(.none, .own)
        case .joining: return verdict(.syncing, .joining)
        case .proven where isCompleting(place): return verdict(.none, .own)
        case .proven: return verdict(.full, .joining)
        case .leading where recalls.contains(place): return verdict(.none, .own)
        case .leading: return verdict(.full, .leading)
        }
    }

    var homes: Int { phases.indices.count { place($0) == .home } }

    /// What the node keeps about others counts, and it is told.
    public func isBelieved(_ place: Int) -> Bool { self.place(place) == .home || homes == 0 }

    /// Another node answers, which can be told, and will be believed.
    public func hasKeepers(of place: Int) -> Bool {
        isUp.indices.contains { $0 != place && isUp[$0] && isBelieved($0) }
    }

    // MARK: What happens to nodes

    public mutating func wentDown(_ place: Int, now: UInt64) {
        isUp[place] = false
        switch phases[place] {
        case .joining, .proven, .leading: callOff(place, now: now)
        case .away:
            if place == node, stage?.isReturning == true { restart(now: now) }
        case nil, .clean, .home:
            noteLoss(of: place)
            lostStandIn(place, now: now)
        case .held: break
        }
    }

    /// Whoever works at a return may be lost with one that stands in.
    mutating func noteLoss(of place: Int) {
        soleHolders.formUnion(phases.indices.filter { $0 != place && phases[$0] == .leading })
    }

    /// What stood in there is lost to the node that is brought home.
    mutating func lostStandIn(_ place: Int, now: UInt64) {
        guard place != node, stage?.isReturning == true else { return }
        if !isAccompanied, stage?.isProven == true { return complete() }
        // Others may have what stands in decide until they know that the node does.
        if !isAccompanied || phases[node] != .leading { restart(now: now) }
    }

    public mutating func answers(_ place: Int, now: UInt64) {
        isUp[place] = true
        if isLeaving(place), !isSent, !isRumored { abandon() }
        // There is something to be brought after all.
        if phases[place]?.isAtHome ?? true, isAlone, stage?.isReturning == true { restart(now: now) }
    }

    public mutating func hears(_ place: Int, _ isHeard: Bool) { self.isHeard[place] = isHeard }

    /// The connection to the node that is brought home was lost: it may be another process.
    public mutating func disturbed(now: UInt64) { if stage?.isReturning == true { fail(now: now) } }

    /// A write may be missing on the node that another has taken.
    public mutating func missedWrite(_ place: Int, now: UInt64) -> MissAnswer {
        switch phases[place] {
        case .joining, .proven, .leading:
            guard !isCompleting(place) else { return .refused }
            callOff(place, now: now)
            // By then another may have had the node decide, and what stands in take that over.
            return recallPhase(of: place) == .held ? .refused : .when(place, .away)
        case .home: return .refused
        case nil, .held, .away, .clean: break
        }
        // What stood in is behind now.
        guard let newcomer = phases.firstIndex(where: { $0 == .proven || $0 == .leading }) else { return .kept }
        guard newcomer == node, stage?.isProven == true, !isAccompanied || isCompleting(newcomer) else {
            return .refused
        }
        complete()
        return .when(newcomer, .home)
    }

    // MARK: What becomes of a return

    /// Others may have heard by now that it is not to be used.
    func isLeaving(_ place: Int) -> Bool {
        place == node && (stage == .telling(.held) || stage == .telling(.away)) && phases[place]?.isAtHome ?? true
    }

    /// What stood in may be lost, so there is no way back.
    private func isCompleting(_ place: Int) -> Bool { place == node && stage == .telling(.home) }

    private mutating func callOff(_ place: Int, now: UInt64) {
        guard !isCompleting(place) else { return }
        if place == node, stage?.isReturning == true { restart(now: now) }
        recalls.insert(place)
    }

    /// Tried again, more and more slowly: what was acknowledged meanwhile is on the stand-ins, and stays there.
    mutating func fail(now: UInt64) {
        restart(now: now)
        returnDue = now.addingSaturated((Self.pause / 4) << UInt64(min(failures, 4)))
        failures += 1
    }

    mutating func restart(now: UInt64) {
        if phases[node]?.isReturning == true { recalls.insert(node) }
        abandon()
        returnDue = now.addingSaturated(Self.pause / 4)
    }

    /// Others may go on with it.
    mutating func abandon() {
        begin(nil)
        round += 1
    }

    mutating func complete() {
        guard stage != .telling(.home) else { return }
        round += 1
        begin(.telling(.home))
    }

    mutating func succeeded() { failures = 0 }

    mutating func begin(_ next: Stage?, at time: UInt64 = 0) {
        if next != stage { isRumored = false }
        (stage, isSent, dueTime) = (next, false, time)
    }
}
