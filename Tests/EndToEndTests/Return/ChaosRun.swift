import DroverTesting
import Glibc
import Testing

/// Writers and readers through two proxies while nodes and proxies fail, and a judge of everything they see.
final class ChaosRun: Sendable {
    static let keyCount = 60
    static let writers = 3
    static let readers = 3

    let farm: ChaosFarm
    let version: MemcachedServer.Version
    let seed: UInt64
    let keys: [String]
    private let records: [SharedBox<KeyRecord>]
    private let homes: [[Int]]
    private let isOver = SharedBox(false)
    private let complaints = SharedBox<[String]>([])
    private let events = SharedBox<[String]>([])
    private let reads = SharedBox(0)
    private let writes = SharedBox((acknowledged: 0, unknown: 0))
    private let began = Deadline.now()

    init(_ version: MemcachedServer.Version, hasNetworks: Bool, seed: UInt64) throws {
        (self.version, self.seed) = (version, seed)
        farm = try ChaosFarm(version, hasNetworks: hasNetworks)
        // FNV leaves keys that differ in their last digits only beside each other on the ring.
        let keys = (0..<Self.keyCount).map { "\($0 * 7919)-chaos" }
        self.keys = keys
        let copies = try farm.copies(of: keys)
        homes = keys.map { copies[$0]! }
        records = keys.indices.map { index in
            var record = KeyRecord()
            record.mayMiss = Self.isCounter(index)
            return SharedBox(record)
        }
    }

    /// Counters are changed by incr, the others are set and deleted.
    static func isCounter(_ key: Int) -> Bool { key % 4 == 3 }

    /// With the second of the run, and of the day, as the proxies' logs have it.
    private func note(_ text: String) {
        let time = Deadline.seconds(since: began)
        let clock = Deadline.secondOfDay()
        let day = "\(clock / 3600):\(clock / 60 % 60):\(clock % 60)"
        events.withValue { $0.append("\((time * 1000).rounded() / 1000) (\(day)) \(text)") }
    }

    private func complain(_ text: String) {
        note(text)
        complaints.withValue { $0.append(text) }
        isOver.withValue { $0 = true }
    }

    /// How long a proxy may show what another has superseded; one with one worker, nothing of its own.
    private static func bound(_ writer: Int, _ reader: Int) -> UInt64 {
        // A poll, the limit of its answer, and as much again as a proxy may be held up before its readings are too old.
        writer == reader ? 0 : ChaosFarm.poll + 3 * ChaosFarm.timeout
    }

    // MARK: Clients

    /// A client that connects again when its connection was lost.
    private final class Connection {
        private let run: ChaosRun
        private let proxy: Int
        private var client: RawClient?

        init(_ run: ChaosRun, proxy: Int) { (self.run, self.proxy) = (run, proxy) }

        /// Nil: nobody knows what became of it.
        func ask(_ text: String, through end: String = "\r\n") -> String? {
            do {
                if client == nil { client = try run.farm.client(of: proxy) }
                return try client?.roundTrip(text, through: end)
            } catch {
                client = nil
                _ = Deadline(seconds: 0.02).waits { false }
                return nil
            }
        }

        /// The number in the key's value.
        func read(_ key: String) -> Seen {
            guard let line = ask("mg \(key) v\r\n"), let client else { return .nothing }
            if line == "EN\r\n" { return .miss }
            let words = line.dropLast().split(separator: " ")
            guard words.count == 2, words[0] == "VA", let count = Int(words[1]),
                let body = try? client.read(exactly: count + 2)
            else { return .nothing }
            let text = String(decoding: body.dropLast(2), as: UTF8.self)
            // Counters hold nothing but the number.
            guard let number = text.split(separator: " ").first.flatMap({ Int($0) }) else { return .nothing }
            return .value(number)
        }
    }

    private enum Seen { case nothing, miss, value(Int) }

    private func readSome(_ random: SeededGenerator) {
        var random = random
        let connections = (0..<2).map { Connection(self, proxy: $0) }
        while !isOver.value {
            let key = random.pick(keys.indices)
            let proxy = random.pick(0..<2)
            let start = Deadline.now()
            let seen = connections[proxy].read(keys[key])
            let end = Deadline.now()
            let value: Int?
            switch seen {
            case .nothing: continue
            case .miss: value = nil
            case .value(let number): value = number
            }
            reads.withValue { $0 += 1 }
            let complaint = records[key].withValue {
                $0.complaint(value, proxy: proxy, from: start, to: end, bound: Self.bound)
            }
            if let complaint {
                complain("\(keys[key]) (nodes \(homes[key])), read through proxy \(proxy): \(complaint)")
            }
            _ = Deadline(seconds: 0.0005).waits { false }
        }
    }

