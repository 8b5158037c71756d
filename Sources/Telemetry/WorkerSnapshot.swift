/// What one worker counts for its loop.
public struct LoopStats: BitwiseCopyable, Sendable {
    /// Turns of the loop.
    public var turns: UInt64 = 0
    /// Calls of read or its like, on any socket.
    public var reads: UInt64 = 0
    /// Calls of write or its like.
    public var writes: UInt64 = 0
    /// Bytes of buffer in use now.
    public var bufferBytes: Int = 0

    public init() {}

    public mutating func merge(_ other: LoopStats) {
        turns &+= other.turns
        reads &+= other.reads
        writes &+= other.writes
        bufferBytes &+= other.bufferBytes
    }
}

/// A copy of all that one worker has counted, or of several workers together.
public struct WorkerSnapshot: Sendable {
    /// In the order of the configuration.
    public var pools: [PoolStats]
    /// The nodes of the first pool, then those of the second, and so on.
    public var nodes: [NodeStats]
    public var loop: LoopStats

    public init(pools: [PoolStats] = [], nodes: [NodeStats] = [], loop: LoopStats = LoopStats()) {
        self.pools = pools
        self.nodes = nodes
        self.loop = loop
    }

    /// Adds another worker's. Where one knows more pools or nodes (the other has yet to take a new configuration), the
    /// longer list stays.
    public mutating func merge(_ other: WorkerSnapshot) {
        for (index, stats) in other.pools.enumerated() {
            if index < pools.count { pools[index].merge(stats) } else { pools.append(stats) }
        }
        for (index, stats) in other.nodes.enumerated() {
            if index < nodes.count { nodes[index].merge(stats) } else { nodes.append(stats) }
        }
        loop.merge(other.loop)
    }

    /// All workers together; empty for none.
    public static func merged(_ snapshots: [WorkerSnapshot]) -> WorkerSnapshot {
        var total = WorkerSnapshot()
        for snapshot in snapshots { total.merge(snapshot) }
        return total
    }
}
