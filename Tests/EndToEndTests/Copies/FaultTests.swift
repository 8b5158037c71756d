import DroverTesting
import Testing

/// One node is killed or hangs in the middle of writes: nothing acknowledged is lost, and nothing is done twice.
@Suite(.serialized)
struct CopiesFaultTests {
    /// For the three tests: each shape with each `acks` once at least, and the hybrid with each.
    private static let sets = CopiesSetting.all([0, 2, 4, 8, 9])
    private static let counters = CopiesSetting.all([0, 4, 5, 6, 10])
    private static let appends = CopiesSetting.all([1, 3, 7, 9, 11])

    @Test func eachShapeIsTestedWithEachAcks() {
        let tested = Set((Self.sets + Self.counters + Self.appends).map { "\($0.shape) \($0.acks)" })
        #expect(tested.count == CopiesSetting.all.count)
    }

    // MARK: Sets

    /// What the only writer of a key knows of it.
    struct Written: Sendable {
        var acknowledged = -1
        /// Later than what was acknowledged: it may have been stored or not.
        var unknown: [Int] = []

        mutating func note(_ sequence: Int, _ reply: String) throws {
            if reply == "STORED\r\n" {
                (acknowledged, unknown) = (sequence, [])
            } else if isUnknown(reply) {
                unknown.append(sequence)
            } else {
                throw TestFailure("set: \(reply)")
            }
        }

        func allows(_ sequence: Int) -> Bool { sequence == acknowledged || unknown.contains(sequence) }
    }

    /// P1, and each writer reads what it wrote, whatever happens to the node.
    @Test(.timeLimit(.minutes(20)), arguments: Self.sets, NodeFault.allCases)
    func whatWasAcknowledgedIsReadable(setting: CopiesSetting, fault: NodeFault) throws {
        let keysOf = { @Sendable (client: Int) in (0..<6).map { "\((client * 6 + $0) * 7919)-written" } }
        let run = try FaultRun(setting, fault, keys: (0..<5).flatMap(keysOf))
        let known = try run.underLoad(clients: 5) { client, number, random in
            var random = random
            let keys = keysOf(number)
            var written = Dictionary(uniqueKeysWithValues: keys.map { ($0, Written()) })
            var sequence = 0
            while run.goesOn() {
                let key = random.pick(keys)
                sequence += 1
                let fill = String(repeating: "v", count: random.pick([0, 10, 3000]))
                let value = "\(sequence) \(key)\(fill)"
                try written[key]!.note(
                    sequence, client.roundTrip("set \(key) 3 0 \(value.utf8.count)\r\n\(value)\r\n"))
                let other = random.pick(keys)
                if let found = try Self.sequence(of: other, client), !written[other]!.allows(found) {
                    throw TestFailure("\(other) reads \(found), known is \(written[other]!)")
                }
                // Enough is written in that time without taking the nodes' processors.
                _ = Deadline(seconds: 0.001).waits { false }
            }
            return written
        }
        let written = known.reduce(into: [:]) { $0.merge($1) { $1 } }
        let client = try run.cluster.client()
        try run.cluster.awaitRepairs()
        let survivors = try run.survivors()
        for (key, known) in written where known.acknowledged >= 0 {
            let read = try Self.sequence(of: key, client) ?? -1
            try #require(known.allows(read), "\(run.label): \(key) reads \(read), known is \(known)")
            for node in run.copies[key]! where node != run.victim {
                let held = try Self.sequence(of: key, survivors[node]!) ?? -1
                try #require(held == read, "\(run.label): \(key) on node \(node) is \(held), and reads \(read)")
            }
        }
        #expect(written.values.contains { $0.acknowledged > 0 }, run.label)
        try run.expectAgreementAfterReturn(of: Array(written.keys))
    }

    /// The number that stands in the value; nil for a miss. An error is one, and so is another key's value.
    private static func sequence(of key: String, _ client: RawClient) throws -> Int? {
        let line = try client.roundTrip("get \(key)\r\n")
        if line == "END\r\n" { return -1 }
        if isUnknown(line) { return nil }
        let words = line.dropLast().split(separator: " ")
        guard words.count == 4, words[0] == "VALUE", words[1] == key, words[2] == "3", let count = Int(words[3]) else {
            throw TestFailure("get \(key): \(line)")
        }
        let value = String(decoding: try client.read(exactly: count + 7).prefix(count), as: UTF8.self)
        let parts = value.split(separator: " ")
        guard parts.count == 2, parts[1].hasPrefix(key), let sequence = Int(parts[0]) else {
            throw TestFailure("get \(key): \(value.prefix(100))")
        }
        return sequence
    }

    // MARK: Counters

    struct Counted: Sendable {
        /// By key: the numbers that were answered, and how many answers were errors.
        var answers: [String: [UInt64]] = [:]
        var unknown: [String: Int] = [:]
    }