    private func writeSome(_ number: Int, _ random: SeededGenerator) {
        var random = random
        let connections = (0..<2).map { Connection(self, proxy: $0) }
        let own = keys.indices.filter { $0 % Self.writers == number }
        // Never the same value twice.
        var next = 1000 * (number + 1)
        while !isOver.value {
            let key = random.pick(own)
            let proxy = random.pick(0..<2)
            next += 10_000
            if Self.isCounter(key) {
                count(key, proxy, connections[proxy], next * 1000)
            } else {
                store(random.once(in: 4) ? nil : next, key, proxy, connections[proxy])
            }
            _ = Deadline(seconds: 0.001).waits { false }
        }
    }

    private func store(_ value: Int?, _ key: Int, _ proxy: Int, _ connection: Connection) {
        records[key].withValue { $0.begin(value, proxy: proxy, at: Deadline.now()) }
        let text: String
        if let value {
            let body = "\(value) \(String(repeating: "v", count: value % 300))"
            text = "set \(keys[key]) 7 1000 \(body.utf8.count)\r\n\(body)\r\n"
        } else {
            text = "delete \(keys[key])\r\n"
        }
        let line = connection.ask(text)
        let isDone = line == "STORED\r\n" || value == nil && (line == "DELETED\r\n" || line == "NOT_FOUND\r\n")
        conclude(key, isDone, line)
    }

    /// Counts on, or begins anew where there is nothing.
    private func count(_ key: Int, _ proxy: Int, _ connection: Connection, _ fresh: Int) {
        let known = records[key].value.operations.last { $0.outcome == .acknowledged }?.value ?? nil
        guard let known, records[key].value.operations.last?.outcome == .acknowledged else {
            records[key].withValue { $0.begin(fresh, proxy: proxy, at: Deadline.now()) }
            let line = connection.ask("set \(keys[key]) 0 0 \("\(fresh)".utf8.count)\r\n\(fresh)\r\n")
            return conclude(key, line == "STORED\r\n", line)
        }
        let start = Deadline.now()
        records[key].withValue { $0.begin(known + 1, proxy: proxy, at: start) }
        let line = connection.ask("incr \(keys[key]) 1\r\n")
        if line == "NOT_FOUND\r\n" {
            // As a delete: it is set anew by the next.
            records[key].withValue { $0.withdraw() }
            records[key].withValue { $0.begin(nil, proxy: proxy, at: Deadline.now()) }
            return conclude(key, false, line)
        }
        if let line, let found = Int(line.dropLast()), !mayCount(to: found, from: known, key, proxy, since: start) {
            complain("\(keys[key]): incr of \(known) through proxy \(proxy) is \(found)")
        }
        conclude(key, line == "\(known + 1)\r\n", line)
    }

    /// Nothing is counted twice. But a proxy that has not heard of a revocation yet counts on from what it would still show.
    private func mayCount(to found: Int, from known: Int, _ key: Int, _ proxy: Int, since start: UInt64) -> Bool {
        guard found <= known else { return found == known + 1 }
        let record = records[key].value
        return record.complaint(found - 1, proxy: proxy, from: start, to: Deadline.now(), bound: Self.bound) == nil
    }

    private func conclude(_ key: Int, _ isDone: Bool, _ line: String?) {
        records[key].withValue { $0.end(isDone ? .acknowledged : .unknown, at: Deadline.now()) }
        writes.withValue { if isDone { $0.acknowledged += 1 } else { $0.unknown += 1 } }
    }

    // MARK: Faults

    /// One node at a time: what its only whole copy loses, no proxy can give back.
    private func fault(_ random: inout SeededGenerator) throws {
        let node = random.pick(0..<3)
        let proxy = random.pick(0..<2)
        guard farm.areOthersWhole(besides: node) else { return }
        switch random.pick(0..<(farm.hasNetworks ? 12 : 8)) {
        case 8...: try cut(node, &random)
        case 0, 1: try kill(node, &random)
        case 2, 3, 4:
            note("freeze node \(node)")
            farm.nodes[node].freeze()
            rest(0.05, 3, &random)
            note("thaw node \(node)")
            farm.nodes[node].thaw()
        case 5:
            note("stop proxy \(proxy)")
            farm.signal(SIGSTOP, proxy: proxy)
            rest(0.1, 3, &random)
            note("continue proxy \(proxy)")
            farm.signal(SIGCONT, proxy: proxy)
        case 6:
            note("kill proxy \(proxy)")
            farm.kill(proxy: proxy)
            rest(0.1, 2, &random)
            try farm.start(proxy: proxy)
            note("proxy \(proxy) is back")
        default:
            let item = random.pick([
                "ready", "filling", "lease", "standing:n\((node + 1) % 3)", "standing:n\((node + 2) % 3)",
            ])
            note("evict \(item) of node \(node)")
            _ = try? farm.nodes[node].client().roundTrip("md __drover:\(item)\r\n")
        }
    }

