import Bytes
import DroverTesting
import Testing

@testable import ProxyCore

/// The engine while nodes fail, miss writes, and come back: what clients read is what was acknowledged.
struct ReturnSimulationTests {
    /// Those that failed once; or as DROVER_SEED and DROVER_ROUNDS ask for.
    private let seeds: [UInt64] = {
        guard environment("DROVER_SEED") != nil else { return [1, 4, 15, 19] }
        var generator = SeededGenerator.fromEnvironment()
        let others = max(1, (environment("DROVER_ROUNDS").flatMap(Int.init) ?? 0) / 500)
        return [generator.seed] + (1..<others).map { _ in generator.next() }
    }()

    /// A client with a key of its own, which it writes, one command after another.
    private struct Writer {
        let id: UInt32
        let key: String
        let homes: [Int]
        var random: SeededGenerator
        /// What the key may hold; nil is nothing.
        var possible: Set<Int?> = [nil]
        /// What it may hold in the end, if the command under way is done; and which one that is.
        var next: Set<Int?>?
        var command = ""
        /// A copy that was not full lost it to a command: then it may be missed, until it is repaired.
        var mayMiss = false

        private var received = ""
        private var number = 0

        init(_ world: World, _ key: String, seed: UInt64) {
            id = world.connect()
            self.key = key
            homes = world.copies(of: key)
            random = SeededGenerator(seed: seed)
        }

        mutating func write(_ world: World) {
            guard next == nil else { return }
            number = random.pick(1..<1_000_000)
            let value = number
            switch random.pick(0..<6) {
            case 0: (command, next) = ("delete \(key)\r\n", [nil])
            case 1...2: (command, next) = ("incr \(key) 1\r\n", Set(possible.map { $0.map { $0 + 1 } }))
            case 3: (command, next) = (store("add"), Set(possible.map { $0 ?? value }))
            default: (command, next) = (store("set"), [number])
            }
            world.send(command, from: id)
            look(world)
        }

        private func store(_ verb: String) -> String { "\(verb) \(key) 0 0 \("\(number)".utf8.count)\r\n\(number)\r\n" }

        mutating func look(_ world: World) {
            guard next != nil, command.hasPrefix("incr") || command.hasPrefix("add") else { return }
            if homes.contains(where: { !world.engine.nodes[UInt32($0)].isFull }) { mayMiss = true }
        }

        /// What may be read now.
        var readable: Set<Int?> {
            var readable = possible.union(next ?? [])
            guard mayMiss else { return readable }
            readable.insert(nil)
            // Where it is missed, it is added.
            if next != nil, command.hasPrefix("add") { readable.insert(number) }
            return readable
        }

        /// What has come. Nil: nothing; else whether it is an answer to the command.
        mutating func hear(_ world: World) -> Bool? {
            guard let next else { return nil }
            received += world.take(id)
            guard received.hasSuffix("\r\n") else { return nil }
            let reply = received.dropLast()
            received = ""
            self.next = nil
            if reply.hasPrefix("SERVER_ERROR ") {
                possible.formUnion(next)
                return true
            }
            let (before, couldMiss) = (possible, mayMiss)
            if command.hasPrefix("set") || command.hasPrefix("delete") { mayMiss = false }
            switch reply {
            case "STORED":
                possible = [number]
                return command.hasPrefix("set") || before.contains(nil) || couldMiss
            case "NOT_STORED":
                possible.remove(nil)
                return !possible.isEmpty
            case "DELETED", "NOT_FOUND":
                let isDelete = command.hasPrefix("delete")
                // A miss that may be is no proof: another copy has what was there, and may be read next.
                possible = isDelete || !couldMiss ? [nil] : before.union([nil])
                return isDelete || before.contains(nil) || couldMiss
            default:
                possible = [Int(reply)]
                return next.contains(Int(reply))
            }
        }
    }

    private struct Reader {
        let id: UInt32
        var writer: Int?
        /// What it may read.
        var possible: Set<Int?> = []
        var received = ""

        /// The whole answer, if it has come.
        mutating func hear(_ world: World) -> String? {
            received += world.take(id)
            guard received.hasSuffix("END\r\n") || received.hasPrefix("SERVER_ERROR ") && received.hasSuffix("\r\n")
            else { return nil }
            defer { received = "" }
            return received
        }
    }

    @Test(.timeLimit(.minutes(20)), arguments: CopiesShape.allCases, PoolSettings.Read.allCases)
    func nothingStaleIsRead(shape: CopiesShape, read: PoolSettings.Read) {
        var (fillings, returns, reads) = (0, 0, 0)
        print("the return of nodes to \(shape) pools that read \(read): seeds \(seeds)")
        for seed in seeds {
            let label: Comment = "DROVER_SEED=\(seed)"
            var random = SeededGenerator(seed: seed)
            let keys = (0..<6).map { "key\($0 * 7919)" }
            let state = ReturnWorld(shape, acks: .all, read: read, keys: keys, seed: seed)
            let world = state.world
            var writers = keys.enumerated().map { Writer(world, $1, seed: seed &+ UInt64($0)) }
            var readers = (0..<4).map { _ in Reader(id: world.connect()) }
            for turn in 0..<1500 {
                state.turn()
                for index in writers.indices { writers[index].look(world) }
                for index in writers.indices {
                    if writers[index].hear(world) == false {
                        Issue.record("\(label): turn \(turn): \(writers[index].command) has a wrong answer")
                        return
                    }
                    if random.once(in: 10) { writers[index].write(world) }
                }
                for index in readers.indices {
                    if let writer = readers[index].writer {
                        readers[index].possible.formUnion(writers[writer].readable)
                        guard let reply = readers[index].hear(world) else { continue }
                        reads += 1
                        if let wrong = Self.wrong(reply, readers[index].possible) {
                            Issue.record("\(label): turn \(turn): \(writers[writer].key): \(wrong)")
                            return
                        }
                        readers[index].writer = nil
                    } else if random.once(in: 5) {
                        let writer = random.pick(writers.indices)
                        readers[index].writer = writer
                        readers[index].possible = writers[writer].possible
                        world.send("get \(writers[writer].key)\r\n", from: readers[index].id)
                    }
                }
            }
            state.rest()
            let differing = world.disagreements(on: keys)
            #expect(differing.isEmpty, "\(label): \(differing.joined(separator: "\n"))")
            for index in writers.indices {
                _ = writers[index].hear(world)
                let held = world.nodes[writers[index].homes[0]].items[writers[index].key]
                let value = held.flatMap { Int(String(decoding: $0.data, as: UTF8.self)) }
                let isRight = writers[index].possible.contains(value)
                #expect(isRight, "\(label): \(writers[index].key)")
                #expect(writers[index].next == nil, "\(label): \(writers[index].command) has no answer")
            }
            world.expectRest()
            (fillings, returns) = (fillings + state.fillings, returns + state.returns)
            guard differing.isEmpty else { return }
        }
        #expect(fillings > 0 && reads > 200, "\(fillings) fillings, \(returns) returns, \(reads) reads")
    }

    /// Nil if the answer to a get is one of these.
    private static func wrong(_ reply: String, _ possible: Set<Int?>) -> String? {
        if reply.hasPrefix("SERVER_ERROR ") { return nil }
        let lines = reply.split(separator: "\r\n")
        let value = lines.count == 3 ? Int(lines[1]) : nil
        return possible.contains(value) ? nil : "\(quoted(Array(reply.utf8))), and it may be \(possible)"
    }
}
