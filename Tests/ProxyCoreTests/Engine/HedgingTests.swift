import Bytes
import DroverTesting
import Telemetry
import Testing

@testable import ProxyCore

/// `read: fastest`: a second copy is asked when the first is slow.
@Suite struct HedgingTests {
    private static let keys = (0..<30).map { "fast\($0 * 7919)" }

    private func world(rows: Int = 1 << 14, _ change: @escaping (inout PoolSettings) -> Void = { _ in }) -> World {
        World(
            nodes: 3, rows: rows,
            change: { pool in
                pool.replicas = 2
                pool.read = .fastest
                pool.hedge = 10_000
                change(&pool)
            })
    }

    private func store(in world: World, from client: UInt32) {
        for key in Self.keys { #expect(world.ask("set \(key) 3 0 5\r\nhello\r\n", from: client) == "STORED\r\n") }
    }

    private func value(_ key: String) -> String { "VALUE \(key) 3 5\r\nhello\r\nEND\r\n" }

    @Test func aSlowCopyIsNotWaitedFor() {
        let world = world()
        let client = world.connect()
        store(in: world, from: client)
        let key = Self.keys[0]
        let copies = world.copies(of: key)
        let stored = world.engine.poolStats[0].hits.total
        world.nodes[copies[0]].isFrozen = true
        #expect(world.ask("get \(key)\r\nmg \(key) v\r\nget \(key)\r\n", from: client) == "")
        world.now += 9_000_000
        world.run()
        #expect(world.take(client) == "")
        world.now += 2_000_000
        world.run()
        #expect(world.take(client) == value(key) + "VA 5\r\nhello\r\n" + value(key))
        #expect(world.engine.poolStats[0].copies.hedges == 3 && world.engine.poolStats[0].copies.hedgesWon == 3)
        #expect(world.engine.poolStats[0].hits.total == stored + 3)
        // What comes now is nobody's.
        world.nodes[copies[0]].isFrozen = false
        world.run()
        #expect(world.take(client) == "" && world.engine.poolStats[0].hits.total == stored + 3)
        world.expectRest()
    }

    @Test func theFirstMayWinAllTheSame() {
        let world = world()
        let client = world.connect()
        store(in: world, from: client)
        let key = Self.keys[0]
        let copies = world.copies(of: key)
        for copy in copies { world.nodes[copy].isFrozen = true }
        world.send("get \(key)\r\n", from: client)
        world.run()
        world.now += 11_000_000
        world.run()
        world.nodes[copies[0]].isFrozen = false
        world.run()
        #expect(world.take(client) == value(key))
        world.nodes[copies[1]].isFrozen = false
        world.run()
        #expect(world.take(client) == "")
        #expect(world.engine.poolStats[0].copies.hedges == 1 && world.engine.poolStats[0].copies.hedgesWon == 0)
        world.expectRest()
    }

    /// Whichever fails or finds nothing, the other's answer counts.
    @Test(arguments: [0, 1], [false, true])
    func whatFailsLeavesItToTheOther(which: Int, lost: Bool) {
        let world = world { $0.onMiss = .next }
        let client = world.connect()
        store(in: world, from: client)
        let key = Self.keys[0]
        let copies = world.copies(of: key)
        if lost { world.nodes[copies[which]].items[key] = nil }
        for copy in copies { world.nodes[copy].isFrozen = true }
        world.send("get \(key)\r\n", from: client)
        world.run()
        world.now += 11_000_000
        world.run()
        if lost { world.nodes[copies[which]].isFrozen = false } else { world.breakLinks(to: copies[which]) }
        world.run()
        #expect(world.take(client) == "")
        for copy in copies { world.nodes[copy].isFrozen = false }
        world.run()
        #expect(world.take(client) == value(key))
        world.run()
        #expect(world.disagreements(on: [key]) == [])
        world.expectRest()
    }

    /// An error of the node is no answer while there is another to come.
    @Test(arguments: [0, 1]) func anErrorLeavesItToTheOther(which: Int) {
        let world = world()
        let client = world.connect()
        store(in: world, from: client)
        let key = Self.keys[0]
        let copies = world.copies(of: key)
        for copy in copies { world.nodes[copy].isFrozen = true }
        world.send("get \(key)\r\n", from: client)
        world.run()
        world.now += 11_000_000
        world.run()
        world.inject("SERVER_ERROR out of memory\r\n", fromNode: copies[which])
        world.run()
        #expect(world.take(client) == "")
        world.nodes[copies[1 - which]].isFrozen = false
        world.run()
        #expect(world.take(client) == value(key))
    }

    /// Each copy is asked once, in whatever order the first two fail.
    @Test(arguments: [[0, 1], [1, 0]]) func theThirdIsAskedThen(order: [Int]) {
        let world = world { $0.replicas = 3 }
        let client = world.connect()
        store(in: world, from: client)
        let key = Self.keys[0]
        let copies = world.copies(of: key)
        for copy in copies { world.nodes[copy].isFrozen = true }
        world.send("get \(key)\r\n", from: client)
        world.run()
        world.now += 11_000_000
        world.run()
        for place in order { world.breakLinks(to: copies[place]) }
        world.run()
        #expect(world.nodes.map { $0.seen.count { $0.hasPrefix("get ") } } == [0, 0, 0])
        world.nodes[copies[2]].isFrozen = false
        world.run()
        #expect(world.take(client) == value(key))
        world.expectRest()
    }

    @Test func theSecondHasATimeOfItsOwn() {
        let world = world()
        let client = world.connect()
        store(in: world, from: client)
        let key = Self.keys[0]
        let copies = world.copies(of: key)
        for copy in copies { world.nodes[copy].isFrozen = true }
        world.send("get \(key)\r\n", from: client)
        world.run()
        for wait in [11, 190] as [UInt64] {
            world.now += wait * 1_000_000
            world.run()
        }
        #expect(world.engine.nodeStats[copies[0]].errors.total == 1)
        world.nodes[copies[1]].isFrozen = false
        world.run()
        #expect(world.take(client) == value(key))
    }

    /// The wait is that of reads lately, the losers' and the misses' included.
    @Test func whatIsSlowIsLearned() {
        let world = world { ($0.onMiss, $0.checks) = (.next, 0) }
        let patience = { world.engine.hedgings[0].policy.patience }
        let client = world.connect()
        store(in: world, from: client)
        for _ in 0..<10 { for key in Self.keys { #expect(world.ask("get \(key)\r\n", from: client) == value(key)) } }
        #expect((2_000_000..<4_000_000).contains(patience()))
        let key = Self.keys[0]
        let copies = world.copies(of: key)
        for isMiss in [false, true] {
            world.nodes[copies[0]].items[key] = isMiss ? nil : world.nodes[copies[1]].items[key]
            for copy in copies { world.nodes[copy].isFrozen = true }
            world.send("get \(key)\r\n", from: client)
            world.run()
            world.now += 5_000_000
            world.run()
            let before = patience()
            // What loses takes long, and so does what finds nothing.
            if !isMiss { world.nodes[copies[1]].isFrozen = false }
            world.run()
            #expect(patience() == before)
            world.nodes[copies[0]].isFrozen = false
            world.run()
            #expect(patience() > before)
            world.nodes[copies[1]].isFrozen = false
            world.run()
            #expect(world.take(client) == value(key))
        }
        #expect(world.engine.poolStats[0].copies.hedges == 2)
        world.expectRest()
    }

    /// Some of it may have left.
    @Test func aValueThatIsComingIsWaitedFor() {
        let world = world()
        let client = world.connect()
        store(in: world, from: client)
        let key = Self.keys[0]
        let first = world.copies(of: key)[0]
        world.nodes[first].isFrozen = true
        world.send("get \(key)\r\n", from: client)
        world.run()
        world.inject("VALUE \(key) 3 5\r\nhe", fromNode: first)
        world.run()
        world.now += 11_000_000
        world.run()
        #expect(world.engine.poolStats[0].copies.hedges == 0)
        world.inject("llo\r\nEND\r\n", fromNode: first)
        world.run()
        #expect(world.take(client) == value(key))
    }

    @Test func bothFail() {
        let world = world()
        let client = world.connect()
        store(in: world, from: client)
        let key = Self.keys[0]
        for copy in world.copies(of: key) { world.nodes[copy].isFrozen = true }
        world.send("get \(key)\r\nversion\r\n", from: client)
        world.run()
        world.now += 11_000_000
        world.run()
        for _ in 0..<3 {
            world.now += 200_000_000
            world.run()
        }
        #expect(world.take(client) == "SERVER_ERROR node timed out\r\nVERSION 1.6.38\r\n")
        world.expectRest()
    }

    @Test func aClientThatGoesAwayLeavesNothingBehind() {
        let world = world()
        let client = world.connect()
        store(in: world, from: client)
        for node in 0..<3 { world.nodes[node].isFrozen = true }
        for key in Self.keys { world.send("get \(key)\r\n", from: client) }
        world.run()
        world.now += 11_000_000
        world.run()
        #expect(world.engine.poolStats[0].copies.hedges == 30)
        world.close(client: client)
        for node in 0..<3 { world.nodes[node].isFrozen = false }
        world.run()
        world.expectRest()
    }

    @Test func noMoreThanTheShareIsDoubled() {
        let world = world { $0.hedge = 1000 }
        let client = world.connect()
        store(in: world, from: client)
        for node in 0..<3 { world.nodes[node].isFrozen = true }
        for _ in 0..<20 { for key in Self.keys { world.send("get \(key)\r\n", from: client) } }
        world.run()
        world.now += 11_000_000
        world.run()
        #expect((50...60).contains(world.engine.poolStats[0].copies.hedges))
        for node in 0..<3 { world.nodes[node].isFrozen = false }
        world.run()
        #expect(world.take(client) == String(repeating: Self.keys.map(value).joined(), count: 20))
        world.expectRest()
    }

    /// Nor more than an eighth of what there can be at once, and none where that runs out.
    @Test(arguments: [(rows: 160, hedges: 20), (rows: 40, hedges: 0)])
    func whatIsDoubledAtOnceIsBounded(rows: Int, hedges: UInt64) {
        let world = world(rows: rows)
        let client = world.connect()
        store(in: world, from: client)
        for node in 0..<3 { world.nodes[node].isFrozen = true }
        for key in Self.keys { world.send("get \(key)\r\n", from: client) }
        world.run()
        world.now += 11_000_000
        world.run()
        #expect(world.engine.poolStats[0].copies.hedges == hedges)
        for node in 0..<3 { world.nodes[node].isFrozen = false }
        world.run()
        #expect(world.take(client) == Self.keys.map(value).joined())
        world.expectRest()
    }

    /// Nothing is watched where nothing is hedged.
    @Test func othersPayNothing() {
        let world = world { $0.read = .spread }
        let client = world.connect()
        store(in: world, from: client)
        for node in 0..<3 { world.nodes[node].isFrozen = true }
        for key in Self.keys { world.send("get \(key)\r\n", from: client) }
        world.run()
        #expect(world.engine.hedgeWaits.count == 0 && world.engine.nextHedge == .max)
    }
}
