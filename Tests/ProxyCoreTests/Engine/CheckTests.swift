import Bytes
import DroverTesting
import Telemetry
import Testing

@testable import ProxyCore

/// Copies of keys that come by are compared.
struct CheckTests {
    private func world(checks: Int = 10, shape: CopiesShape = .twoOfThree) -> World {
        World(
            nodes: 3, seed: 1,
            change: { pool in
                shape.apply(&pool)
                pool.checks = checks
            })
    }

    private func stats(_ world: World) -> PoolStats { world.engine.poolStats[0] }

    /// Time for what waits for a moment.
    private func pass(_ world: World, milliseconds: UInt64 = 100) {
        for _ in 0..<milliseconds / 10 {
            world.now += 10_000_000
            world.run()
        }
    }

    /// Stores a key, and lets the check that this brings about pass.
    private func fill(_ world: World, key: String = "k") -> UInt32 {
        let client = world.connect()
        #expect(world.ask("set \(key) 5 0 3\r\nabc\r\n", from: client) == "STORED\r\n")
        pass(world)
        return client
    }

    @Test func copiesThatAgreeAreCounted() {
        let world = world()
        let client = fill(world)
        #expect(stats(world).consistency.agreeing == 1 && stats(world).consistency.ratio == 1)
        #expect(world.ask("get k\r\n", from: client) == "VALUE k 5 3\r\nabc\r\nEND\r\n")
        pass(world)
        #expect(stats(world).consistency.agreeing == 2)
        #expect(stats(world).repairs.queued.total == 0 && stats(world).repairs.waiting == 0)
        world.expectRest()
    }

    @Test(arguments: CopiesShape.allCases) func aCopyThatDiffersIsRepaired(shape: CopiesShape) {
        let world = world(shape: shape)
        let client = fill(world)
        let copies = world.copies(of: "k")
        world.nodes[copies.last!].items["k"]!.data = Array("xyz".utf8)
        _ = world.ask("get k\r\n", from: client)
        pass(world, milliseconds: 2500)
        #expect(stats(world).consistency.differing == 1 && stats(world).repairs.waiting == 1)
        #expect(!world.disagreements(on: ["k"]).isEmpty, "a write that knows better goes first")
        pass(world, milliseconds: 200)
        #expect(world.disagreements(on: ["k"]).isEmpty)
        #expect(world.nodes[copies.last!].items["k"]?.data == Array("abc".utf8))
        #expect(stats(world).consistency.differing == 1 && stats(world).consistency.ratio == 0.5)
        #expect(stats(world).repairs.done[.check] == 1 && stats(world).copies.repaired == 1)
        world.expectRest()
    }

    /// The write of another proxy: it has reached one copy, and what becomes of it at the other is known to that proxy
    /// only. The difference that the check saw was another one.
    @Test(arguments: [0, 1]) func aCopyThatIsWrittenMeanwhileIsLeftAlone(copy: Int) {
        let world = world()
        let client = fill(world)
        let copies = world.copies(of: "k")
        world.nodes[copies[1]].items["k"]!.data = Array("old".utf8)
        _ = world.ask("get k\r\n", from: client)
        pass(world, milliseconds: 1000)
        #expect(stats(world).repairs.waiting == 1)
        world.nodes[copies[copy]].items["k"]!.data = Array("new".utf8)
        world.nodes[copies[copy]].touchNumber(of: "k")
        pass(world, milliseconds: 3000)
        #expect(world.nodes[copies[copy]].items["k"]?.data == Array("new".utf8))
        #expect(world.nodes[copies[1 - copy]].items["k"]?.data == Array((copy == 0 ? "old" : "abc").utf8))
        #expect(stats(world).repairs.waiting == 0 && stats(world).repairs.abandoned == 1)
        world.expectRest()
    }

    @Test func aCopyThatLostTheItemGetsItBack() {
        let world = world()
        let client = fill(world)
        world.nodes[world.copies(of: "k")[1]].items["k"] = nil
        _ = world.ask("get k\r\n", from: client)
        pass(world, milliseconds: 3100)
        #expect(world.disagreements(on: ["k"]).isEmpty && stats(world).repairs.done[.check] == 1)
    }

    /// Another proxy's delete found nothing on the copy just before it got the item back, and then took the source's.
    @Test func whatIsDeletedWhileACopyGetsItBackIsDeletedThere() {
        let world = world()
        let client = fill(world)
        let copies = world.copies(of: "k")
        world.nodes[copies[1]].items["k"] = nil
        _ = world.ask("get k\r\n", from: client)
        pass(world, milliseconds: 2500)
        world.slowness = 2
        for _ in 0..<500 where !world.nodes[copies[1]].seen.contains(where: { $0.hasPrefix("ms k ") }) {
            world.now += 1_000_000
            world.turn()
        }
        #expect(world.nodes[copies[1]].items["k"] != nil)
        world.nodes[copies[0]].items["k"] = nil
        for _ in 0..<1000 {
            world.now += 1_000_000
            world.turn()
        }
        #expect(world.nodes[copies[1]].items["k"] == nil)
        #expect(stats(world).repairs.waiting == 0 && stats(world).repairs.done[.check] == 1)
        world.expectRest()
    }

    /// It was evicted, or its node came back empty: what is left is not taken away.
    @Test func whatThePrimaryLostIsLeftAlone() {
        let world = world()
        let client = fill(world)
        let copies = world.copies(of: "k")
        world.nodes[copies[0]].items["k"] = nil
        #expect(world.ask("get k\r\n", from: client) == "END\r\n")
        pass(world, milliseconds: 3100)
        #expect(world.nodes[copies[1]].items["k"]?.data == Array("abc".utf8))
        #expect(stats(world).consistency.differing == 1 && stats(world).repairs.queued.total == 0)
        world.expectRest()
    }

