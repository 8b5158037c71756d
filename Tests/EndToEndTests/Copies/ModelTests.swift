import DroverTesting
import Testing

/// P5: copies agree once the clients of a proxy have stopped, whatever they did at the same time.
@Suite(.serialized)
struct ModelTests {
    /// DROVER_ROUNDS asks for longer runs.
    private let commands = 600 * (environment("DROVER_ROUNDS").flatMap(Int.init) ?? 1)

    @Test(.timeLimit(.minutes(20)), arguments: CopiesSetting.all, [1, 2])
    func copiesAgreeWhenTheClientsHaveStopped(setting: CopiesSetting, workers: Int) throws {
        var setting = setting
        setting.workers = workers
        let seed = SeededGenerator.fromEnvironment().seed
        let cluster = try CopiesCluster(setting, pool: ["timeout: 20s"])
        let commands = commands
        let clients = (0..<12).map { number in
            TestThread {
                let random = SeededGenerator(seed: seed &+ UInt64(number))
                let client = ModelClient(try cluster.client(), ModelGenerator(random: random, client: number))
                try client.play(commands: commands)
            }
        }
        for client in clients {
            #expect(throws: Never.self, "DROVER_SEED=\(seed)") { try client.join() }
        }
        #expect(cluster.cluster.drover.isRunning)
        try cluster.awaitRepairs()
        let differing = try cluster.disagreements(on: ModelKey.all.map(\.name))
        #expect(differing == [], "DROVER_SEED=\(seed): \(differing.count) keys\n\(differing.joined(separator: "\n"))")
    }

    /// Else the test above could not fail.
    @Test func copiesThatDifferAreSeen() throws {
        let cluster = try CopiesCluster(CopiesSetting())
        let client = try cluster.client()
        let keys = (0..<5).map { "seen\($0)" }
        for key in keys { #expect(try client.roundTrip("set \(key) 5 100 1\r\nx\r\n") == "STORED\r\n") }
        try cluster.awaitRepairs()
        #expect(try cluster.disagreements(on: keys) == [])
        let copies = try cluster.copies(of: keys)
        let other = copies[keys[4]].map { copies in cluster.nodes.indices.first { !copies.contains($0) }! }!
        let changes = [
            (copies[keys[0]]![1], "set \(keys[0]) 5 100 1\r\ny\r\n"), (copies[keys[1]]![1], "delete \(keys[1])\r\n"),
            (copies[keys[2]]![0], "set \(keys[2]) 6 100 1\r\nx\r\n"), (copies[keys[3]]![0], "touch \(keys[3]) 103\r\n"),
            (other, "set \(keys[4]) 5 100 1\r\nx\r\n"),
        ]
        for (node, change) in changes { _ = try cluster.nodes[node].client().roundTrip(change) }
        let differing = try cluster.disagreements(on: keys)
        #expect(differing.count == keys.count, "\(differing)")
    }
}
