import Bytes
import DroverTesting
import Telemetry
import Testing

@testable import ProxyCore

/// Several workers that write the same keys.
struct WorkersTests {
    private let rounds = max(1, (environment("DROVER_ROUNDS").flatMap(Int.init) ?? 2000) / 200)

    private static let keys = ModelKey.all.map(\.name)

    /// Keys queued for repair, by the reason.
    private func repairs(_ workers: Workers) -> RepairCounts {
        workers.worlds.reduce(into: RepairCounts()) { $0.merge($1.engine.poolStats[0].repairs.queued) }
    }

    // MARK: One key

    /// A delete and an add of two workers came to the other copy the other way round; when the primary died before that
    /// was repaired, nobody had the lock.
    @Test(arguments: [CopiesShape.twoOfThree, .standby])
    func twoAddsOfAKeyAreNotBothStoredWhenThePrimaryDies(shape: CopiesShape) {
        let workers = Workers(2, shape, acks: .all, checks: 0, seed: 7)
        let (one, other) = (workers.worlds[0], workers.worlds[1])
        let (first, second, third) = (one.connect(), other.connect(), other.connect())
        let places = one.copies(of: "lock")
        one.send("add lock 0 0 1\r\n1\r\n", from: first)
        workers.settle()
        #expect(one.take(first) == "STORED\r\n")
        // The other copy has not read the delete yet.
        one.send("delete lock\r\n", from: first)
        for _ in 0..<100 { workers.turn(0, frozen: [places[1]]) }
        other.send("add lock 0 0 1\r\n2\r\n", from: second)
        for _ in 0..<100 { workers.turn(1) }
        let early = other.take(second)
        for _ in 0..<100 { workers.turn(0, frozen: [places[0]]) }
        for _ in 0..<100 where other.take(second).isEmpty && early.isEmpty { workers.turn() }
        // It dies.
        for world in workers.worlds {
            world.refusing = [places[0]]
            world.breakLinks(to: places[0])
        }
        workers.judge(node: places[0], isUp: false)
        other.send("add lock 0 0 1\r\n3\r\n", from: third)
        for _ in 0..<100 { workers.turn() }
        #expect(other.take(third) == "NOT_STORED\r\n")
    }

    /// Everybody writes it as fast as he is answered.
    @Test(arguments: [2, 3, 5])
    func aKeyThatAllWriteIsWrittenByAllAlike(count: Int) {
        let seed = SeededGenerator.fromEnvironment().seed
        let workers = Workers(count, .twoOfThree, acks: .all, checks: 0, seed: seed)
        let clients = workers.worlds.map { world in (0..<3).map { _ in world.connect() } }
        var answered = Array(repeating: 0, count: count)
        for world in workers.worlds.indices {
            for client in clients[world] { workers.worlds[world].send("set hot 0 0 1\r\n0\r\n", from: client) }
        }
        for _ in 0..<4000 {
            workers.turn()
            for (number, world) in workers.worlds.enumerated() {
                for client in clients[number] where world.take(client) == "STORED\r\n" {
                    answered[number] += 1
                    world.send("set hot 0 0 1\r\n1\r\n", from: client)
                }
            }
        }
        let label: Comment = "DROVER_SEED=\(seed): \(answered)"
        #expect(answered.min()! > 100 && answered.max()! * 2 < answered.min()! * 3, label)
        workers.settle()
        #expect(repairs(workers).total == 0, label)
        for world in workers.worlds { world.expectRest() }
    }

    /// There are more workers than a key's word has room for: two that share a bit of it.
    @Test func noWorkerStarvesAnotherOfItsGroup() {
        let seed = SeededGenerator.fromEnvironment().seed
        let workers = Workers(LockWord.groups + 2, .twoOfThree, acks: .all, checks: 0, seed: seed)
        let numbers = [1, 1 + LockWord.groups]
        let clients = [3, 1].enumerated().map { index, count in
            (0..<count).map { _ in workers.worlds[numbers[index]].connect() }
        }
        var answered = [0, 0]
        for round in 0..<4000 {
            for (index, number) in numbers.enumerated() {
                let world = workers.worlds[number]
                for client in clients[index] where round == 0 || world.take(client) == "STORED\r\n" {
                    if round > 0 { answered[index] += 1 }
                    world.send("set hot 0 0 1\r\n1\r\n", from: client)
                }
                workers.turn(number)
            }
        }
        #expect(answered.min()! > 100, "DROVER_SEED=\(seed): \(answered)")
        workers.settle()
        for world in workers.worlds { world.expectRest() }
    }

