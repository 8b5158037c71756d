import DroverTesting
import Testing

/// A flush takes the nodes' markers along, and the nodes are read on.
@Suite(.serialized)
struct FlushTests {
    private static let keys = (0..<60).map { "\($0 * 7919)-flushed" }

    /// At once many times, later, and past the proxies; two of them share the nodes.
    @Test(.timeLimit(.minutes(20)), arguments: [MemcachedServer.Version.newer, .debian])
    func noFlushOfAllNodesIsNoticed(version: MemcachedServer.Version) throws {
        let first = try CopiesCluster(CopiesSetting(workers: 1, version: version), pool: ["timeout: 5s"])
        let second = try Cluster(nodes: first.nodes, pool: ["replicas: 2", "timeout: 5s"], top: ["workers: 1"])
        let proxies = [first.cluster, second]
        // A connection that is made while the markers are gone is not taken for proven.
        for proxy in proxies {
            let client = try proxy.client()
            for key in Self.keys { #expect(try client.roundTrip("set \(key) 0 0 1\r\nx\r\n") == "STORED\r\n") }
        }
        let isOver = SharedBox(false)
        let threads = proxies.enumerated().map { number, proxy in
            TestThread { try Self.useKeys(of: number, proxy, until: isOver) }
        }
        defer { isOver.withValue { $0 = true } }
        let client = try first.client()
        for _ in 0..<40 { #expect(try client.roundTrip("flush_all\r\n") == "OK\r\n") }
        try expectAllUp(proxies, seconds: 1)
        for _ in 0..<10 {
            #expect(try client.roundTrip("flush_all\r\n") == "OK\r\n")
            try expectAllUp(proxies, seconds: 0.1)
        }
        #expect(try second.client().roundTrip("flush_all 2\r\n") == "OK\r\n")
        try expectAllUp(proxies, seconds: 6.5)
        for node in first.nodes { #expect(try node.client().roundTrip("flush_all\r\n") == "OK\r\n") }
        try expectAllUp(proxies, seconds: 4)
        isOver.withValue { $0 = true }
        for thread in threads { #expect(try thread.join() > 100) }
        for proxy in proxies { #expect(try !proxy.http("/api/status").contains("\"fill\"")) }
    }

    /// No other copy lost what it lost.
    @Test func aNodeThatIsFlushedAloneIsFilled() throws {
        let cluster = try CopiesCluster(CopiesSetting())
        let client = try cluster.client()
        for key in Self.keys { #expect(try client.roundTrip("set \(key) 3 0 5\r\nvalue\r\n") == "STORED\r\n") }
        #expect(try cluster.nodes[1].client().roundTrip("flush_all\r\n") == "OK\r\n")
        try cluster.awaitNodes(1, "syncing")
        try cluster.awaitAllUp()
        #expect(try cluster.disagreements(on: Self.keys).isEmpty)
        for key in Self.keys {
            #expect(try client.roundTrip("mg \(key) v\r\n", through: "value\r\n") == "VA 5\r\nvalue\r\n")
        }
    }

    /// What it held when it was away does not come back with it.
    @Test(arguments: NodeFault.allCases, [CopiesSetting(), CopiesSetting(shape: .hybrid, version: .debian)])
    func aFlushWithoutOneNodeHolds(fault: NodeFault, setting: CopiesSetting) throws {
        let cluster = try CopiesCluster(setting, pool: FaultRun.quick)
        let client = try cluster.client()
        for key in Self.keys { #expect(try client.roundTrip("set \(key) 0 0 1\r\nx\r\n") == "STORED\r\n") }
        fault.strike(cluster.nodes[1])
        // Nobody knows of it yet.
        #expect(try client.roundTrip("flush_all\r\n") == "OK\r\n")
        for key in Self.keys { #expect(try client.roundTrip("mg \(key)\r\n") == "EN\r\n") }
        try cluster.awaitNodes(1, "down")
        for key in Self.keys { #expect(try client.roundTrip("set \(key) 0 0 1\r\ny\r\n") == "STORED\r\n") }
        #expect(try client.roundTrip("flush_all\r\n") == "OK\r\n")
        try fault.end(cluster.nodes[1])
        try cluster.awaitAllUp()
        for key in Self.keys { #expect(try client.roundTrip("mg \(key)\r\n") == "EN\r\n") }
        #expect(try cluster.disagreements(on: Self.keys).isEmpty)
    }

    /// Some keys may have both copies on the two.
    @Test func aFlushWithoutTwoNodesIsAnError() throws {
        let cluster = try CopiesCluster(CopiesSetting(), pool: FaultRun.quick)
        let client = try cluster.client()
        for node in [0, 1] { cluster.nodes[node].kill() }
        #expect(try client.roundTrip("flush_all\r\n") == "SERVER_ERROR node connection failed\r\n")
    }

    /// Returns the number of commands; each was answered as memcached would.
    private static func useKeys(of number: Int, _ proxy: Cluster, until isOver: SharedBox<Bool>) throws -> Int {
        let client = try proxy.client()
        var count = 0
        while !isOver.value {
            count += 1
            let key = "\(number)-\(keys[count % keys.count])"
            let stored = try client.roundTrip("set \(key) 0 0 1\r\nx\r\n")
            let found = try client.roundTrip("mg \(key) f\r\n")
            guard stored == "STORED\r\n", found == "HD f0\r\n" || found == "EN\r\n" else {
                throw TestFailure("\(key): \(stored) \(found)")
            }
        }
        return count
    }

    private func expectAllUp(_ proxies: [Cluster], seconds: Double) throws {
        var others: [Substring] = []
        _ = try Deadline(seconds: seconds).waits {
            for proxy in proxies {
                others += try proxy.http("/metrics").split(whereSeparator: \.isNewline).filter {
                    $0.hasPrefix("drover_node_state{") && $0.hasSuffix(" 1") && !$0.contains("state=\"up\"")
                }
            }
            return !others.isEmpty
        }
        guard others.isEmpty else {
            throw TestFailure("\(others)\n\(proxies.map(\.drover.log).joined(separator: "\n\n"))")
        }
    }
}
