/// Who fills a node, or has it list its items: one proxy at a time. This only saves work; that two cannot spoil each
/// other's is for the tokens.
///
/// The item expires after `life` and is renewed every `renewal`, by compare-and-set, on the connection that took it:
/// after a restart memcached counts CAS numbers anew, and a lease could be renewed on another process.
public struct Lease: Sendable {
    /// Seconds.
    static let life: UInt64 = 10
    /// The same in nanoseconds.
    public static let span: UInt64 = life * 1_000_000_000
    /// Nanoseconds.
    public static let renewal: UInt64 = 2_000_000_000

    public let node: Int
    public let owner: Token
    private let item: MarkerItem
    private var cas: UInt64 = 0
    private var due: UInt64 = .max
    private var isSent = false
    private let outlivesFlushes: Bool
    /// It was not there to be renewed.
    private var isGone = false
    public private(set) var isHeld = false
    /// It was refused, or lost: whoever works under it stops.
    public private(set) var isLost = false

    /// - Parameter outlivesFlushes: one that is gone when it is to be renewed is taken anew, if nobody else has it by then.
    public init(node: Int, owner: Token, item: MarkerItem = .lease, outlivesFlushes: Bool = false) {
        self.node = node
        self.owner = owner
        self.item = item
        self.outlivesFlushes = outlivesFlushes
    }

    /// Takes it, if nobody has it.
    public func taking() -> MarkerCommand {
        MarkerCommand(node: node, item: item, .store(MarkerText.token(owner), .ifMissing))
    }

    /// After a flush, which it may have survived.
    func takingAgain() -> MarkerCommand {
        MarkerCommand(node: node, item: item, .store(MarkerText.token(owner), .always))
    }

    public mutating func taken(_ reply: MarkerReply, now: UInt64) {
        if case .done(let cas) = reply, cas > 0 {
            self.cas = cas
            due = now.addingSaturated(Self.renewal)
            (isHeld, isGone) = (true, false)
        } else if isHeld, outlivesFlushes, !isGone, reply == .refused {
            (isGone, due) = (true, now)
        } else {
            isLost = true
        }
    }

    /// The renewal, when it is time.
    public mutating func renewing(now: UInt64) -> MarkerCommand? {
        guard isHeld, !isLost, !isSent, now >= due else { return nil }
        isSent = true
        return isGone
            ? taking() : MarkerCommand(node: node, item: item, .store(MarkerText.token(owner), .ifSame(cas)))
    }

    public mutating func renewed(_ reply: MarkerReply, now: UInt64) {
        isSent = false
        taken(reply, now: now)
    }

    /// When `renewing` has to be asked next.
    public var renewalTime: UInt64 { isHeld && !isLost && !isSent ? due : .max }

    /// The answer to that gives it another number.
    public var isBeingRenewed: Bool { isSent }

    public func releasing() -> MarkerCommand { MarkerCommand(node: node, item: item, .deleteSame(cas)) }
}
