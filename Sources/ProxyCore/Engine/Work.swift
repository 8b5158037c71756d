public import Bytes
public import Telemetry

/// What the shell has to do before the turn ends. What each request brings has a list of row numbers of its own; what is
/// rare shares one, so that a turn looks at few.
public struct Work: ~Copyable {
    /// In the order in which they came up.
    public let wishes = Stack<Wish>()
    /// Links with bytes to send.
    public let links = Stack<UInt32>()
    /// Links to end with a reset: when nothing is to be sent on them any more, as their rows are free then.
    public let closing = Stack<UInt32>()
    /// Clients with bytes to send, or to be closed.
    public let clients = Stack<UInt32>()
    /// What the control thread is asked to publish; until it is taken, another may add to it.
    public let misses = Stack<MissedWrite>()
    /// Keys of `WriteLocks`: those that this worker has now, and those of which it has begun what waited.
    let grants = Stack<UInt64>()
    let settling = Stack<UInt64>()

    init() {}

    public var isEmpty: Bool {
        clients.isEmpty && links.isEmpty && wishes.isEmpty && closing.isEmpty && misses.isEmpty && grants.isEmpty
            && settling.isEmpty
    }
}

/// What few requests lead to.
public enum Wish: BitwiseCopyable, Sendable {
    /// The link is to be connected.
    case open(link: UInt32)
    /// The link is not read for now, or is read again.
    case pause(link: UInt32)
    case unpause(link: UInt32)
    /// The client's waiting bytes may be offered again.
    case resume(client: UInt32)
    /// The request asks what all workers together have counted.
    case figures(request: UInt32)
    /// What the control thread is told.
    case report(NodeReport)
    case notice(PoolNotice)
    /// Another worker has a key of `WriteLocks` now.
    case handOver(LockHandover)
}

/// What a worker saw of a node, for the one verdict of the process.
public struct NodeReport: BitwiseCopyable, Sendable {
    public var node: UInt32
    /// Nil: it answered again.
    public var failure: ErrorCause?
    /// When, in monotonic nanoseconds.
    public var time: UInt64
}
