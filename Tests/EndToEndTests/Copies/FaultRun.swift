import DroverTesting
import Testing

/// What happens to a node in the middle of a load.
enum NodeFault: String, Sendable, CaseIterable {
    case kill, freeze

    func strike(_ node: MemcachedServer) {
        switch self {
        case .kill: node.kill()
        case .freeze: node.freeze()
        }
    }

    /// A killed node comes back empty, a frozen one as it was and with what it had not read yet.
    func end(_ node: MemcachedServer) throws {
        switch self {
        case .kill: try node.restart()
        case .freeze: node.thaw()
        }
    }
}

/// A load of clients under which one node fails and stays away; what they know is then held against the other copies.
struct FaultRun: Sendable {
    let cluster: CopiesCluster
    let fault: NodeFault
    /// What the load writes, and the places of each key's copies.
    let keys: [String]
    let copies: [String: [Int]]
    /// The place of the node that fails.
    let victim: Int
    let seed: UInt64
    private let end = SharedBox(false)
    private let steps = SharedBox(0)

    static let quick = [
        "timeout: 300ms", "connect_timeout: 300ms", "fail_after: 3", "probe: {interval: 100ms, max: 300ms}",
    ]

    /// - Parameters:
    ///   - keys: what the load writes; the node that fails has a copy of one of them at least.
    ///   - sparesPrimaries: of these only those of which that node has a copy, and not the first.
    init(_ setting: CopiesSetting, _ fault: NodeFault, keys: [String], sparesPrimaries: Bool = false) throws {
        var random = SeededGenerator.fromEnvironment()
        seed = random.seed
        self.fault = fault
        cluster = try CopiesCluster(setting, pool: Self.quick)
        let copies = try cluster.copies(of: keys)
        let victim = random.pick(copies[random.pick(keys)]!.dropFirst(sparesPrimaries ? 1 : 0))
        (self.copies, self.victim) = (copies, victim)
        self.keys = sparesPrimaries ? keys.filter { copies[$0]!.dropFirst().contains(victim) } : keys
    }

    var label: Comment { "DROVER_SEED=\(seed), node \(victim)" }

    /// A client asks before each command; false when it is to stop.
    func goesOn() -> Bool {
        steps.withValue { $0 += 1 }
        return !end.value
    }

    /// Lets the clients work, strikes, lets them work on until the node is known to be down and for a while longer, and
    /// stops them; returns what each of them knows. The node is still away then.
    func underLoad<Known: Sendable>(
        clients: Int, _ work: @escaping @Sendable (RawClient, Int, SeededGenerator) throws -> Known
    ) throws -> [Known] {
        let threads = (0..<clients).map { number in
            TestThread {
                let client = try cluster.client(patience: 10)
                return try work(client, number, SeededGenerator(seed: seed &+ UInt64(number)))
            }
        }
        awaitSteps(60 * clients)
        fault.strike(cluster.nodes[victim])
        let verdict = Result { try cluster.awaitNodes(1, "down", seconds: 20) }
        awaitSteps(60 * clients)
        end.withValue { $0 = true }
        let known = try threads.map { try $0.join() }
        #expect(cluster.cluster.drover.isRunning, label)
        try verdict.get()
        return known
    }

    /// More commands than there have been by now. A client that fails makes none; why it did is told in the end.
    private func awaitSteps(_ count: Int) {
        let start = steps.value
        _ = Deadline(seconds: 15).waits { steps.value >= start + count }
    }

    /// Clients of the copies that are left, by the nodes' places.
    func survivors() throws -> [Int: RawClient] {
        let places = cluster.nodes.indices.filter { $0 != victim }
        return Dictionary(uniqueKeysWithValues: try places.map { ($0, try cluster.nodes[$0].client()) })
    }

    /// The node is back and taken up again: keys that are written now agree everywhere.
    func expectAgreementAfterReturn(of keys: [String]) throws {
        try fault.end(cluster.nodes[victim])
        try cluster.awaitAllUp()
        let client = try cluster.client()
        for key in keys { try #require(try client.roundTrip("set \(key) 7 0 5\r\nafter\r\n") == "STORED\r\n", label) }
        try cluster.awaitRepairs()
        let differing = try cluster.disagreements(on: keys)
        #expect(differing == [], "\(label): \(differing.joined(separator: "\n"))")
    }
}

/// A reply's first line without its end; whether the command's outcome is unknown.
func isUnknown(_ line: String) -> Bool {
    CopiesNames.nodeErrors.contains { line == $0 + "\r\n" }
}
