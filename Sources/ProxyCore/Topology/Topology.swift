/// One immutable generation of what the workers serve: pools, nodes, rings, and which nodes are up.
///
/// The control thread makes a new one whenever a verdict changes and hands it to every worker, so that all agree.
public final class Topology: Sendable {
    public let pools: [Pool]
    /// All nodes of all pools; a pool's are contiguous, its standby's last. Between them may be some that were a pool's
    /// before its list of nodes was changed.
    public let nodes: [Node]

    public struct Node: Sendable {
        public let pool: Int
        public let farm: Farm
        public let settings: NodeSettings
        public internal(set) var verdict: NodeVerdict
        /// In the proxy's own zone.
        public let isNear: Bool

        /// It answers.
        public var isUp: Bool { verdict.access != .none }
    }

    /// What a pool is made from.
    struct Plan {
        let settings: PoolSettings
        let firstNode: Int
        /// See `Pool.origins`.
        var origins: [Int?] = []
        /// See there.
        var tagsAlways = false
    }

    public convenience init(_ settings: [PoolSettings], verdict: (Int) -> NodeVerdict) {
        var plans: [Plan] = []
        var first = 0
        for pool in settings {
            plans.append(Plan(settings: pool, firstNode: first))
            first += pool.allNodes.count
        }
        self.init(plans, earlier: nil, verdict: verdict)
    }

    public convenience init(_ settings: [PoolSettings], isUp: (Int) -> Bool = { _ in true }) {
        self.init(settings) { NodeVerdict(isUp: isUp($0)) }
    }

    /// - Parameters:
    ///   - earlier: with as many pools; of those with the same first node the ring is kept where it is the same.
    ///   - verdict: on the node with a number, whether it is of a pool now or was.
    init(_ plans: [Plan], earlier: Topology?, verdict: (Int) -> NodeVerdict) {
        var nodes = earlier?.nodes ?? []
        for number in nodes.indices { nodes[number].verdict = verdict(number) }
        var pools: [Pool] = []
        for (index, plan) in plans.enumerated() {
            let (pool, first) = (plan.settings, plan.firstNode)
            for (place, node) in pool.allNodes.enumerated() {
                let row = Node(
                    pool: index, farm: place < pool.nodes.count ? .nodes : .standby, settings: node,
                    verdict: verdict(first + place), isNear: node.zone != nil && node.zone == pool.ownZone)
                // Numbers that a later pool has come before those of this one: they are written over.
                while nodes.count <= first + place { nodes.append(row) }
                nodes[first + place] = row
            }
            let before = earlier.flatMap { $0.pools[index].firstNode == first ? $0.pools[index] : nil }
            let keys = (first..<(first + pool.allNodes.count)).map { nodes[$0].verdict.keys }
            if let before, pool.hasCopies || keys == earlier?.nodes[before.nodes].map(\.verdict.keys) {
                pools.append(before)
            } else {
                pools.append(
                    Pool(
                        pool, firstNode: first, keys: keys, origins: plan.origins, tagsAlways: plan.tagsAlways,
                        earlier: before))
            }
        }
        self.nodes = nodes
        self.pools = pools
    }

    /// The numbers of all pools' nodes, in the pools' order.
    public var numbers: [Int] { pools.flatMap { Array($0.nodes) } }

    /// The same pools with other verdicts on their nodes.
    public func with(verdict: (Int) -> NodeVerdict) -> Topology {
        let plans = pools.map {
            Plan(settings: $0.settings, firstNode: $0.firstNode, origins: $0.origins, tagsAlways: $0.tagsAlways)
        }
        return Topology(plans, earlier: self, verdict: verdict)
    }

    public func with(isUp: (Int) -> Bool) -> Topology { with(verdict: { NodeVerdict(isUp: isUp($0)) }) }
}