    /// Several clients write each key, through both workers.
    @Test(.timeLimit(.minutes(20)), arguments: Self.counters, NodeFault.allCases)
    func noCounterIsAppliedTwice(setting: CopiesSetting, fault: NodeFault) throws {
        let keys = (0..<4).map { "\($0 * 7919)-counter" }
        let run = try FaultRun(setting, fault, keys: keys)
        let first = try run.cluster.client()
        for key in keys { #expect(try first.roundTrip("set \(key) 0 0 7\r\n1000000\r\n") == "STORED\r\n") }
        let known = try run.underLoad(clients: 4) { client, _, random in
            var random = random
            var counted = Counted()
            while run.goesOn() {
                let key = random.pick(keys)
                let isMeta = random.once(in: 2)
                var line = try client.roundTrip(isMeta ? "ma \(key) v\r\n" : "incr \(key) 1\r\n")
                if isMeta && line.hasPrefix("VA ") { line = try client.readLine() }
                if isUnknown(line) {
                    counted.unknown[key, default: 0] += 1
                } else if let number = UInt64(line.dropLast()) {
                    counted.answers[key, default: []].append(number)
                } else {
                    throw TestFailure("incr \(key): \(line)")
                }
            }
            return counted
        }
        try run.cluster.awaitRepairs()
        let survivors = try run.survivors()
        for key in keys {
            let answers = known.flatMap { $0.answers[key] ?? [] }
            let unknown = known.reduce(0) { $0 + ($1.unknown[key] ?? 0) }
            #expect(!answers.isEmpty, run.label)
            // With acks one, the other copy may not have what only the lost one has answered when it is asked next. It
            // gets it a moment later, so that nothing is missing in the end.
            if setting.acks != "one" {
                #expect(Set(answers).count == answers.count, "\(run.label): \(key) answered twice alike")
            }
            let allowed = UInt64(1_000_000 + answers.count)...UInt64(1_000_000 + answers.count + unknown)
            for node in run.copies[key]! where node != run.victim {
                let item = try survivors[node]!.stored(key)
                let value = item.flatMap { UInt64(String(decoding: $0.value, as: UTF8.self)) } ?? 0
                #expect(allowed.contains(value), "\(run.label): \(key) on node \(node) is \(value), not in \(allowed)")
            }
            let read = try run.cluster.client().roundTrip("incr \(key) 0\r\n")
            #expect(UInt64(read.dropLast()).map(allowed.contains) == true, "\(run.label): \(key) reads \(read)")
        }
        try run.expectAgreementAfterReturn(of: keys)
    }

    // MARK: Appends

    @Test(.timeLimit(.minutes(20)), arguments: Self.appends, NodeFault.allCases)
    func noAppendIsDoubled(setting: CopiesSetting, fault: NodeFault) throws {
        let keys = (0..<12).map { "\($0 * 7919)-list" }
        let run = try FaultRun(setting, fault, keys: keys)
        let first = try run.cluster.client()
        for key in keys { #expect(try first.roundTrip("set \(key) 0 0 1\r\n;\r\n") == "STORED\r\n") }
        // By key: the tokens that were acknowledged, and all.
        let known = try run.underLoad(clients: 6) { client, number, random in
            var random = random
            var acknowledged: [String: [String]] = [:]
            var sequence = 0
            while run.goesOn() {
                let key = random.pick(keys)
                sequence += 1
                let token = "\(number)-\(sequence);"
                let reply =
                    switch random.pick(0..<3) {
                    case 0: try client.roundTrip("append \(key) 0 0 \(token.utf8.count)\r\n\(token)\r\n")
                    case 1: try client.roundTrip("ms \(key) \(token.utf8.count) MA\r\n\(token)\r\n")
                    default: try client.roundTrip("prepend \(key) 0 0 \(token.utf8.count)\r\n\(token)\r\n")
                    }
                if reply == "STORED\r\n" || reply == "HD\r\n" {
                    acknowledged[key, default: []].append(token)
                } else if !isUnknown(reply) {
                    throw TestFailure("append \(key): \(reply)")
                }
                // Values grow, and each append copies all of one.
                _ = Deadline(seconds: 0.001).waits { false }
            }
            return acknowledged
        }
        try run.cluster.awaitRepairs()
        let survivors = try run.survivors()
        for key in keys {
            for node in run.copies[key]! where node != run.victim {
                let value = try survivors[node]!.stored(key)?.value ?? []
                let tokens = String(decoding: value, as: UTF8.self).split(separator: ";")
                let times = Dictionary(grouping: tokens) { $0 }.mapValues(\.count)
                let doubled = times.filter { $0.value > 1 }
                #expect(doubled.isEmpty, "\(run.label): \(key) on node \(node) has twice \(doubled.keys.sorted())")
                let lost = known.flatMap { $0[key] ?? [] }.filter { times[$0.dropLast()] == nil }
                #expect(lost.isEmpty, "\(run.label): \(key) on node \(node) lacks \(lost)")
            }
        }
        #expect(known.contains { !$0.isEmpty }, run.label)
        try run.expectAgreementAfterReturn(of: keys)
    }
}
