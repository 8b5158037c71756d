import Bytes
import DroverTesting
import Telemetry
import Testing

@testable import ProxyCore

/// The engine with copies, between clients and nodes that are slow, cut off, and judged at any moment.
struct CopiesSimulationTests {
    /// Each is as long as a hundred elsewhere.
    private let rounds = max(1, (environment("DROVER_ROUNDS").flatMap(Int.init) ?? 2000) / 100)

    private static let keys = ModelKey.all.map(\.name)

    /// P5, whatever order the nodes hear of it in.
    @Test(.timeLimit(.minutes(20)), arguments: CopiesShape.allCases, PoolSettings.Acks.allCases)
    func copiesAgreeAtRest(shape: CopiesShape, acks: PoolSettings.Acks) {
        var generator = SeededGenerator.fromEnvironment()
        for round in 0..<rounds {
            let seed = round == 0 ? generator.seed : generator.next()
            let world = World(shape, acks: acks, read: round % 2 == 0 ? .primary : .spread, seed: seed)
            var clients = (0..<6).map { SimulatedClient(world, number: $0, seed: seed, marksSilence: false) }
            for _ in 0..<12 {
                for index in clients.indices { clients[index].say(generator.pick(0..<4), to: world) }
                for _ in 0..<generator.pick(0..<6) { world.turn() }
            }
            for index in clients.indices { clients[index].finish(world) }
            world.settle()
            let label: Comment = "DROVER_SEED=\(seed)"
            for index in clients.indices { clients[index].checkReplies(world, errors: false, label) }
            let differing = world.disagreements(on: Self.keys)
            #expect(differing.isEmpty, "\(label): \(differing.joined(separator: "\n"))")
            world.expectRest()
            guard differing.isEmpty else { return }
        }
    }

    /// One reply a request, in order, to the right client, and nothing left behind.
    @Test(.timeLimit(.minutes(20)), arguments: CopiesShape.allCases, PoolSettings.Acks.allCases)
    func everyReplyUnderFaults(shape: CopiesShape, acks: PoolSettings.Acks) {
        var generator = SeededGenerator.fromEnvironment()
        for round in 0..<rounds {
            let seed = round == 0 ? generator.seed : generator.next()
            let reads = PoolSettings.Read.allCases
            let world = World(
                shape, acks: acks, read: reads[round % reads.count], onMiss: round % 3 == 0 ? .miss : .next, seed: seed)
            let keepsMarkers = round % 2 == 1
            if keepsMarkers { Self.mark(world) }
            var clients = (0..<5).map { SimulatedClient(world, number: $0, seed: seed, marksSilence: true) }
            var faults = SeededGenerator(seed: seed)
            for step in 0..<80 {
                let index = faults.pick(clients.indices)
                clients[index].say(faults.pick(1..<4), to: world)
                for _ in 0..<faults.pick(0..<4) { world.turn() }
                Self.fault(&faults, world, keepsMarkers)
                // Who is closed in the middle of a value comes back as another.
                if !world.isOpen(clients[index].id) {
                    clients[index].checkReplies(world, errors: true, "DROVER_SEED=\(seed)")
                    clients[index] = SimulatedClient(world, number: 5 + step, seed: seed, marksSilence: true)
                }
            }
            world.refusing = []
            for node in world.nodes.indices {
                world.nodes[node].isFrozen = false
                if !keepsMarkers { world.judge(node: node, isUp: true) }
            }
            if keepsMarkers {
                world.answersMisses = true
                Self.mark(world)
            }
            for index in clients.indices { clients[index].finish(world) }
            world.settle()
            for index in clients.indices { clients[index].checkReplies(world, errors: true, "DROVER_SEED=\(seed)") }
            world.expectRest()
        }
    }