    /// Its data block takes its time; the key is free until it is here.
    @Test func aSlowSenderKeepsNobodyWaiting() {
        let workers = Workers(2, .twoOfThree, acks: .all, seed: 3)
        let (one, other) = (workers.worlds[0], workers.worlds[1])
        let (slow, quick) = (one.connect(), other.connect())
        one.send("set a 0 0 4\r\nsl", from: slow)
        for _ in 0..<20 { workers.turn() }
        other.send("set a 0 0 5\r\nquick\r\n", from: quick)
        for _ in 0..<400 { workers.turn() }
        #expect(other.take(quick) == "STORED\r\n")
        one.send("ow\r\n", from: slow)
        for _ in 0..<400 { workers.turn() }
        #expect(one.take(slow) == "STORED\r\n")
        workers.settle()
        for world in workers.worlds { world.expectRest() }
    }

    /// His write stands behind a large value that he does not take, on the same connection.
    @Test func aSlowReaderKeepsNobodyWaiting() {
        let workers = Workers(2, .twoOfThree, acks: .all, checks: 0, seed: 3)
        let (one, other) = (workers.worlds[0], workers.worlds[1])
        for world in workers.worlds { world.mostBytes = 20_000 }
        let writer = one.connect()
        one.send("set big 0 0 1000000\r\n\(String(repeating: "v", count: 1_000_000))\r\n", from: writer)
        workers.settle()
        #expect(one.take(writer) == "STORED\r\n")
        let node = one.copies(of: "big")[0]
        let key = (0...).lazy.map { "k\($0)" }.first { one.copies(of: $0)[0] == node }!
        let slow = one.connectSlow(asking: "get big\r\nset \(key) 0 0 1\r\n1\r\n")
        for _ in 0..<400 { workers.turn() }
        let quick = other.connect()
        other.send("set \(key) 0 0 1\r\n2\r\n", from: quick)
        for _ in 0..<400 { workers.turn() }
        #expect(other.take(quick) == "STORED\r\n")
        one.startReading(slow)
        workers.settle()
        #expect(one.take(slow).hasSuffix("\r\nEND\r\nSTORED\r\n"))
        for world in workers.worlds { world.expectRest() }
    }

    /// Who waits for a key is gone, or finds no copy when it is his turn: it goes on to the next.
    @Test func whoHasNoUseForAKeyPassesItOn() {
        let workers = Workers(3, .threeOfThree, acks: .all, checks: 0, seed: 5)
        let clients = workers.worlds.map { $0.connect() }
        let places = workers.worlds[0].copies(of: "a")
        workers.worlds[0].send("set a 0 0 1\r\n0\r\n", from: clients[0])
        for _ in 0..<50 { workers.turn(0, frozen: Set(places)) }
        for number in 1...2 {
            workers.worlds[number].send("set a 0 0 1\r\n\(number)\r\nget b\r\n", from: clients[number])
            for _ in 0..<50 { workers.turn(number) }
            #expect(workers.worlds[number].take(clients[number]).isEmpty)
            #expect(workers.worlds[number].engine.clients[clients[number]].depth == 1, "it is not read on")
        }
        // The second worker has lost sight of all nodes, and its client has had enough.
        for node in places { workers.worlds[1].judge(node: node, isUp: false) }
        workers.worlds[1].close(client: clients[1])
        for _ in 0..<400 { workers.turn() }
        #expect(workers.worlds[0].take(clients[0]) == "STORED\r\n")
        #expect(workers.worlds[2].take(clients[2]) == "STORED\r\nEND\r\n")
        workers.settle()
        for world in workers.worlds { world.expectRest() }
    }

