import Bytes
import DroverTesting
import MemcacheProtocol
import Telemetry
import Testing

@testable import ProxyCore

/// Which copies are read, and what becomes of misses.
@Suite struct CopiesReadTests {
    private static let keys = (0..<40).map { "read\($0 * 7919)" }

    private func world(_ shape: CopiesShape, _ change: @escaping (inout PoolSettings) -> Void) -> World {
        World(
            nodes: 3,
            change: { pool in
                shape.apply(&pool)
                change(&pool)
            })
    }

    private func store(_ keys: some Sequence<String>, in world: World, from client: UInt32) {
        for key in keys { #expect(world.ask("set \(key) 3 0 5\r\nhello\r\n", from: client) == "STORED\r\n") }
    }

    private func values(_ keys: [String]) -> String {
        keys.map { "VALUE \($0) 3 5\r\nhello\r\n" }.joined() + "END\r\n"
    }

    /// Each key by itself: what a copy lacks is asked of the next, answered in order, and written back.
    @Test(arguments: CopiesShape.allCases, [nil, 1, 9])
    func aGetOfSeveralAsksForEachMiss(shape: CopiesShape, mostBytes: Int?) {
        let world = world(shape) { $0.onMiss = .next }
        world.mostBytes = mostBytes
        let client = world.connect()
        store(Self.keys, in: world, from: client)
        let lost = Self.keys.enumerated().filter { $0.offset % 5 < 2 }.map(\.element)
        for key in lost { for copy in world.copies(of: key).dropLast() { world.nodes[copy].items[key] = nil } }
        let line = "get " + Self.keys.flatMap { [$0, "no\($0)"] }.joined(separator: " ") + " \(lost[0])\r\n"
        #expect(world.ask(line, from: client) == values(Self.keys + [lost[0]]))
        let verb = Verb.get.rawValue
        #expect(world.engine.poolStats[0].hits[verb] == 41 && world.engine.poolStats[0].misses[verb] == 40)
        // Some at a time; what is not filled yet is so after the next time that it is missed.
        for _ in 0..<8 { #expect(world.ask(line, from: client) == values(Self.keys + [lost[0]])) }
        #expect(world.disagreements(on: Self.keys) == [])
        let filled = lost.reduce(0) { $0 + world.copies(of: $1).count - 1 }
        #expect(world.engine.poolStats[0].copies.backFills == filled)
        world.expectRest()
    }

    @Test func aGetsOfSeveralDoesToo() {
        let world = world(.twoOfThree) { $0.onMiss = .next }
        let client = world.connect()
        store(Self.keys, in: world, from: client)
        for key in Self.keys { world.nodes[world.copies(of: key)[0]].items[key] = nil }
        let reply = world.ask("gets \(Self.keys.joined(separator: " "))\r\n", from: client)
        #expect(reply.split(separator: "\r\n").count { $0.hasPrefix("VALUE ") } == 40 && reply.hasSuffix("END\r\n"))
        world.expectRest()
    }

    /// A large value stops its connection while the client waits for a key before it. What the same answer has left out
    /// by then is asked elsewhere all the same.
    @Test(arguments: [0, 2]) func aLargeValueBehindAMissIsNotInTheWay(missing: Int) {
        let world = world(.twoOfThree) { $0.onMiss = .next }
        let client = world.connect()
        let all = world.copies(of: Self.keys)
        let pair = Self.keys.filter { all[$0]!.prefix(2) == [0, 1] }.prefix(3)
        let large = String(repeating: "x", count: 900_000)
        store(pair.dropLast(), in: world, from: client)
        world.send("set \(pair[2]) 3 0 900000\r\n\(large)\r\n", from: client)
        world.run()
        #expect(world.take(client) == "STORED\r\n")
        for key in pair.prefix(missing) { world.nodes[0].items[key] = nil }
        world.mostBytes = 100_000
        let answer = world.ask("get \(pair.joined(separator: " ")) none\r\n", from: client)
        #expect(
            answer == values(Array(pair.dropLast())).dropLast(4) + "VALUE \(pair[2]) 3 900000\r\n\(large)\r\nEND\r\n")
        #expect(world.engine.poolStats[0].hits[Verb.get.rawValue] == 3)
        #expect(world.engine.poolStats[0].misses[Verb.get.rawValue] == 1)
        world.expectRest()
    }

    @Test func withoutItMissesAreMisses() {
        let world = world(.twoOfThree) { _ in }
        let client = world.connect()
        store(Self.keys, in: world, from: client)
        for key in Self.keys { world.nodes[world.copies(of: key)[0]].items[key] = nil }
        #expect(world.ask("get \(Self.keys.joined(separator: " "))\r\n", from: client) == "END\r\n")
        world.expectRest()
    }

    @Test func aGetOfSeveralIsSpread() {
        let world = world(.threeOfThree) { $0.read = .spread }
        let client = world.connect()
        store(Self.keys, in: world, from: client)
        let line = "get \(Self.keys.joined(separator: " "))\r\n"
        #expect(world.ask(line, from: client) == values(Self.keys))
        for node in 0..<3 {
            let asked = world.nodes[node].seen.filter { $0.hasPrefix("get ") }.joined().split(separator: " ").count - 1
            #expect((4...24).contains(asked), "node \(node): \(asked) of 40")
        }
        world.judge(node: 1, isUp: false)
        #expect(world.ask(line, from: client) == values(Self.keys))
        world.expectRest()
    }

    /// The first node of the own zone, whatever its rank.
    @Test func aGetOfSeveralStaysNear() {
        let world = world(.threeOfThree) { pool in
            pool.read = .nearest
            pool.ownZone = "here"
            for index in 0..<3 { pool.nodes[index].zone = index == 2 ? "here" : "there" }
        }
        let client = world.connect()
        store(Self.keys, in: world, from: client)
        let line = "get \(Self.keys.joined(separator: " "))\r\n"
        #expect(world.ask(line, from: client) == values(Self.keys))
        #expect(world.nodes.map { $0.seen.count { $0.hasPrefix("get ") } } == [0, 0, 1])
        world.judge(node: 2, isUp: false)
        #expect(world.ask(line, from: client) == values(Self.keys))
        world.expectRest()
    }

    // MARK: - Quiet reads

    private static func quiet(_ keys: [String]) -> String { keys.map { "mg \($0) v q\r\n" }.joined() + "mn\r\n" }
    private static let quiet = quiet(keys)
    private static let answers = String(repeating: "VA 5\r\nhello\r\n", count: keys.count) + "MN\r\n"

    private func quietReads(_ world: World) -> [Int] {
        world.nodes.map { $0.seen.count { $0.hasPrefix("mg ") } }
    }

    /// All of one primary, so that it is not the keys that are spread.
    @Test func quietReadsAreSpread() {
        let world = world(.threeOfThree) { $0.read = .spread }
        let client = world.connect()
        let keys = Array((0..<400).map { "quiet\($0)" }.filter { world.copies(of: $0)[0] == 0 }.prefix(40))
        let quiet = Self.quiet(keys)
        store(keys, in: world, from: client)
        #expect(world.ask(quiet, from: client) == Self.answers)
        for (node, asked) in quietReads(world).enumerated() {
            #expect((4...24).contains(asked), "node \(node): \(asked) of 40")
        }
        #expect(world.nodes.allSatisfy { $0.seen.allSatisfy { !$0.hasSuffix(" q") } }, "nodes are asked aloud")
        world.judge(node: 1, isUp: false)
        #expect(world.ask(quiet, from: client) == Self.answers)
        // Who wants a CAS number gets one that the primary gave.
        let before = quietReads(world)
        _ = world.ask(keys.map { "mg \($0) c q\r\n" }.joined() + "mn\r\n", from: client)
        #expect(zip(quietReads(world), before).map { $0 - $1 } == [40, 0, 0])
        world.expectRest()
    }

    @Test func quietReadsStayNear() {
        let world = world(.threeOfThree) { pool in
            pool.read = .nearest
            pool.ownZone = "here"
            for index in 0..<3 { pool.nodes[index].zone = index == 2 ? "here" : "there" }
        }
        let client = world.connect()
        store(Self.keys, in: world, from: client)
        #expect(world.ask(Self.quiet, from: client) == Self.answers)
        #expect(quietReads(world) == [0, 0, 40])
        world.nodes[2].isFrozen = true
        world.send(Self.quiet, from: client)
        world.run()
        world.breakLinks(to: 2)
        world.run()
        #expect(world.take(client) == Self.answers, "the next copies are asked")
        world.nodes[2].isFrozen = false
        world.run()
        world.expectRest()
    }

    @Test func failoversOfReadsElsewhereAreCounted() {
        for read in PoolSettings.Read.allCases {
            let world = world(.twoOfThree) { $0.read = read }
            let client = world.connect()
            store(Self.keys, in: world, from: client)
            let line = "get \(Self.keys.joined(separator: " "))\r\n"
            #expect(world.ask(line, from: client) == values(Self.keys))
            #expect(world.engine.poolStats[0].copies.failovers.total == 0)
            world.judge(node: 1, isUp: false)
            let lost = Self.keys.count { world.copies(of: $0)[0] == 1 }
            #expect(world.ask(line + Self.quiet, from: client) == values(Self.keys) + Self.answers)
            #expect(world.engine.poolStats[0].copies.failovers[.nodeDown] == UInt64(2 * lost), "\(read)")
        }
    }
}
