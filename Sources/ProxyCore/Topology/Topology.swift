/// One immutable generation of what the workers serve: pools, nodes, rings, and which nodes are up.
///
/// The control thread makes a new one whenever a verdict changes and hands it to every worker, so that all agree.
public final class Topology: Sendable {
    public let pools: [Pool]
    /// All nodes of all pools; a pool's are contiguous, its standby's last.
    public let nodes: [Node]

    public struct Node: Sendable {
        public let pool: Int
        public let farm: Farm
        public let settings: NodeSettings
        public let verdict: NodeVerdict
        /// In the proxy's own zone.
        public let isNear: Bool

        /// It answers.
        public var isUp: Bool { verdict.access != .none }
    }

    public convenience init(_ settings: [PoolSettings], verdict: (Int) -> NodeVerdict) {
        self.init(settings, earlier: nil, verdict: verdict)
    }

    public convenience init(_ settings: [PoolSettings], isUp: (Int) -> Bool = { _ in true }) {
        self.init(settings) { NodeVerdict(isUp: isUp($0)) }
    }

    /// - Parameter earlier: pools of the same settings, whose rings are kept where they are the same.
    private init(_ settings: [PoolSettings], earlier: Topology?, verdict: (Int) -> NodeVerdict) {
        var nodes: [Node] = []
        var pools: [Pool] = []
        for (index, pool) in settings.enumerated() {
            let first = nodes.count
            for (place, node) in pool.allNodes.enumerated() {
                nodes.append(
                    Node(
                        pool: index, farm: place < pool.nodes.count ? .nodes : .standby, settings: node,
                        verdict: verdict(nodes.count), isNear: node.zone != nil && node.zone == pool.ownZone))
            }
            let keys = nodes[first...].map(\.verdict.keys)
            if let before = earlier?.pools[index],
                pool.hasCopies || keys == earlier?.nodes[before.nodes].map(\.verdict.keys)
            {
                pools.append(before)
            } else {
                pools.append(Pool(pool, firstNode: first, keys: keys, earlier: earlier?.pools[index]))
            }
        }
        self.nodes = nodes
        self.pools = pools
    }

    /// A key of some pool has more than one copy, or can have while it is brought home.
    public var mayHaveCopies: Bool { pools.contains { $0.settings.hasCopies || $0.settings.bringsHome } }

    /// The same pools with other verdicts on their nodes.
    public func with(verdict: (Int) -> NodeVerdict) -> Topology {
        Topology(pools.map(\.settings), earlier: self, verdict: verdict)
    }

    public func with(isUp: (Int) -> Bool) -> Topology { with(verdict: { NodeVerdict(isUp: isUp($0)) }) }
}
