/// What one worker counts of a pool whose keys have several copies. Everything only grows.
public struct CopyStats: BitwiseCopyable, Sendable {
    /// Copies that answered a write.
    public var written: UInt64 = 0
    /// Copies that were asked to write and did not answer.
    public var failed = ErrorCounts()
    /// Copies that a repair has changed.
    public var repaired: UInt64 = 0
    /// Writes whose client was answered, by how many copies had answered by then.
    public var acknowledged = AckCounts()
    /// Keys asked of another copy, by why not of the one before.
    public var failovers = ErrorCounts()
    /// Reads that asked a second copy because the first was slow, and those of them that it answered first.
    public var hedges: UInt64 = 0
    public var hedgesWon: UInt64 = 0
    /// Copies that got a key back that they lacked.
    public var backFills: UInt64 = 0
    /// Copies that got one and gave it back, because it was being written.
    public var backFillsUndone: UInt64 = 0
    /// Keys read from a copy that is not known to be whole, because none is.
    public var unprovenReads: UInt64 = 0

    public init() {}

    public mutating func merge(_ other: CopyStats) {
        written &+= other.written
        failed.merge(other.failed)
        repaired &+= other.repaired
        acknowledged.merge(other.acknowledged)
        failovers.merge(other.failovers)
        hedges &+= other.hedges
        hedgesWon &+= other.hedgesWon
        backFills &+= other.backFills
        backFillsUndone &+= other.backFillsUndone
        unprovenReads &+= other.unprovenReads
    }
}

/// A counter for each number of copies, 0 to 8.
public struct AckCounts: BitwiseCopyable, Sendable {
    private var counts = InlineArray<9, UInt64>(repeating: 0)

    public init() {}

    public subscript(copies: Int) -> UInt64 { counts[copies] }

    public mutating func count(_ copies: Int) { counts[copies] &+= 1 }

    public mutating func merge(_ other: AckCounts) {
        for index in counts.indices { counts[index] &+= other.counts[index] }
    }
}
