import DroverTesting
import Testing

/// The model test's own ground: without it, what it finds would say nothing about Drover.
struct ModelClientTests {
    private let seed = SeededGenerator.fromEnvironment().seed

    /// Two memcacheds that hear the same end up the same.
    @Test(arguments: [MemcachedServer.Version.debian, .newer])
    func memcachedsAnswerAsTheModelExpects(version: MemcachedServer.Version) throws {
        let servers = [try MemcachedServer(version), try MemcachedServer(version)]
        for server in servers {
            let client = ModelClient(
                try server.client(), ModelGenerator(random: SeededGenerator(seed: seed), client: 1))
            #expect(throws: Never.self, "DROVER_SEED=\(seed)") { try client.play(commands: 3000) }
        }
        let clients = try servers.map { try $0.client() }
        var held = 0
        for key in ModelKey.all {
            let items = try clients.map { try $0.stored(key.name) }
            // One heard it a moment after the other.
            let agree = items[0]?.value == items[1]?.value && items[0]?.flags == items[1]?.flags
            #expect(agree, "DROVER_SEED=\(seed): \(key.name): \(items)")
            if items[0] != nil { held += 1 }
        }
        #expect(held > 3, "DROVER_SEED=\(seed)")
    }

    @Test(arguments: [MemcachedServer.Version.debian, .newer])
    func manyClientsOfOneMemcachedHearWhatTheModelExpects(version: MemcachedServer.Version) throws {
        let server = try MemcachedServer(version)
        let seed = seed
        let clients = (0..<12).map { number in
            TestThread {
                let random = SeededGenerator(seed: seed &+ UInt64(number))
                let client = ModelClient(try server.client(), ModelGenerator(random: random, client: number))
                try client.play(commands: 300)
            }
        }
        for client in clients { #expect(throws: Never.self, "DROVER_SEED=\(seed)") { try client.join() } }
    }
}
