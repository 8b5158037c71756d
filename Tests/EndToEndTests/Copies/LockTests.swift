import DroverTesting
import Testing

/// `add` as a lock, which breaks where a proxy answers one by a copy that did not hear of another.
@Suite(.serialized)
struct CopiesLockTests {
    /// Who holds each lock.
    private final class Holders: Sendable {
        private let box = SharedBox<[String: String]>([:])

        /// It was stored: nobody else may hold it.
        func take(_ key: String, _ token: String) throws {
            let other = box.withValue { holders -> String? in
                if let other = holders[key] { return other }
                holders[key] = token
                return nil
            }
            if let other { throw TestFailure("\(token) was stored under \(key), which \(other) holds") }
        }

        func leave(_ key: String) { box.withValue { $0[key] = nil } }
    }

    /// A delete and an add of two workers must not reach the other copy the other way round: when the primary dies before
    /// that is repaired, the lock is gone. With `acks: one` that is promised only as long as the primary lives: what it
    /// alone has answered, another copy does not know for a moment.
    @Test(
        .timeLimit(.minutes(20)),
        arguments: [
            CopiesSetting(), CopiesSetting(shape: .standby, version: .debian), CopiesSetting(workers: 1),
            CopiesSetting(shape: .threeOfThree, acks: "quorum"), CopiesSetting(shape: .hybrid, version: .debian),
            CopiesSetting(shape: .hybrid, acks: "one"),
        ], NodeFault.allCases)
    func noTwoAddsOfAKeyAreStored(setting: CopiesSetting, fault: NodeFault) throws {
        let isOne = setting.acks == "one"
        let run = try FaultRun(
            setting, fault, keys: (0..<(isOne ? 8 : 4)).map { "\($0 * 7919)-lock" }, sparesPrimaries: isOne)
        let keys = run.keys
        let holders = Holders()
        let taken = try run.underLoad(clients: 5) { client, number, random in
            var random = random
            var taken = 0
            while run.goesOn() {
                let key = random.pick(keys)
                let token = "\(number)-\(taken)-\(random.pick(0..<1_000_000))"
                guard try Self.add(key, token, random.once(in: 2), client) else { continue }
                try holders.take(key, token)
                taken += 1
                if random.once(in: 2) { _ = try client.roundTrip("mn\r\n") }
                holders.leave(key)
                try Self.release(key, token, client)
            }
            return taken
        }
        #expect(taken.reduce(0, +) > 10, run.label)
        try run.cluster.awaitRepairs()
        try run.expectAgreementAfterReturn(of: keys)
    }

    /// The primary has had a delete and then an add of another worker, and dies; the other copy reads the add first. A third
    /// add was stored beside the second.
    @Test(.timeLimit(.minutes(5))) func twoAddsOfAKeyAreNotBothStoredWhenThePrimaryDies() throws {
        let cluster = try CopiesCluster(CopiesSetting(), pool: ["timeout: 10s", "checks: off"])
        let copies = try cluster.copies(of: (0..<400).map { "\($0 * 7919)-lock" })
        let keys = Array(copies.filter { $0.value == [0, 1] }.keys.sorted().prefix(33))
        try #require(keys.count == 33)
        let (locks, filler) = (keys.dropLast(), keys[32])
        let first = try cluster.client()
        let others = try (0..<8).map { _ in try cluster.client() }
        for key in locks { #expect(try Self.ask("add", key, first) == "STORED\r\n") }
        cluster.nodes[1].freeze()
        // The deletes stand behind these on the connection to the other copy.
        let block = String(repeating: "v", count: 200_000)
        for _ in 0..<100 { try first.send("set \(filler) 0 0 \(block.utf8.count) noreply\r\n\(block)\r\n") }
        for key in locks { try first.send("delete \(key)\r\n") }
        let primary = try cluster.nodes[0].client()
        let isDeleted = try Deadline(seconds: 8).waits { try locks.allSatisfy { try primary.stored($0) == nil } }
        try #require(isDeleted)
        for (index, key) in locks.enumerated() { try others[index % 8].send("add \(key) 0 0 1\r\n2\r\n") }
        // Those that do not wait for another worker's delete are there at once; that would be all of them.
        _ = try Deadline(seconds: 0.5).waits { try locks.allSatisfy { try primary.stored($0) != nil } }
        cluster.nodes[0].kill()
        cluster.nodes[1].thaw()
        for key in locks { #expect(try first.readLine() == "DELETED\r\n", "\(key)") }
        var stored: [String] = []
        for (index, key) in locks.enumerated() {
            let reply = try others[index % 8].readLine()
            if reply == "STORED\r\n" { stored.append(key) } else { #expect(isUnknown(reply), "\(reply)") }
        }
        #expect(stored.count > 8, "\(stored)")
        for key in stored { #expect(try Self.ask("add", key, first) == "NOT_STORED\r\n", "\(key)") }
    }

    private static func ask(_ verb: String, _ key: String, _ client: RawClient) throws -> String {
        try client.roundTrip("\(verb) \(key) 0 0 1\r\n1\r\n")
    }

    /// Whether the token is stored. After an error the value tells: only its owner deletes it.
    private static func add(_ key: String, _ token: String, _ isMeta: Bool, _ client: RawClient) throws -> Bool {
        let body = "\(token.utf8.count)"
        let reply = try client.roundTrip(
            isMeta ? "ms \(key) \(body) ME\r\n\(token)\r\n" : "add \(key) 0 0 \(body)\r\n\(token)\r\n")
        switch reply {
        case "STORED\r\n", "HD\r\n": return true
        case "NOT_STORED\r\n", "NS\r\n": return false
        default:
            guard isUnknown(reply) else { throw TestFailure("add: \(reply)") }
            return try holds(key, token, client)
        }
    }

    private static func release(_ key: String, _ token: String, _ client: RawClient) throws {
        let deadline = Deadline(seconds: 3)
        repeat {
            let reply = try client.roundTrip("delete \(key)\r\n")
            if reply == "DELETED\r\n" { return }
            guard isUnknown(reply) else { throw TestFailure("delete of \(token): \(reply)") }
        } while try !deadline.hasPassed && holds(key, token, client)
    }

    /// Asks until it is told.
    private static func holds(_ key: String, _ token: String, _ client: RawClient) throws -> Bool {
        let deadline = Deadline(seconds: 3)
        while !deadline.hasPassed {
            let line = try client.roundTrip("get \(key)\r\n")
            if line == "END\r\n" { return false }
            if isUnknown(line) { continue }
            let value = try client.readLine()
            guard line.hasPrefix("VALUE \(key) 0 "), try client.readLine() == "END\r\n" else {
                throw TestFailure("get: \(line)")
            }
            return value == token + "\r\n"
        }
        throw TestFailure("\(key) cannot be read for 3 s")
    }
}
