public import Distribution

/// One immutable generation of what the workers serve: pools, nodes, rings, and which nodes are up.
///
/// The control thread makes a new one whenever a verdict changes and hands it to every worker, so that all agree.
public final class Topology: Sendable {
    public let pools: [Pool]
    /// All nodes of all pools; a pool's are contiguous.
    public let nodes: [Node]

    public struct Node: Sendable {
        public let pool: Int
        public let settings: NodeSettings
        public var isUp: Bool
    }

    public init(_ settings: [PoolSettings], isUp: (Int) -> Bool = { _ in true }) {
        var nodes: [Node] = []
        var pools: [Pool] = []
        for (index, pool) in settings.enumerated() {
            let first = nodes.count
            for node in pool.nodes {
                nodes.append(Node(pool: index, settings: node, isUp: isUp(nodes.count)))
            }
            pools.append(Pool(pool, firstNode: first, isUp: nodes[first...].map(\.isUp)))
        }
        self.nodes = nodes
        self.pools = pools
    }

    /// The same pools with other nodes up.
    public func with(isUp: (Int) -> Bool) -> Topology {
        Topology(pools.map(\.settings), isUp: isUp)
    }
}

/// A pool and its ring. A final class of constants, so that a request can use it without counting a reference.
public final class Pool: Sendable {
    public let settings: PoolSettings
    /// The pool's first node among all nodes.
    public let firstNode: Int
    public let hash: KeyHash
    public let hashTag: HashTag?
    /// Over the nodes that take requests: with `when_down: rehash` those that are up, else all.
    public let distributor: Distributor
    /// Ring member to node among all nodes.
    private let members: [UInt32]

    init(_ settings: PoolSettings, firstNode: Int, isUp: [Bool]) {
        self.settings = settings
        self.firstNode = firstNode
        hash = settings.hash
        hashTag = settings.hashTag
        let leavesOut = settings.whenDown == .rehash && isUp.contains(true)
        let kept = settings.nodes.indices.filter { !leavesOut || isUp[$0] }
        members = kept.map { UInt32(firstNode + $0) }
        distributor = Distributor(
            kind: settings.distribution,
            members: kept.map { Member(settings.nodes[$0]) })
    }
}