    /// The same where nodes are only slow, and lose keys: reads are doubled, and what is missed is written back.
    @Test(.timeLimit(.minutes(20)), arguments: CopiesShape.allCases)
    func everyReplyOfSlowNodes(shape: CopiesShape) {
        var generator = SeededGenerator.fromEnvironment()
        var (hedges, fills) = (UInt64(0), UInt64(0))
        for round in 0..<rounds {
            let seed = round == 0 ? generator.seed : generator.next()
            let world = World(shape, acks: .all, read: .fastest, onMiss: .next, checks: 0, seed: seed)
            var clients = (0..<3).map { SimulatedClient(world, number: $0, seed: seed, marksSilence: true) }
            var random = SeededGenerator(seed: seed)
            for _ in 0..<150 {
                clients[random.pick(clients.indices)].say(2, to: world)
                for _ in 0..<random.pick(0..<12) { world.turn() }
                let node = random.pick(world.nodes.indices)
                switch random.pick(0..<6) {
                case 0: for key in Self.keys where random.once(in: 2) { world.nodes[node].items[key] = nil }
                case 1: world.nodes[node].isFrozen.toggle()
                case 2, 3: world.now += 12_000_000
                default: for index in world.nodes.indices { world.nodes[index].isFrozen = false }
                }
            }
            for index in world.nodes.indices { world.nodes[index].isFrozen = false }
            for index in clients.indices { clients[index].finish(world) }
            world.settle()
            for index in clients.indices { clients[index].checkReplies(world, errors: true, "DROVER_SEED=\(seed)") }
            world.expectRest()
            hedges += world.engine.poolStats[0].copies.hedges
            fills += world.engine.poolStats[0].copies.backFills
        }
        if rounds >= 10 { #expect(hedges > 0 && fills > 0, "\(hedges) hedges, \(fills) copies filled") }
    }

    /// All nodes are full.
    private static func mark(_ world: World) {
        for node in world.nodes.indices {
            let token = MarkerText.token(Token(UInt64(node + 1))!)
            world.nodes[node].items["__drover:ready"] = FakeNode.Item(flags: "0", data: token)
        }
        world.now += 1
        world.proveAll(tokens: true)
        world.engine.trust(pool: 0, until: .max)
    }

    /// Whatever a control thread may say, at any time, right or wrong.
    private static func say(_ random: inout SeededGenerator, _ world: World, of node: Int) {
        switch random.pick(0..<6) {
        case 0: world.answersMisses.toggle()
        case 1: world.publish(isKept: random.once(in: 2))
        case 2: world.engine.trust(pool: 0, until: world.now + UInt64(random.pick(0..<40_000_000)))
        case 3: world.nodes[node].items["__drover:ready"] = nil
        case 4: mark(world)
        default:
            let access = random.pick([NodeAccess.none, .syncing, .full])
            let verdict = NodeVerdict(
                access, provenAt: world.now + UInt64(random.pick(0..<2)), isCovered: random.once(in: 2),
                token: access == .full ? UInt64(node + 1) : 0)
            world.judge(node: node, verdict)
        }
    }

    private static func fault(_ random: inout SeededGenerator, _ world: World, _ keepsMarkers: Bool) {
        let node = random.pick(world.nodes.indices)
        switch random.pick(0..<20) {
        case 7...8 where keepsMarkers, 15...17 where keepsMarkers: say(&random, world, of: node)
        case 0...1: world.breakLinks(to: node)
        case 2: world.breakLinks(to: node, landing: true)
        case 3: world.refusing = random.once(in: 2) ? [node] : []
        case 4: world.nodes[node].isFrozen = true
        case 5...6: for index in world.nodes.indices { world.nodes[index].isFrozen = false }
        case 7...8: world.judge(node: node, isUp: random.once(in: 2))
        case 9: world.now += 250_000_000
        case 12...14: world.now += 15_000_000
        case 10...11: for key in keys where random.once(in: 2) { world.nodes[node].items[key] = nil }
        default: break
        }
    }

    // MARK: One node's connections break

    /// Each acknowledged incr and append once, each other at most once, on every copy.
    @Test(.timeLimit(.minutes(20)), arguments: CopiesShape.allCases, PoolSettings.Acks.allCases)
    func nothingIsDoneTwice(shape: CopiesShape, acks: PoolSettings.Acks) throws {
        var generator = SeededGenerator.fromEnvironment()
        for round in 0..<rounds {
            let seed = round == 0 ? generator.seed : generator.next()
            var random = SeededGenerator(seed: seed)
            let world = World(shape, acks: acks, seed: seed)
            let keys = (0..<5).map { "once\($0 * 7919)" }
            let first = world.connect()
            for key in keys {
                world.send("set \(key)n 0 0 4\r\n1000\r\nset \(key)s 0 0 1\r\n;\r\n", from: first)
            }
            world.settle()
            let victim = random.pick(world.nodes.indices)
            let clients = (0..<5).map { _ in world.connect() }
            var asked: [UInt32: [(key: String, token: String?)]] = [:]
            for step in 0..<150 {
                let client = random.pick(clients)
                let key = random.pick(keys)
                if random.once(in: 2) {
                    world.send("incr \(key)n 1\r\n", from: client)
                    asked[client, default: []].append(("\(key)n", nil))
                } else {
                    let token = "t\(step);"
                    let verb = random.pick(["append", "prepend"])
                    world.send("\(verb) \(key)s 0 0 \(token.utf8.count)\r\n\(token)\r\n", from: client)
                    asked[client, default: []].append(("\(key)s", token))
                }
                for _ in 0..<random.pick(0..<4) { world.turn() }
                if random.once(in: 8) { world.breakLinks(to: victim, landing: random.once(in: 2)) }
            }
            world.settle()
            try Self.checkOnce(world, asked, "DROVER_SEED=\(seed), node \(victim)")
            let differing = world.disagreements(on: keys.flatMap { ["\($0)n", "\($0)s"] })
            #expect(differing.isEmpty, "DROVER_SEED=\(seed): \(differing.joined(separator: "\n"))")
            world.expectRest()
        }
    }

    private static func checkOnce(
        _ world: World, _ asked: [UInt32: [(key: String, token: String?)]], _ label: Comment
    ) throws {
        var (counted, uncertain) = ([String: Int](), [String: Int]())
        var (stored, sent) = ([String: [String]](), [String: Set<String>]())
        for (client, requests) in asked {
            var replies = ReceivedBytes(Array(world.take(client).utf8))
            for (key, token) in requests {
                let line = try replies.readLine()
                if let token {
                    sent[key, default: []].insert(token)
                    if line == "STORED\r\n" { stored[key, default: []].append(token) }
                } else if UInt64(line.dropLast()) != nil {
                    counted[key, default: 0] += 1
                } else {
                    uncertain[key, default: 0] += 1
                }
                let isRight = line == "STORED\r\n" || UInt64(line.dropLast()) != nil || line.hasPrefix("SERVER_ERROR ")
                #expect(isRight, "\(label): \(key): \(line)")
            }
            #expect(replies.left.isEmpty, label)
        }
        for (key, count) in counted {
            let data = world.nodes[world.copies(of: key)[0]].items[key]?.data ?? []
            let value = (Int(String(decoding: data, as: UTF8.self)) ?? 0) - 1000
            #expect(
                (count...count + uncertain[key, default: 0]).contains(value),
                "\(label): \(key) is \(value), acknowledged \(count)")
        }
        for (key, tokens) in stored {
            let data = world.nodes[world.copies(of: key)[0]].items[key]?.data ?? []
            let held = String(decoding: data, as: UTF8.self).split(separator: ";").map { "\($0);" }
            #expect(Set(held).count == held.count, "\(label): \(key) has something twice: \(held)")
            #expect(Set(tokens).isSubset(of: held) && sent[key]!.isSuperset(of: held), "\(label): \(key): \(held)")
        }
    }
}
