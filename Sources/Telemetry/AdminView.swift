/// What a node is to its pool.
public enum NodeState: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    case new, up, down, syncing, joining, draining

    /// Reads are sent to it.
    public var isReadable: Bool { self == .up || self == .draining }

    /// As operators see it.
    public var label: StaticString {
        switch self {
        case .new: "new"
        case .up: "up"
        case .down: "down"
        case .syncing: "syncing"
        case .joining: "joining"
        case .draining: "draining"
        }
    }
}

public struct NodeView: Sendable {
    /// The node's name, or else its address.
    public var name: String
    public var state: NodeState

    public init(name: String, state: NodeState) {
        self.name = name
        self.state = state
    }
}

public struct PoolView: Sendable {
    public var name: String
    /// Of each key, 1 to 8.
    public var copies: Int
    public var nodes: [NodeView]
    /// Shares, 0 to 1: of the keys' copies that are on nodes that are up; of the keys that have such a copy; of the keys
    /// that have as many as a write needs.
    public var available: Double
    public var readable: Double
    public var writable: Double

    public init(
        name: String, copies: Int = 1, nodes: [NodeView], available: Double = 1, readable: Double = 1,
        writable: Double = 1
    ) {
        self.name = name
        self.copies = copies
        self.nodes = nodes
        self.available = available
        self.readable = readable
        self.writable = writable
    }
}

/// All that an operator may see at one moment: what the proxy fills in, and the admin and `stats` replies render.
public struct AdminView: Sendable {
    public var version: String
    /// Unix seconds.
    public var startTime: UInt64
    /// Seconds since the start.
    public var uptime: Double
    public var workers: Int
    public var residentBytes: UInt64
    /// Bytes of buffer that all workers together may have.
    public var bufferLimit: Int
    /// The verbs' spellings, by raw value.
    public var verbs: [String]
    /// In the order of the configuration.
    public var pools: [PoolView]
    /// All workers together: pools as in `pools`, nodes as in the pools, one pool after the other.
    public var totals: WorkerSnapshot
    /// Those that run, and the last that have ended; the newest last.
    public var jobs: [JobView]

    public init(
        version: String, startTime: UInt64, uptime: Double, workers: Int, residentBytes: UInt64, bufferLimit: Int,
        verbs: [String], pools: [PoolView], totals: WorkerSnapshot,
        jobs: [JobView] = []
    ) {
        self.version = version
        self.startTime = startTime
        self.uptime = uptime
        self.workers = workers
        self.residentBytes = residentBytes
        self.bufferLimit = bufferLimit
        self.verbs = verbs
        self.pools = pools
        self.totals = totals
        self.jobs = jobs
    }

    /// Each pool with its counters and its nodes with theirs; zeros where the snapshot is of an older configuration.
    func forEachPool(
        _ body: (_ pool: PoolView, _ stats: PoolStats, _ nodes: [(view: NodeView, stats: NodeStats)]) -> Void
    ) {
        var next = 0
        for (index, pool) in pools.enumerated() {
            let nodes = pool.nodes.enumerated().map { offset, node in
                (view: node, stats: next + offset < totals.nodes.count ? totals.nodes[next + offset] : NodeStats())
            }
            next += pool.nodes.count
            body(pool, index < totals.pools.count ? totals.pools[index] : PoolStats(), nodes)
        }
    }
}
