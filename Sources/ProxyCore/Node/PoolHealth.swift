/// The verdicts on all nodes of one pool, and the rule that binds them: when more than half of a farm would be down at
/// once, it is more likely that the proxy lost its network than that they all died. Then it *fails open*: no further
/// node of the farm is ejected, requests go on to those that fail, and this ends as soon as it would not be most of the
/// farm any more.
///
/// But where most of the pool's other farm answers, the network is there: then all of a farm may be ejected, which is
/// what the other one is for. A node that fails now counts there as one that does not answer, so when the network goes,
/// the first farm to be judged does not go with it while the second is still to be found out.
///
/// A pool of one node is not bound: nothing can be learnt from comparing, and a request to a node that is known to be
/// dead is better refused at once than after its timeout. In any other pool one node is never ejected.
public struct PoolHealth: Sendable, Equatable {
    public struct Outcome: Sendable, Equatable {
        public let decision: NodeHealth.Decision
        /// Fail open began (true) or ended (false) with this event; nil is no change. Said once, so log it.
        public let failOpen: Bool?
    }

    public let policy: HealthPolicy
    /// The standby's last.
    private var nodes: [NodeHealth]
    /// The places of each farm's nodes; a pool without a standby has one farm.
    private let farms: [Range<Int>]
    /// Nodes that failed often enough are being kept, because too many did.
    public private(set) var isFailingOpen = false

    /// - Parameter standbyCount: how many of the nodes, the last ones, are the standby's.
    public init(nodeCount: Int, standbyCount: Int = 0, policy: HealthPolicy) {
        precondition(standbyCount >= 0 && standbyCount < nodeCount)
        self.policy = policy
        nodes = Array(repeating: NodeHealth(), count: nodeCount)
        let first = nodeCount - standbyCount
        farms = standbyCount == 0 ? [0..<nodeCount] : [0..<first, first..<nodeCount]
    }

    /// After a change of settings.
    ///
    /// - Parameter origins: by place: the node's place before, or nil where it is new.
    public init(_ settings: PoolSettings, from earlier: PoolHealth, origins: [Int?], now: UInt64) {
        self.init(
            nodeCount: settings.servers.count, standbyCount: settings.standby.count, policy: HealthPolicy(settings))
        for (place, origin) in origins.prefix(nodes.count).enumerated() {
            guard let origin else { continue }
            nodes[place] = earlier.nodes[origin].carriedOver(now: now)
        }
    }

    /// By the node's place in the pool.
    public func isUp(_ node: Int) -> Bool { nodes[node].isUp }

    /// How often the node went down shortly after it came up.
    public func flaps(_ node: Int) -> Int { nodes[node].flaps }

    public var downCount: Int { nodes.count { !$0.isUp } }

    public mutating func apply(
        _ event: NodeHealth.Event, to node: Int, now: UInt64, using generator: inout some RandomNumberGenerator
    ) -> Outcome {
        let farm = farms.firstIndex { $0.contains(node) } ?? 0
        let decision = nodes[node].apply(
            event, now: now, policy: policy, mayEject: mayEjectOneMore(of: farm), using: &generator)
        let open = farms.indices.contains { farm in
            nodes[farms[farm]].contains { $0.isSuspect(policy) } && !mayEjectOneMore(of: farm)
        }
        defer { isFailingOpen = open }
        return Outcome(decision: decision, failOpen: open == isFailingOpen ? nil : open)
    }

    private func mayEjectOneMore(of farm: Int) -> Bool {
        if nodes.count == 1 { return true }
        let own = nodes[farms[farm]]
        if (own.count { !$0.isUp } + 1) * 2 <= own.count { return true }
        return farms.count > 1 && mostAnswer(farms[1 - farm])
    }

    private func mostAnswer(_ farm: Range<Int>) -> Bool {
        nodes[farm].count { $0.isUp && !$0.isFailing } * 2 > farm.count
    }

    /// When `startProbes` has to be called next (monotonic nanoseconds); nil for never, as things stand.
    public var probeTime: UInt64? { nodes.compactMap(\.probeTime).min() }

    /// The nodes whose probe is due. Each counts as started: apply `probeAnswered` or `probeFailed` to it in the end.
    public mutating func startProbes(now: UInt64) -> [Int] {
        nodes.indices.filter { nodes[$0].startProbe(now: now) }
    }
}
