import DroverTesting
import Testing

/// Pools with one copy of each key that get other nodes while clients write and read, on real servers.
@Suite(.serialized)
struct SingleScaleTests {
    private static let pool = ["poll: 500ms", "timeout: 1s", "probe: {interval: 100ms, max: 300ms}"]

    private let keys = (0..<1500).map { "\($0 * 7919)-single" }

    private func scale(
        _ count: Int, first: [Int], version: MemcachedServer.Version = .newer, whenDown: String = "rehash"
    ) throws -> ScaleCluster {
        let scale = try ScaleCluster(
            count, first: first, version: version, pool: Self.pool + ["when_down: \(whenDown)"])
        let client = try scale.cluster.client()
        for key in keys { #expect(try client.roundTrip("set \(key) 5 0 5\r\nvalue\r\n") == "STORED\r\n") }
        return scale
    }

    private func clients(_ scale: ScaleCluster, _ count: Int = 3) -> [CheckingClient] {
        let seed = SeededGenerator.fromEnvironment().seed
        return (0..<count).map { CheckingClient(scale.cluster.address, number: $0, seed: seed) }
    }

    private func finish(_ clients: [CheckingClient]) throws -> [String: String] {
        var known: [String: String] = [:]
        for client in clients { known.merge(try client.finish()) { one, _ in one } }
        return known
    }

    /// What the clients know is there, and what was there before they came, each on its node and nowhere else.
    private func expectAll(_ scale: ScaleCluster, _ known: [String: String], _ members: [Int]) throws {
        let client = try scale.cluster.client()
        for key in keys {
            #expect(
                try client.roundTrip("get \(key)\r\n", through: "END\r\n") == "VALUE \(key) 5 5\r\nvalue\r\nEND\r\n")
        }
        for (key, value) in known {
            let answer = try client.roundTrip("get \(key)\r\n", through: "END\r\n")
            #expect(answer == "VALUE \(key) 7 \(value.count)\r\n\(value)\r\nEND\r\n", "\(key)")
        }
        try scale.expectPlaces(keys + known.keys.sorted(), members)
    }

    @Test(
        .timeLimit(.minutes(10)),
        arguments: [("rehash", MemcachedServer.Version.newer), ("miss", .debian), ("error", .newer)])
    func noKeyIsMissedWhenNodesComeAndGo(whenDown: String, version: MemcachedServer.Version) throws {
        let scale = try scale(4, first: [0, 1, 2], version: version, whenDown: whenDown)
        // Left from an earlier life: never to be read.
        let direct = try scale.servers[3].client()
        for key in keys { #expect(try direct.roundTrip("set \(key) 5 0 3\r\nold\r\n") == "STORED\r\n") }
        let clients = clients(scale)
        try scale.change(to: [0, 1, 2, 3])
        try scale.change(to: [1, 2, 3])
        try scale.change(to: [1, 0, 2, 3])
        try expectAll(scale, finish(clients), [1, 0, 2, 3])
        #expect(try scale.cluster.metric("drover_node_state{pool=\"main\",node=\"n3\",state=\"up\"}") == 1)
        #expect(!scale.drover.log.contains("down"), "\(scale.drover.log)")
    }
}
