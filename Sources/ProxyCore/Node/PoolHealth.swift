/// The verdicts on all nodes of one pool, and the rule that binds them: when more than half of the nodes would be down
/// at once, it is more likely that the proxy lost its network than that they all died. Then it *fails open*: no further
/// node is ejected, requests go on to those that fail, and this ends as soon as it would not be most of the pool any more.
///
/// A pool of one is not bound: nothing can be learnt from comparing, and a request to a node that is known to be dead is
/// better refused at once than after its timeout.
public struct PoolHealth: Sendable, Equatable {
    public struct Outcome: Sendable, Equatable {
        public let decision: NodeHealth.Decision
        /// Fail open began (true) or ended (false) with this event; nil is no change. Said once, so log it.
        public let failOpen: Bool?
    }

    public let policy: HealthPolicy
    private var nodes: [NodeHealth]
    /// Nodes that failed often enough are being kept, because too many did.
    public private(set) var isFailingOpen = false

    public init(nodeCount: Int, policy: HealthPolicy) {
        self.policy = policy
        nodes = Array(repeating: NodeHealth(), count: nodeCount)
    }

    /// By the node's place in the pool.
    public func isUp(_ node: Int) -> Bool { nodes[node].isUp }

    /// How often the node went down shortly after it came up.
    public func flaps(_ node: Int) -> Int { nodes[node].flaps }

    public var downCount: Int { nodes.count { !$0.isUp } }

    public mutating func apply(
        _ event: NodeHealth.Event, to node: Int, now: UInt64, using generator: inout some RandomNumberGenerator
    ) -> Outcome {
        let decision = nodes[node].apply(
            event, now: now, policy: policy, mayEject: mayEjectOneMore, using: &generator)
        let open = !mayEjectOneMore && nodes.contains { $0.isSuspect(policy) }
        defer { isFailingOpen = open }
        return Outcome(decision: decision, failOpen: open == isFailingOpen ? nil : open)
    }

    private var mayEjectOneMore: Bool { nodes.count == 1 || (downCount + 1) * 2 <= nodes.count }

    /// When `startProbes` has to be called next (monotonic nanoseconds); nil for never, as things stand.
    public var probeTime: UInt64? { nodes.compactMap(\.probeTime).min() }

    /// The nodes whose probe is due. Each counts as started: apply `probeAnswered` or `probeFailed` to it in the end.
    public mutating func startProbes(now: UInt64) -> [Int] {
        nodes.indices.filter { nodes[$0].startProbe(now: now) }
    }
}
