internal import Distribution

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
        public let isUp: Bool
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