    /// It may have missed writes, that only another worker knows of.
    @Test(arguments: [false, true]) func keysOfANodeThatHasBeenDownAreLeftAlone(goesLater: Bool) {
        let world = world()
        let client = fill(world)
        let copies = world.copies(of: "k")
        func bounce() {
            world.judge(node: copies[0], isUp: false)
            world.judge(node: copies[0], isUp: true)
        }
        if !goesLater { bounce() }
        world.nodes[copies[0]].items["k"]!.data = Array("old".utf8)
        #expect(world.ask("get k\r\n", from: client) == "VALUE k 5 3\r\nold\r\nEND\r\n")
        pass(world, milliseconds: 1000)
        #expect(stats(world).consistency.differing == 1)
        #expect(stats(world).repairs.queued[.check] == (goesLater ? 1 : 0))
        if goesLater { bounce() }
        pass(world, milliseconds: 3000)
        #expect(world.nodes[copies[1]].items["k"]?.data == Array("abc".utf8))
        #expect(stats(world).repairs.waiting == 0 && stats(world).repairs.abandoned == (goesLater ? 1 : 0))
        world.expectRest()
    }

    /// They may be stale, and a look would take from clients the right to replace them.
    @Test func keysOfMgAndMdAreNotChecked() {
        let world = world()
        let client = fill(world)
        let before = stats(world).consistency.agreeing
        _ = world.ask("mg k v\r\n", from: client)
        pass(world)
        _ = world.ask("md k I T30\r\n", from: client)
        pass(world)
        #expect(stats(world).consistency.agreeing == before && stats(world).consistency.differing == 0)
    }

    @Test func whatIsNowhereSaysNothing() {
        let world = world()
        let client = world.connect()
        #expect(world.ask("get none\r\n", from: client) == "END\r\n")
        pass(world)
        #expect(stats(world).consistency.ratio == nil)
        #expect(world.nodes.contains { $0.seen.contains("mg none f t s c u") }, "it was looked for")
        world.expectRest()
    }

    /// The check has begun, and its nodes answer late.
    @Test func aCheckThatAWriteOverlapsDoesNotCount() {
        let world = world()
        let client = fill(world)
        let before = stats(world).consistency.agreeing
        for node in world.nodes.indices { world.nodes[node].isFrozen = true }
        world.send("get k\r\n", from: client)
        for _ in 0..<4 {
            world.now += 10_000_000
            world.run()
        }
        world.send("set k 0 0 3\r\nnew\r\n", from: client)
        world.run()
        for node in world.nodes.indices { world.nodes[node].isFrozen = false }
        world.run()
        #expect(world.take(client) == "VALUE k 5 3\r\nabc\r\nEND\r\nSTORED\r\n")
        world.settle()
        #expect(stats(world).consistency.agreeing == before && stats(world).consistency.differing == 0)
        #expect(world.disagreements(on: ["k"]).isEmpty)
        world.expectRest()
    }

    @Test func oneKeyAnIntervalIsTaken() {
        let world = world(checks: 10)
        let client = world.connect()
        for number in 0..<500 {
            _ = world.ask("set key\(number) 0 0 1\r\nx\r\n", from: client)
            world.now += 1_000_000
        }
        pass(world)
        #expect((5...6).contains(stats(world).consistency.agreeing))
        #expect(world.nodes.reduce(0) { $0 + $1.seen.count { $0.hasPrefix("mg ") } } <= 4 * 6)
    }

    @Test func anyKeyOfAGetOfSeveralIsTaken() {
        let world = world(checks: 1000)
        let client = world.connect()
        let keys = (0..<4).map { "several\($0)" }
        for key in keys { _ = world.ask("set \(key) 0 0 1\r\nx\r\n", from: client) }
        pass(world)
        let before = world.nodes[0].seen.count
        for _ in 0..<60 {
            _ = world.ask("get \(keys.joined(separator: " "))\r\n", from: client)
            pass(world, milliseconds: 50)
        }
        for key in keys {
            #expect(
                world.nodes.contains { $0.seen.dropFirst(before).contains { $0.hasPrefix("mg \(key) ") } }, "\(key)")
        }
    }

    /// A look at what `md I` made stale would take from a client the right to replace it.
    @Test(arguments: ["mg k v\r\n", "md k q\r\nmg k\r\n"]) func whatMayBeStaleIsNotLookedAt(command: String) {
        let world = world()
        let client = fill(world)
        let before = world.nodes.map { $0.seen.count { $0.hasPrefix("mg k f t s c") } }
        _ = world.ask(command, from: client)
        pass(world)
        #expect(world.nodes.map { $0.seen.count { $0.hasPrefix("mg k f t s c") } } == before)
    }

    @Test func itCanBeOff() {
        let world = world(checks: 0)
        let client = fill(world)
        _ = world.ask("get k\r\n", from: client)
        pass(world)
        #expect(stats(world).consistency.ratio == nil)
        #expect(world.nodes.allSatisfy { !$0.seen.contains { $0.hasPrefix("mg ") } })
    }

    /// With one live copy there is nothing to compare.
    @Test func aKeyWithOneLiveCopyIsNotChecked() {
        let world = world()
        let client = fill(world)
        world.judge(node: world.copies(of: "k")[1], isUp: false)
        let before = stats(world).consistency
        _ = world.ask("get k\r\n", from: client)
        pass(world)
        #expect(stats(world).consistency.agreeing == before.agreeing && stats(world).consistency.differing == 0)
        world.expectRest()
    }
}
