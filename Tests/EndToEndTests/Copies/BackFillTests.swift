import DroverTesting
import Testing

/// `on_miss: next`: what one copy lacks is read from the next and written back.
@Suite(.serialized)
struct BackFillTests {
    private static let settings = [
        CopiesSetting(), CopiesSetting(shape: .standby, version: .debian), CopiesSetting(shape: .threeOfThree),
    ]

    /// What a client asks, and what it must hear of a value `x` with flags 7.
    private static let reads: [@Sendable (String) -> (String, String)] = [
        { ("get \($0)\r\n", "VALUE \($0) 7 1\r\nx\r\nEND\r\n") },
        { ("mg \($0) v f\r\nmn\r\n", "VA 1 f7\r\nx\r\nMN\r\n") },
        { ("mg \($0) k q\r\nmn\r\n", "HD k\($0)\r\nMN\r\n") },
    ]

    /// With its flags and what is left of its time: none, seconds, and more than 30 days, which only a date can say.
    @Test(arguments: Self.settings)
    func aMissIsAnsweredByTheNextCopyAndFilled(setting: CopiesSetting) throws {
        let cluster = try CopiesCluster(setting, pool: ["on_miss: next"])
        let client = try cluster.client(patience: 10)
        let keys = Self.reads.indices.flatMap { read in
            [-1, 1000, 40 * 86400].map { (read, $0, "\((read * 3 + 2) * 7919)-fill-\($0)") }
        }
        let copies = try cluster.copies(of: keys.map(\.2))
        for (read, ttl, key) in keys {
            // Written to the last copy alone, as if the others had lost it.
            let homes = copies[key]!
            let now = try Self.clock(of: cluster.nodes[homes.last!])
            let time = ttl < 0 ? 0 : ttl > 2_592_000 ? now + ttl : ttl
            #expect(
                try cluster.nodes[homes.last!].client().roundTrip("set \(key) 7 \(time) 1\r\nx\r\n") == "STORED\r\n")
            let (request, reply) = Self.reads[read](key)
            let last = String(reply.split(separator: "\r\n").last!) + "\r\n"
            try #require(try client.roundTrip(request, through: last) == reply, "\(key)")
            let primary = try cluster.nodes[homes[0]].client()
            var found: StoredItem?
            // A fill that cannot begin at once, because the key is being checked, is left to the next miss.
            let isFilled = try Deadline(seconds: 5).waits {
                try #require(try client.roundTrip(request, through: last) == reply, "\(key)")
                found = try primary.stored(key)
                return found != nil
            }
            #expect(isFilled, "\(key) is not on its primary")
            guard let found else { continue }
            #expect(found.flags == "7" && found.value == [UInt8(ascii: "x")], "\(key): \(found)")
            #expect(ttl < 0 ? found.ttl == -1 : abs(found.ttl - ttl) <= 2, "\(key): \(found)")
        }
    }

    @Test func withoutItAMissIsAMiss() throws {
        let cluster = try CopiesCluster(CopiesSetting())
        let client = try cluster.client(patience: 10)
        let copies = try cluster.copies(of: ["lonely"])["lonely"]!
        #expect(try cluster.nodes[copies[1]].client().roundTrip("set lonely 0 0 1\r\nx\r\n") == "STORED\r\n")
        #expect(try client.roundTrip("get lonely\r\n", through: "END\r\n") == "END\r\n")
        try cluster.awaitRepairs()
        #expect(try cluster.nodes[copies[0]].client().stored("lonely") == nil)
    }

    /// Readers fill an old value back while a writer replaces or deletes it.
    @Test(.timeLimit(.minutes(20)), arguments: Self.settings)
    func nothingNewerIsOverwritten(setting: CopiesSetting) throws {
        let seed = SeededGenerator.fromEnvironment().seed
        let cluster = try CopiesCluster(setting, pool: ["on_miss: next", "timeout: 20s"])
        let keys = (0..<150).map { "\($0 * 7919)-race" }
        let copies = try cluster.copies(of: keys)
        let last = Dictionary(
            uniqueKeysWithValues: try cluster.nodes.indices.map { ($0, try cluster.nodes[$0].client()) })
        // Only the last copy has each.
        for key in keys {
            #expect(try last[copies[key]!.last!]!.roundTrip("set \(key) 0 0 3\r\nold\r\n") == "STORED\r\n")
        }
        let readers = (0..<4).map { _ in
            TestThread {
                let client = try cluster.client(patience: 10)
                for key in keys {
                    for _ in 0..<3 {
                        let reply = try client.roundTrip("get \(key)\r\n", through: "END\r\n")
                        let expected = ["old", "new"].map { "VALUE \(key) 0 3\r\n\($0)\r\nEND\r\n" } + ["END\r\n"]
                        guard expected.contains(reply) else { throw TestFailure("get: \(reply)") }
                    }
                }
            }
        }
        let writer = TestThread {
            let client = try cluster.client(patience: 10)
            var random = SeededGenerator(seed: seed)
            var isDeleted: [String: Bool] = [:]
            for key in keys {
                let deletes = random.once(in: 2)
                _ = try client.roundTrip(deletes ? "delete \(key)\r\n" : "set \(key) 0 0 3\r\nnew\r\n")
                isDeleted[key] = deletes
            }
            return isDeleted
        }
        for reader in readers { try reader.join() }
        let isDeleted = try writer.join()
        try cluster.awaitRepairs()
        for key in keys {
            for node in copies[key]! {
                let value = try last[node]!.stored(key).map { String(decoding: $0.value, as: UTF8.self) }
                try #require(
                    value == (isDeleted[key]! ? nil : "new"),
                    "DROVER_SEED=\(seed): \(key) on node \(node) is \(value ?? "a miss")")
            }
        }
    }

    /// Unix seconds.
    private static func clock(of node: MemcachedServer) throws -> Int {
        let stats = try node.client().roundTrip("stats\r\n", through: "END\r\n")
        for line in stats.split(separator: "\r\n") where line.hasPrefix("STAT time ") {
            return Int(line.dropFirst("STAT time ".count))!
        }
        throw TestFailure("no time in stats")
    }
}
