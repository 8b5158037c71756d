/// What may be done with a node.
public enum NodeAccess: UInt8, BitwiseCopyable, Sendable {
    /// Nothing: it does not answer.
    case none
    /// It is written, by the rules for a copy that is being filled, and read only where no other copy is left.
    case syncing
    /// It is written and read.
    case full
}

/// Where the keys of a node are, in a pool with one copy of each that lets others stand in for a node that is down: see
/// `HomePlan`.
public enum KeyPlace: UInt8, BitwiseCopyable, Sendable {
    /// On the node.
    case own
    /// On those that stand in for it.
    case away
    /// On those, which decide, and on the node as well.
    case joining
    /// On the node, which decides, and on those as well.
    case leading
}

/// What the control thread has found out about a node, for all workers.
public struct NodeVerdict: BitwiseCopyable, Equatable, Sendable {
    public var access: NodeAccess
    /// Full: when the markers were asked for that prove it, in monotonic nanoseconds. Who has lost a connection to the
    /// node since then waits for a later proof: it may be another process by now, and empty.
    public var provenAt: UInt64
    /// Full: the token of what it holds; 0 where no markers are kept.
    public var token: UInt64
    /// Every other node that answers keeps a revocation of it: a write that leaves it out needs no further one.
    public var isCovered: Bool
    /// The pool keeps markers. Where it keeps none, no node is distrusted, and nobody is told of a missed write.
    public var isMarked = true
    /// Syncing: it was full before, and is not one that came back empty.
    public var hasContents = true
    /// Syncing: when it was last known to be full, in monotonic nanoseconds; 0 where it has not been.
    public var lastWhole: UInt64 = 0
    /// Syncing: it was full when it was last heard, and is not known to have missed anything since.
    public var isUnheard = false
    /// Syncing, and known to have missed something: it has let the time of a request run out, and has answered nothing
    /// since. No write waits for it where there is a better copy.
    public var isSilent = false
    public var keys = KeyPlace.own
    /// What comes to it is on its way from elsewhere: it takes what the key's first copy has taken, and never stands for
    /// that. See `MovingKeys.isSingle`.
    public var follows = false

    public init(_ access: NodeAccess, provenAt: UInt64 = .max, isCovered: Bool = true, token: UInt64 = 0) {
        self.access = access
        self.provenAt = provenAt
        self.isCovered = isCovered
        self.token = token
    }

    /// Where no markers are kept.
    public init(isUp: Bool) {
        self.init(isUp ? .full : .none)
        isMarked = false
        keys = isUp ? .own : .away
    }

    /// In a pool whose nodes stand in for each other.
    ///
    /// - Parameter isHoming: the keys of some node of the pool are in two places: who misses a write is told of.
    public init(_ access: NodeAccess, keys: KeyPlace, isHoming: Bool) {
        self.init(access)
        self.keys = keys
        isMarked = isHoming
    }
}