    /// All that waits in a worker, and what its clients have sent behind it, goes when it is its turn, and nothing later.
    @Test func whatWaitsGoesTogether() {
        let workers = Workers(3, .threeOfThree, acks: .all, checks: 0, seed: 9)
        let clients = workers.worlds.map { world in (0..<2).map { _ in world.connect() } }
        let places = workers.worlds[0].copies(of: "a")
        for world in workers.worlds { world.mostBytes = nil }
        func write(_ number: Int, _ client: Int, _ flags: [Int]) {
            let text = flags.map { "set a \($0) 0 1\r\nv\r\n" }.joined()
            workers.worlds[number].send(text, from: clients[number][client])
            for _ in 0..<20 { workers.turn(number, frozen: Set(places)) }
        }
        write(0, 0, [1])
        write(2, 0, [20, 21, 22])
        write(1, 0, [10, 11, 12])
        write(2, 1, [23, 24])
        write(1, 1, [13, 14])
        write(0, 1, [2])
        workers.settle()
        let order = workers.worlds[0].nodes[places[0]].seen.compactMap { line -> Int? in
            let words = line.split(separator: " ")
            return words.first == "set" ? Int(words[2]) : nil
        }
        #expect(order.map { $0 / 10 } == [0, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 0], "\(order)")
        for number in 1...2 {
            let own = order.filter { $0 / 10 == number }
            for half in [own.filter { $0 % 10 < 3 }, own.filter { $0 % 10 > 2 }] { #expect(half == half.sorted()) }
        }
        for world in workers.worlds { world.expectRest() }
    }

    /// With one copy's answer a write is over for its client, and for who waits for its key.
    @Test(arguments: [PoolSettings.Acks.one, .quorum])
    func aCopyThatHangsHoldsUpOnlyWhatItWasPromisedTo(acks: PoolSettings.Acks) {
        let workers = Workers(2, .threeOfThree, acks: acks, checks: 0, seed: 5)
        let (one, other) = (workers.worlds[0], workers.worlds[1])
        let (first, second) = (one.connect(), other.connect())
        let last = one.copies(of: "a")[2]
        workers.change(node: last) { $0.isFrozen = true }
        one.send("set a 0 0 1\r\n0\r\n", from: first)
        for _ in 0..<400 { workers.turn() }
        #expect(one.take(first) == "STORED\r\n")
        other.send("set a 0 0 1\r\n1\r\n", from: second)
        for _ in 0..<400 { workers.turn() }
        #expect(other.take(second) == (acks == .one ? "STORED\r\n" : ""))
        workers.advance(by: 250_000_000)
        workers.settle()
        for world in workers.worlds { world.expectRest() }
    }

    /// The first write finds out, and is answered when the others have been told; so whoever waits for it need not find
    /// out once more.
    @Test(arguments: ["set a 0 0 1\r\n7\r\n", "incr a 1\r\n"], [0, 1, 2])
    func behindACopyThatHangsNobodyWaitsForItAgain(command: String, rank: Int) {
        let workers = Workers(3, .threeOfThree, acks: .all, checks: 0, seed: 5)
        let worlds = workers.worlds
        for world in worlds {
            world.proveAll()
            world.answersMisses = false
        }
        let clients = worlds.map { $0.connect() }
        // All of them have connections.
        for (world, client) in zip(worlds, clients) { world.send("set a 0 0 1\r\n5\r\n", from: client) }
        for _ in 0..<1000 { workers.turn() }
        for (world, client) in zip(worlds, clients) { #expect(world.take(client) == "STORED\r\n") }
        let node = worlds[0].copies(of: "a")[rank]
        workers.change(node: node) { $0.isFrozen = true }
        for (number, world) in worlds.enumerated() {
            world.send(command, from: clients[number])
            for _ in 0..<50 { workers.turn(number) }
        }
        workers.advance(by: 200_000_000)
        for _ in 0..<400 { workers.turn() }
        for number in 1...2 { #expect(worlds[number].take(clients[number]).isEmpty, "the others know nothing yet") }
        let told = worlds[0].take(clients[0])
        #expect(told == (rank == 0 && command.hasPrefix("incr") ? "SERVER_ERROR node timed out\r\n" : ""))
        // Now they do; and no more time passes.
        var silent = NodeVerdict(.syncing)
        silent.isSilent = true
        for world in worlds { world.judge(node: node, silent) }
        for _ in 0..<400 {
            workers.turn()
            for world in worlds { world.publish() }
        }
        let replies = zip(worlds, clients).map { $0.take($1) }
        if command.hasPrefix("set") {
            #expect(replies == ["STORED\r\n", "STORED\r\n", "STORED\r\n"])
        } else {
            let counted = ["6\r\n", "7\r\n", "8\r\n"].dropLast(rank == 0 ? 1 : 0)
            #expect(replies.filter { !$0.isEmpty }.sorted() == Array(counted))
        }
        workers.change(node: node) { $0.isFrozen = false }
        for world in worlds { world.answersMisses = true }
        workers.settle()
        for world in worlds { world.expectRest() }
    }

    // MARK: Any commands

    /// P5; and no two workers ever write a key at the same time, but for a gat of several keys.
    @Test(.timeLimit(.minutes(20)), arguments: CopiesShape.allCases, PoolSettings.Acks.allCases)
    func copiesAgreeAtRest(shape: CopiesShape, acks: PoolSettings.Acks) {
        var generator = SeededGenerator.fromEnvironment()
        for round in 0..<rounds {
            let seed = round == 0 ? generator.seed : generator.next()
            let workers = Workers(2 + round % 2, shape, acks: acks, checks: 0, seed: seed)
            var clients = workers.worlds.map { world in
                (0..<3).map { SimulatedClient(world, number: $0, seed: seed, marksSilence: false) }
            }
            for _ in 0..<12 {
                for (number, world) in workers.worlds.enumerated() {
                    for index in 0..<3 { clients[number][index].say(generator.pick(0..<4), to: world) }
                }
                for _ in 0..<generator.pick(0..<6) { workers.turn() }
            }
            finish(&clients, workers)
            let label: Comment = "DROVER_SEED=\(seed)"
            check(&clients, workers, errors: false, label)
            let differing = workers.worlds[0].disagreements(on: Self.keys)
            #expect(differing.isEmpty, "\(label): \(differing.joined(separator: "\n"))")
            let commands = clients.joined().flatMap(\.commands)
            let isOrdered = !commands.contains { $0.text.hasPrefix("gat") && $0.text.split(separator: " ").count > 3 }
            // A repair for another reason is under way at the same time as writes.
            let repairs = repairs(workers)
            if acks != .one, isOrdered, repairs[.overlap] == repairs.total { #expect(repairs.total == 0, label) }
            guard differing.isEmpty else { return }
        }
    }

    /// One reply a request, in order, to the right client, and no key left owned, whatever happens to nodes and clients.
    @Test(.timeLimit(.minutes(20)), arguments: CopiesShape.allCases, PoolSettings.Acks.allCases)
    func everyReplyUnderFaults(shape: CopiesShape, acks: PoolSettings.Acks) {
        var generator = SeededGenerator.fromEnvironment()
        for round in 0..<rounds {
            let seed = round == 0 ? generator.seed : generator.next()
            let workers = Workers(2 + round % 2, shape, acks: acks, seed: seed)
            var clients = workers.worlds.map { world in
                (0..<3).map { SimulatedClient(world, number: $0, seed: seed, marksSilence: true) }
            }
            var faults = SeededGenerator(seed: seed)
            let count = workers.worlds[0].nodes.count
            for step in 0..<80 {
                let (number, index) = (faults.pick(workers.worlds.indices), faults.pick(0..<3))
                let world = workers.worlds[number]
                clients[number][index].say(faults.pick(1..<4), to: world)
                for _ in 0..<faults.pick(0..<4) { workers.turn() }
                fault(&faults, workers, count)
                // Who has had enough, or was closed in the middle of a value, comes back as another.
                if faults.once(in: 8) { world.close(client: clients[number][index].id) }
                if !world.isOpen(clients[number][index].id) {
                    clients[number][index] = SimulatedClient(world, number: 5 + step, seed: seed, marksSilence: true)
                }
            }
            for node in 0..<count {
                workers.change(node: node) { $0.isFrozen = false }
                workers.judge(node: node, isUp: true)
            }
            for world in workers.worlds { world.refusing = [] }
            finish(&clients, workers)
            check(&clients, workers, errors: true, "DROVER_SEED=\(seed)")
        }
    }

    private func fault(_ random: inout SeededGenerator, _ workers: Workers, _ nodes: Int) {
        let (node, world) = (random.pick(0..<nodes), random.pick(workers.worlds))
        switch random.pick(0..<12) {
        case 0: world.breakLinks(to: node, landing: random.once(in: 2))
        case 1: world.refusing = random.once(in: 2) ? [node] : []
        case 2: workers.change(node: node) { $0.isFrozen = true }
        case 3...4: for index in 0..<nodes { workers.change(node: index) { $0.isFrozen = false } }
        case 5: world.judge(node: node, isUp: random.once(in: 2))
        case 6: workers.judge(node: node, isUp: random.once(in: 2))
        case 7: workers.advance(by: 250_000_000)
        case 8: workers.advance(by: 15_000_000)
        default: break
        }
    }

    private func finish(_ clients: inout [[SimulatedClient]], _ workers: Workers) {
        for (number, world) in workers.worlds.enumerated() {
            for index in clients[number].indices { clients[number][index].finish(world) }
        }
        workers.settle()
    }

    private func check(_ clients: inout [[SimulatedClient]], _ workers: Workers, errors: Bool, _ label: Comment) {
        for (number, world) in workers.worlds.enumerated() {
            for index in clients[number].indices {
                clients[number][index].checkReplies(world, errors: errors, label)
            }
            world.expectRest()
        }
    }
}
