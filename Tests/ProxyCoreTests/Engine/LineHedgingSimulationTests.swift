import Bytes
import DroverTesting
import Telemetry
import Testing

@testable import ProxyCore

/// Gets of several keys that are hedged, between clients and nodes that hang, are cut off, and lose keys.
struct LineHedgingSimulationTests {
    private let rounds = max(1, (environment("DROVER_ROUNDS").flatMap(Int.init) ?? 2000) / 100)

    /// What befalls the nodes.
    enum Script: CaseIterable {
        /// They hang, for less than their time.
        case hang
        /// And lose keys.
        case forget
        /// And their connections break, their time runs out, and they are taken for dead.
        case fail
    }

    /// One reply a get, in order, its keys in their order, and each with its own value; none missing but what was lost.
    @Test(.timeLimit(.minutes(20)), arguments: CopiesShape.allCases, Script.allCases)
    func everyReply(shape: CopiesShape, script: Script) {
        var generator = SeededGenerator.fromEnvironment()
        var counts = CopyStats()
        for round in 0..<rounds {
            // Once this one: a key that a line had left out was asked for behind a large value that waited for it.
            let seed = round == 0 ? generator.seed : round == 1 ? 5_042_158_789_607_087_491 : generator.next()
            var run = HedgedRun(shape, script, onMiss: seed % 2 == 0 ? .miss : .next, seed: seed)
            for _ in 0..<100 { run.step() }
            run.end()
            counts.merge(run.world.engine.poolStats[0].copies)
        }
        guard rounds >= 20 else { return }
        #expect(counts.hedgesWon > 0 && counts.hedgesWon < counts.hedges, "\(counts.hedgesWon) of \(counts.hedges)")
    }
}

private struct HedgedRun {
    private struct Reader {
        var id: UInt32
        var asked: [[String]] = []
        var received: [UInt8] = []
    }

    let world: World
    private let script: LineHedgingSimulationTests.Script
    private let values: [String: String]
    private var random: SeededGenerator
    private var readers: [Reader]
    /// Keys that may be missing.
    private var lost: Set<String> = []
    private let label: Comment

    init(
        _ shape: CopiesShape, _ script: LineHedgingSimulationTests.Script, onMiss: PoolSettings.OnMiss, seed: UInt64
    ) {
        self.script = script
        label = "DROVER_SEED=\(seed), \(script), on_miss \(onMiss)"
        random = SeededGenerator(seed: seed)
        world = World(shape, acks: .all, read: .fastest, onMiss: onMiss, checks: 0, seed: seed)
        let first = world.connect()
        var values: [String: String] = [:]
        for number in 0..<40 {
            let length = random.once(in: 60) ? 300_000 : random.pick([1, 8, 40, 40, 2000])
            let value = String("\(number)." + String(repeating: "v", count: length))
            values["\(number * 7919)-line"] = value
            world.send("set \(number * 7919)-line 7 0 \(value.utf8.count)\r\n\(value)\r\n", from: first)
        }
        self.values = values
        world.settle()
        #expect(world.take(first) == String(repeating: "STORED\r\n", count: 40), label)
        world.close(client: first)
        readers = (0..<3).map { [world] _ in Reader(id: world.connect()) }
    }

    mutating func step() {
        let index = random.pick(readers.indices)
        let keys = values.keys.sorted().shuffled(using: &random).prefix(random.pick([1, 2, 5, 20]))
        world.send("get \(keys.joined(separator: " "))\r\n", from: readers[index].id)
        readers[index].asked.append(Array(keys))
        for _ in 0..<random.pick(0..<12) { world.turn() }
        strike()
        if random.once(in: 30) { world.close(client: readers[index].id) }
        // Who goes, or is closed in the middle of a value, comes back as another.
        let gone = readers.indices.filter { !world.isOpen(readers[$0].id) }
        for index in gone { check(&readers[index]) }
        for index in gone { readers[index] = Reader(id: world.connect()) }
    }

    private mutating func strike() {
        let node = random.pick(world.nodes.indices)
        switch (random.pick(0..<16), script) {
        case (0...3, _): world.nodes[node].isFrozen.toggle()
        case (4...6, _): thaw()
        case (7...9, _): world.now += 12_000_000
        case (10...11, .forget), (10...11, .fail):
            for key in values.keys.sorted() where random.once(in: 4) {
                world.nodes[node].items[key] = nil
                lost.insert(key)
            }
        case (12, .fail): world.breakLinks(to: node, landing: random.once(in: 2))
        case (13, .fail): world.judge(node: node, isUp: random.once(in: 2))
        case (14, .fail): world.refusing = random.once(in: 2) ? [node] : []
        case (15, .fail): world.now += random.pick([60_000_000, 250_000_000])
        default: break
        }
    }

    private func thaw() { for index in world.nodes.indices { world.nodes[index].isFrozen = false } }

    mutating func end() {
        world.refusing = []
        thaw()
        for node in world.nodes.indices { world.judge(node: node, isUp: true) }
        world.settle()
        for index in readers.indices {
            check(&readers[index])
            #expect(!world.isOpen(readers[index].id) || readers[index].asked.isEmpty, label)
        }
        world.expectRest()
        #expect(world.engine.lineHedges.count == 0, label)
    }

    /// Takes off what was answered. Of a reader who was closed the last answer may be cut off.
    private func check(_ reader: inout Reader) {
        reader.received += Array(world.take(reader.id).utf8)
        var replies = ReceivedBytes(reader.received)
        do {
            for keys in reader.asked {
                try check(keys, &replies)
                reader.asked.removeFirst()
            }
            #expect(replies.left.isEmpty, "\(label): nobody asked for \(quoted(replies.left))")
        } catch {
            if world.isOpen(reader.id) { Issue.record("\(label): client \(reader.id): \(error)") }
        }
    }

    private func check(_ keys: [String], _ replies: inout ReceivedBytes) throws {
        var left = keys[...]
        while true {
            let line = try replies.readLine()
            if keys.count == 1, line.hasPrefix("SERVER_ERROR node ") { return }
            let isEnd = line == "END\r\n"
            while let key = left.first, isEnd || !line.hasPrefix("VALUE \(key) 7 ") {
                guard script == .fail || lost.contains(key) else { throw TestFailure("\(key) is missing") }
                left.removeFirst()
            }
            if isEnd { return }
            guard let key = left.popFirst() else { throw TestFailure("unexpected \(line)") }
            let value = values[key]!
            guard line == "VALUE \(key) 7 \(value.utf8.count)\r\n",
                try replies.read(exactly: value.utf8.count + 2) == Array("\(value)\r\n".utf8)
            else { throw TestFailure("\(key) has another's value") }
        }
    }
}
