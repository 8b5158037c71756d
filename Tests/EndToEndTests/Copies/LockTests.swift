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
    /// that is repaired, the lock is gone.
    @Test(
        .timeLimit(.minutes(20)),
        arguments: [
            CopiesSetting(), CopiesSetting(shape: .standby, version: .debian), CopiesSetting(workers: 1),
            CopiesSetting(shape: .threeOfThree, acks: "quorum"),
        ], NodeFault.allCases)
    func noTwoAddsOfAKeyAreStored(setting: CopiesSetting, fault: NodeFault) throws {
        let keys = (0..<4).map { "\($0 * 7919)-lock" }
        let run = try FaultRun(setting, fault, keys: keys)
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