    /// Only where every other node has all copies: what a node alone has is lost with it, and no fault of ours.
    private func kill(_ node: Int, _ random: inout SeededGenerator) throws {
        guard farm.awaitWhole(seconds: 30) else { return complain("not whole again within 30 s, before a kill") }
        note("kill node \(node)")
        farm.nodes[node].kill()
        rest(0.05, 2, &random)
        try farm.nodes[node].restart()
        note("node \(node) is back")
    }

    /// From one proxy or from both, in one direction or in both.
    private func cut(_ node: Int, _ random: inout SeededGenerator) throws {
        let proxies = random.pick([[0], [1], [0, 1]])
        let direction = random.pick(NodeNetwork.Direction.allCases)
        note("cut node \(node) from proxies \(proxies): \(direction)")
        for proxy in proxies { try farm.cut(node: node, from: proxy, direction) }
        rest(0.05, 3, &random)
        note("heal node \(node)")
        for proxy in proxies { try farm.heal(node: node, for: proxy) }
    }

    private func rest(_ least: Double, _ most: Double, _ random: inout SeededGenerator) {
        let seconds = least + (most - least) * Double(random.next() % 1000) / 1000
        _ = Deadline(seconds: seconds).waits { isOver.value }
    }

    // MARK: The whole

    func run(seconds: Double) throws {
        var random = SeededGenerator(seed: seed)
        #expect(farm.awaitWhole(seconds: 20), "the nodes were not taken as they are")
        let threads =
            (0..<Self.writers).map { number in
                TestThread { self.writeSome(number, SeededGenerator(seed: self.seed &+ 100 &+ UInt64(number))) }
            }
            + (0..<Self.readers).map { number in
                TestThread { self.readSome(SeededGenerator(seed: self.seed &+ 200 &+ UInt64(number))) }
            }
        rest(1, 2, &random)
        let end = Deadline(seconds: seconds)
        while !end.hasPassed, !isOver.value {
            try fault(&random)
            rest(0.1, random.once(in: 3) ? 6 : 2, &random)
        }
        if !isOver.value, !farm.awaitWhole(seconds: 40) { complain("not whole again within 40 s") }
        // A last look with clients at work and nothing wrong.
        rest(1, 1.1, &random)
        isOver.withValue { $0 = true }
        for thread in threads { try thread.join() }
        if complaints.value.isEmpty { try checkEnd() }
        let (read, written) = (reads.value, writes.value)
        let summary = "\(read) reads, \(written.acknowledged) writes acknowledged, \(written.unknown) unknown"
        let faults = farm.hasNetworks ? " and partitions" : ""
        print("chaos\(faults), DROVER_SEED=\(seed): \(summary), \(events.value.count) events")
        #expect(read > 100 && written.acknowledged > 100)
        guard !complaints.value.isEmpty else { return }
        let directory = environment("TMPDIR") ?? "/tmp"
        for (index, proxy) in (0..<2).map({ farm.log(of: $0) }).enumerated() {
            try? writeFile("\(directory)/drover-chaos-\(seed)-\(version)-proxy\(index).log", proxy)
        }
        Issue.record(
            "DROVER_SEED=\(seed): \(complaints.value.joined(separator: "\n"))\n\(events.value.joined(separator: "\n"))")
    }

    /// Every copy on every node: they agree, and are what was written last. P1 to P5.
    private func checkEnd() throws {
        let nodes = try farm.nodes.map { try $0.client() }
        for key in keys.indices {
            var items: [StoredItem?] = []
            let settled = Deadline(seconds: 5)
            repeat {
                items = try homes[key].map { try nodes[$0].stored(keys[key]) }
            } while !agree(items, key) && !settled.hasPassed
            let values = items.map {
                $0.flatMap { Int(String(decoding: $0.value, as: UTF8.self).split(separator: " ")[0]) }
            }
            if !agree(items, key) {
                complain(
                    "P5: the copies of \(keys[key]) on nodes \(homes[key]) are \(items.map { "\($0.map(\.description) ?? "a miss")" })"
                )
            }
            for (place, value) in zip(homes[key], values) where !records[key].value.allowsAtTheEnd(value) {
                complain("P2: \(keys[key]) on node \(place) is \(value.map { "\($0)" } ?? "a miss") at the end")
            }
            for other in farm.nodes.indices where !homes[key].contains(other) {
                if try nodes[other].stored(keys[key]) != nil { complain("\(keys[key]) is on node \(other)") }
            }
        }
    }

    /// One of two may lack what was changed by a command that was a delete there.
    private func agree(_ items: [StoredItem?], _ key: Int) -> Bool {
        guard let one = items[0], let other = items[1] else {
            return items[0] == nil && items[1] == nil || Self.isCounter(key)
        }
        return one.value == other.value && one.flags == other.flags
            && (one.ttl == other.ttl || one.ttl > 0 && other.ttl > 0 && abs(one.ttl - other.ttl) <= 2)
    }
}
