/// Puts one item of a backup back on all full copies of its key, so that they agree whatever clients do meanwhile: told
/// what the nodes answer, it says what to send next, to several copies at once.
///
///     add to all copies ──▶ wait ──▶ look at all ──▶ take back from all, if a copy was refused or has changed
///
/// An add is refused where anything is there: then the key is alive, and what was added to the other copies, which may
/// be older, is taken back. A client's write that is under way while the adds are may come before the add on one copy
/// and behind it on another: a deleted key would live on there. The caller waits until each such write is over, which
/// takes no longer than the pool's timeout; it then shows on the copies that it came to behind the add. A write that
/// begins after the adds comes behind them everywhere. With one copy there is nothing to disagree.
public struct RestoreStep: Sendable {
    public enum Kind: UInt8, BitwiseCopyable, Sendable { case add, look, takeBack }

    public struct Command: BitwiseCopyable, Sendable, Equatable {
        /// By its place among the key's copies.
        public var copy: Int
        public var kind: Kind
        /// takeBack: of the item as it was added.
        public var cas: UInt64 = 0
    }

    /// A command as it is sent.
    ///
    /// - Parameters:
    ///   - ttl: seconds; -1 is for ever.
    ///   - overwrites: an add takes the place of what is there.
    public static func itemCommand(_ command: Command, flags: UInt32, size: Int, ttl: Int64, overwrites: Bool)
        -> ItemCommand
    {
        var item = StoredItem.missing
        (item.kind, item.flags, item.size, item.ttl) = (.fresh, flags, UInt32(size), ttl)
        switch command.kind {
        case .add: return ItemCommand(overwrites ? .put : .add, .target, item: item)
        case .look: return ItemCommand(.look, .target)
        case .takeBack: return ItemCommand(.takeBack, .target, cas: command.cas)
        }
    }

    public enum Outcome: BitwiseCopyable, Sendable, Equatable {
        case restored
        /// The key is alive.
        case present
        case skipped(SkipReason)
        /// A client has changed it meanwhile: a copy that might differ from the others was dropped.
        case takenBack
        /// A node did not answer: copies may differ until they are compared.
        case failed
    }

    private enum State { case add, settle, look, takeBack, over }

    private var state = State.add
    /// What the add of each copy gave; 0 where nothing is there to be taken back.
    private var numbers: [UInt64]
    private var unsent: [Command]
    private var awaited: Int
    /// How it ends once what was added is taken back.
    private var reason = Outcome.restored
    public private(set) var outcome: Outcome?

    /// - Parameter copies: full ones; at least one.
    public init(copies: Int) {
        precondition(copies > 0)
        numbers = Array(repeating: 0, count: copies)
        unsent = (0..<copies).map { Command(copy: $0, kind: .add) }
        awaited = copies
    }

    /// The caller waits for the pool's timeout, and calls `settled`.
    public var isSettling: Bool { state == .settle }

    public var isTakingBack: Bool { state == .takeBack }

    public mutating func nextCommand() -> Command? { unsent.popLast() }

    public mutating func settled() {
        guard state == .settle else { return }
        begin(.look, .look)
    }

    public mutating func received(_ reply: ItemReply, from copy: Int) {
        guard outcome == nil, awaited > 0, numbers.indices.contains(copy) else { return }
        awaited -= 1
        switch state {
        case .add: added(reply, copy)
        case .look:
            guard case .item(let item) = reply, item.kind == .fresh, item.cas == numbers[copy] else {
                numbers[copy] = 0
                worsen(reply == .failed ? .failed : .takenBack)
                break
            }
        case .takeBack: if reply == .failed { reason = .failed }
        case .settle, .over: break
        }
        if awaited == 0 { goOn() }
    }

    private mutating func added(_ reply: ItemReply, _ copy: Int) {
        switch reply {
        // Without CAS numbers nothing could be taken back.
        case .done(let cas) where cas > 0: numbers[copy] = cas
        case .refused: worsen(.present)
        case .tooLarge: worsen(.skipped(.tooLarge))
        default: worsen(.failed)
        }
    }

    /// The first reason counts, but for a node that has failed.
    private mutating func worsen(_ outcome: Outcome) {
        if reason == .restored || outcome == .failed { reason = outcome }
    }

    private mutating func goOn() {
        switch state {
        case .add where reason == .restored && numbers.count > 1: state = .settle
        case .add where reason != .restored, .look where reason != .restored: begin(.takeBack, .takeBack)
        default:
            state = .over
            outcome = reason
        }
    }

    private mutating func begin(_ next: State, _ kind: Kind) {
        state = next
        unsent = numbers.indices.filter { numbers[$0] > 0 }.map { Command(copy: $0, kind: kind, cas: numbers[$0]) }
        awaited = unsent.count
        if awaited == 0 { goOn() }
    }
}
