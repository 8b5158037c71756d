/// A pool whose settings change gets node numbers that nobody uses: so whoever still works by the old pool, and whoever
/// works by the new one, mean the same nodes by the same numbers. When nobody works by the old one any more, its numbers
/// are free.
///
///     numbers     0 1 2 │ 3 4 │
///     reload      pool a  pool b           a gets a fourth node
///                 0 1 2 │ 3 4 │ 5 6 7 8    its first three are what 0, 1 and 2 were
///                       pool b  pool a
extension Topology {
    /// Numbers that there can be.
    public static let nodeLimit = 1 << 15

    /// The same pools by other settings; those whose settings are the same stay as they are. Nil where the numbers do not
    /// suffice.
    ///
    /// - Parameter verdict: on each node of a pool that changes, by its number before, or nil for one that is new.
    public func changed(
        to settings: [PoolSettings], verdict: (_ pool: PoolSettings, _ origin: Int?) -> NodeVerdict
    ) -> Topology? {
        precondition(settings.count == pools.count)
        var taken = pools.map(\.nodes)
        var plans: [Plan] = []
        var verdicts = nodes.map(\.verdict)
        for (pool, next) in zip(pools, settings) {
            guard pool.settings != next else {
                plans.append(
                    Plan(
                        settings: next, firstNode: pool.firstNode, origins: pool.origins, tagsAlways: pool.tagsAlways))
                continue
            }
            let first = Self.gap(of: next.allNodes.count, besides: taken)
            let range = first..<(first + next.allNodes.count)
            guard range.upperBound <= max(Self.nodeLimit, nodes.count) else { return nil }
            taken.append(range)
            let origins = origins(of: next, in: pool)
            let tagsAlways = pool.tagsAlways || pool.isMoving
            plans.append(Plan(settings: next, firstNode: first, origins: origins, tagsAlways: tagsAlways))
            while verdicts.count < range.upperBound { verdicts.append(NodeVerdict(.none)) }
            for (place, number) in range.enumerated() { verdicts[number] = verdict(next, origins[place]) }
        }
        return Topology(plans, earlier: self) { verdicts[$0] }
    }

    /// The first number from which on so many are free.
    private static func gap(of count: Int, besides taken: [Range<Int>]) -> Int {
        var first = 0
        for range in taken.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if first + count <= range.lowerBound { break }
            first = max(first, range.upperBound)
        }
        return first
    }

    /// By place in the new list: the node of the same name at the same address.
    private func origins(of next: PoolSettings, in pool: Pool) -> [Int?] {
        var numbers: [NodeIdentity: Int] = [:]
        for number in pool.servers { numbers[NodeIdentity(nodes[number].settings)] = number }
        return next.allNodes.map { numbers.removeValue(forKey: NodeIdentity($0)) }
    }
}

/// What makes a node of one list that of another: the same server, known by the same name.
struct NodeIdentity: Hashable {
    let name: String
    let address: Endpoint

    init(_ node: NodeSettings) { (name, address) = (node.ringName, node.address) }
}
