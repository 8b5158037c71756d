import DroverTesting
import Testing

/// `read: fastest`: whoever is slow is not waited for.
@Suite(.serialized)
struct FastestTests {
    private let keys = (0..<60).map { "\($0 * 7919)-fastest" }

    private func fill(_ cluster: CopiesCluster) throws -> RawClient {
        let client = try cluster.client(patience: 30)
        for key in keys {
            try #require(try client.roundTrip("set \(key) 0 0 \(key.utf8.count)\r\n\(key)\r\n") == "STORED\r\n")
        }
        try cluster.awaitRepairs()
        return client
    }

    private func read(_ key: String, _ client: RawClient) throws {
        let reply = try client.roundTrip("get \(key)\r\n", through: "END\r\n")
        try #require(reply == "VALUE \(key) 0 \(key.utf8.count)\r\n\(key)\r\nEND\r\n")
    }

    /// One whose node hangs is answered by the other copy long before the node's time is out.
    @Test(arguments: [
        CopiesSetting(read: "fastest"), CopiesSetting(shape: .standby, read: "fastest", version: .debian),
    ])
    func aFrozenNodeIsNotWaitedFor(setting: CopiesSetting) throws {
        let cluster = try CopiesCluster(setting, pool: ["timeout: 20s", "hedge: 100%"])
        let client = try fill(cluster)
        for key in keys { try read(key, client) }
        let copies = try cluster.copies(of: keys)
        let frozen = keys.filter { copies[$0]![0] == 0 }
        try #require(frozen.count > 5)
        NodeFault.freeze.strike(cluster.nodes[0])
        var slowest = 0.0
        for key in keys {
            let start = Deadline.now()
            try read(key, client)
            slowest = max(slowest, Deadline.seconds(since: start))
        }
        #expect(slowest < 5, "\(slowest) s")
        #expect(try cluster.cluster.metric("drover_hedges_won_total") ?? 0 >= Double(frozen.count))
        #expect(try cluster.cluster.metric("drover_failovers_total") == 0)
    }

    /// The same for a get of all of them: its keys come in their order, and what the node says when it is well again is
    /// nobody's.
    @Test(arguments: [
        CopiesSetting(read: "fastest"), CopiesSetting(shape: .hybrid, read: "fastest", version: .debian),
    ])
    func aFrozenNodeDelaysNoGetOfSeveral(setting: CopiesSetting) throws {
        let cluster = try CopiesCluster(setting, pool: ["timeout: 20s", "hedge: 100%"])
        let client = try fill(cluster)
        let request = "get \(keys.joined(separator: " "))\r\n"
        let answer = keys.map { "VALUE \($0) 0 \($0.utf8.count)\r\n\($0)\r\n" }.joined() + "END\r\n"
        for _ in 0..<20 { try #require(try client.roundTrip(request, through: "END\r\n") == answer) }
        let copies = try cluster.copies(of: keys)
        let frozen = keys.count { copies[$0]![0] == 0 }
        try #require(frozen > 5)
        NodeFault.freeze.strike(cluster.nodes[0])
        var slowest = 0.0
        for _ in 0..<30 {
            let start = Deadline.now()
            try #require(try client.roundTrip(request, through: "END\r\n") == answer)
            slowest = max(slowest, Deadline.seconds(since: start))
        }
        #expect(slowest < 5, "\(slowest) s")
        let won = try cluster.cluster.metric("drover_hedges_won_total") ?? 0
        #expect(won >= Double(30 * frozen))
        #expect(try cluster.cluster.metric("drover_hedges_total") ?? 0 >= won)
        #expect(try cluster.cluster.metric("drover_failovers_total") == 0)
        cluster.nodes[0].thaw()
        for _ in 0..<20 { try #require(try client.roundTrip(request, through: "END\r\n") == answer) }
    }

    /// However slow some reads are, no more than the share is doubled; and more would be, if they might.
    @Test(arguments: [("1%", 1...96), ("100%", 97...9600)])
    func theShareIsKept(hedge: String, expected: ClosedRange<Double>) throws {
        let cluster = try CopiesCluster(CopiesSetting(read: "fastest"), pool: ["timeout: 20s", "hedge: \(hedge)"])
        _ = try fill(cluster)
        let isOver = SharedBox(false)
        let trouble = TestThread {
            while !isOver.value {
                cluster.nodes[0].freeze()
                _ = Deadline(seconds: 0.15).waits { false }
                cluster.nodes[0].thaw()
                _ = Deadline(seconds: 0.02).waits { false }
            }
        }
        let readers = (0..<4).map { _ in
            TestThread {
                let client = try cluster.client(patience: 30)
                for _ in 0..<20 {
                    for key in keys { try read(key, client) }
                    _ = try client.roundTrip("get \(keys.joined(separator: " "))\r\n", through: "END\r\n")
                }
            }
        }
        let results = readers.map { reader in Result { try reader.join() } }
        isOver.withValue { $0 = true }
        try trouble.join()
        for result in results { try result.get() }
        let hedges = try cluster.cluster.metric("drover_hedges_total") ?? -1
        #expect(expected.contains(hedges), "\(hedges) of 9600")
        #expect(try cluster.cluster.metric("drover_hedges_won_total") ?? .infinity <= hedges)
    }
}
