import Bytes
import DroverTesting
import Telemetry
import Testing

@testable import ProxyCore

/// Replies of pools with copies that once were not what one memcached sends.
struct CopiesReplyTests {
    private let world = World(.twoOfThree, acks: .all, checks: 0, seed: 1)

    @Test func aQuietMaThatMakesItsItemIsTold() {
        let client = world.connect()
        #expect(world.ask("ma n q N60 J5\r\nmn\r\n", from: client) == "HD\r\nMN\r\n")
        #expect(world.ask("ma n q N60 J5 v\r\nmn\r\n", from: client) == "MN\r\n")
        #expect(world.ask("ma m q N60 J50 v k Ox\r\nmn\r\n", from: client) == "VA 2 km Ox\r\n50\r\nMN\r\n")
        let shown = world.ask("ma o q N60 J5 c\r\nmn\r\nmg o c\r\n", from: client).split(separator: "\r\n")
        #expect(shown.count == 3 && shown[0] == shown[2] && shown[0].hasPrefix("HD c") && shown[1] == "MN", "\(shown)")
        #expect(world.ask("ma m q N60 MD\r\nma absent q\r\nmn\r\n", from: client) == "NF\r\nMN\r\n")
        world.settle()
        for node in world.copies(of: "n") { #expect(world.nodes[node].items["n"]?.data == [0x36], "node \(node)") }
        for node in world.copies(of: "m") { #expect(world.nodes[node].items["m"]?.data == [0x34, 0x39]) }
        world.expectRest()
    }

    /// It is known then that it was not made: the other copy counts too, and there is nothing to compare by a repair.
    @Test func aQuietMaThatCountsNeedsNoRepair() {
        let client = world.connect()
        _ = world.ask("set n 0 0 1\r\n5\r\n", from: client)
        #expect(world.ask("ma n q N60 J5 v\r\nmn\r\n", from: client) == "MN\r\n")
        world.settle()
        let homes = world.copies(of: "n")
        #expect(world.nodes[homes[0]].seen.filter { $0.hasPrefix("m") } == ["ma n q N60 J5 v", "mn"])
        #expect(world.nodes[homes[1]].seen.filter { $0.hasPrefix("m") } == ["ma n J5"])
        #expect(world.nodes[homes[1]].items["n"]?.data == [0x36])
    }

    @Test func aQuietMaComparesTheCASNumberOfItsNode() {
        let client = world.connect()
        _ = world.ask("set n 0 0 1\r\n5\r\n", from: client)
        let shown = world.ask("mg n c\r\n", from: client).dropFirst(4).dropLast()
        #expect(world.ask("ma n N60 C\(shown) q\r\nmn\r\n", from: client) == "MN\r\n")
        #expect(world.ask("ma n N60 C\(shown) q\r\nmn\r\n", from: client) == "EX\r\nMN\r\n")
        let plain = world.nodes[world.copies(of: "n")[0]].seen.filter { $0.hasPrefix("ma") }
        #expect(plain.count == 2 && plain.allSatisfy { !$0.contains(shown) && $0.hasSuffix(" q") }, "\(plain)")
    }

    /// The second copy kept it, for whoever read that one.
    @Test func aValueOverTheLimitTakesTheOldOneFromAllCopies() {
        let client = world.connect()
        _ = world.ask("set k 0 0 1\r\nx\r\nms bGFyZ2U= 1 b\r\ny\r\n", from: client)
        #expect(world.nodes.reduce(0) { $0 + $1.items.count } == 4)
        let body = String(repeating: "v", count: 1 << 20 + 1)
        for line in ["set k 0 0 \(body.utf8.count)", "ms bGFyZ2U= \(body.utf8.count) b"] {
            #expect(
                world.ask("\(line)\r\n\(body)\r\n", from: client) == "SERVER_ERROR object too large for cache\r\n")
        }
        world.settle()
        #expect(world.nodes.allSatisfy { $0.items.isEmpty })
        world.expectRest()
    }

    @Test func aGatOfAKeyTwiceFindsItExpiredTheSecondTime() {
        let client = world.connect()
        _ = world.ask("set k 0 0 1\r\nx\r\nset l 0 0 1\r\ny\r\n", from: client)
        #expect(
            world.ask("gat -1 k l none k l\r\n", from: client) == "VALUE k 0 1\r\nx\r\nVALUE l 0 1\r\ny\r\nEND\r\n")
        world.settle()
        #expect(world.nodes.allSatisfy { $0.items.isEmpty })
        world.expectRest()
    }

    @Test func aGatOfSeveralTouchesEveryCopy() {
        let client = world.connect()
        _ = world.ask("set k 0 0 1\r\nx\r\nset l 0 0 1\r\ny\r\n", from: client)
        let reply = world.ask("gats 77 none l k\r\n", from: client).split(separator: "\r\n")
        #expect(
            reply.count == 5 && reply[0].hasPrefix("VALUE l 0 1 ") && reply[2].hasPrefix("VALUE k 0 1 "), "\(reply)")
        world.settle()
        for key in ["k", "l"] {
            for node in world.copies(of: key) { #expect(world.nodes[node].items[key]?.time == 77) }
        }
        world.expectRest()
    }

    /// A get of several keys never fails as a whole.
    @Test func aGatOfSeveralLosesOnlyTheKeysOfDeadNodes() throws {
        let client = world.connect()
        let keys = (0..<20).map { "key\($0 * 7919)" }
        for key in keys { _ = world.ask("set \(key) 0 0 1\r\nx\r\n", from: client) }
        world.judge(node: 0, isUp: false)
        world.judge(node: 1, isUp: false)
        let reply = world.ask("gat 77 \(keys.joined(separator: " "))\r\n", from: client)
        let alive = keys.filter { world.copies(of: $0).contains(2) }
        #expect(!alive.isEmpty && alive.count < keys.count)
        #expect(reply == alive.map { "VALUE \($0) 0 1\r\nx\r\n" }.joined() + "END\r\n")
    }

    @Test func meShowsTheCASNumberThatClientsAreShown() throws {
        let client = world.connect()
        for node in world.nodes.indices { world.nodes[node].knowsDebug = true }
        _ = world.ask("set k 0 0 1\r\nx\r\n", from: client)
        let shown = world.ask("mg k c\r\n", from: client).dropFirst(4).dropLast()
        #expect(world.ask("me k\r\n", from: client).contains(" cas=\(shown) "))
        #expect(world.ask("me absent\r\n", from: client) == "EN\r\n")
    }

    /// A repair that looks at a stale item gets the right to replace it, until it gives it back.
    @Test func aRepairTakesTheRightToReplaceAStaleItemFromNoClient() {
        let client = world.connect()
        let homes = world.copies(of: "k")
        _ = world.ask("set k 0 0 1\r\nx\r\nmd k I\r\n", from: client)
        let cas = world.nodes[homes[0]].items["k"]?.cas
        // That the other copy has none is what sets off the repair.
        world.nodes[homes[1]].items["k"] = nil
        world.send("touch k 60\r\n", from: client)
        for _ in 0..<1000 where !world.nodes[homes[0]].seen.contains("mg k f t s c u v") { world.turn() }
        #expect(world.ask("mg k\r\n", from: client) == "TOUCHED\r\nHD X W\r\n")
        world.settle()
        #expect(world.nodes[homes[0]].seen.contains("md k I C\(cas ?? 0) E\(cas ?? 0)"), "it was not given back")
        #expect(world.nodes[homes[0]].items["k"]?.cas == cas)
        world.expectRest()
    }

    /// They go to every copy in one order, so there is nothing to repair.
    @Test func pipelinedWritesOfOneKeyAreNotRepaired() {
        for seed in 1...20 as ClosedRange<UInt64> {
            let world = World(.hybrid, acks: .all, seed: seed)
            let client = world.connect()
            for _ in 0..<2 {
                world.send("set k 0 0 1\r\n1\r\nincr k 5\r\nset k 7 0 1\r\nx\r\nappend k 0 0 1\r\ny\r\n", from: client)
                world.send("delete k\r\nadd k 3 0 1\r\nz\r\nms k 2\r\nab\r\n", from: client)
            }
            world.settle()
            let copies = world.copies(of: "k").map { world.nodes[$0] }
            #expect(copies.allSatisfy { $0.items["k"]?.data == [0x61, 0x62] }, "seed \(seed)")
            #expect(world.engine.poolStats[0].repairs.queued.total == 0, "seed \(seed)")
            let round = "STORED\r\n6\r\nSTORED\r\nSTORED\r\nDELETED\r\nSTORED\r\nHD\r\n"
            #expect(world.take(client) == round + round, "seed \(seed)")
        }
    }

    /// What waits behind a large value on its connection is not overtaken on another.
    @Test func aReadBehindALargeValueSeesTheWriteBeforeIt() {
        for seed in 1...20 as ClosedRange<UInt64> {
            let world = World(.twoOfThree, acks: .one, seed: seed)
            let client = world.connect()
            let big = (0..<100).map { "\($0 * 7919)big" }.first { world.copies(of: $0)[0] == world.copies(of: "k")[0] }!
            let value = String(repeating: "v", count: 300_000)
            world.send("set \(big) 0 0 300000\r\n\(value)\r\nset k 0 0 1\r\nx\r\n", from: client)
            world.settle()
            _ = world.take(client)
            world.send("get \(big)\r\nappend k 0 0 1\r\ny\r\n", from: client)
            for _ in 0..<12 { world.turn() }
            world.send("get k\r\n", from: client)
            world.settle()
            #expect(world.take(client).hasSuffix("END\r\nSTORED\r\nVALUE k 0 2\r\nxy\r\nEND\r\n"), "seed \(seed)")
        }
    }

    /// The acting primary stored and flushed; the other copy flushed first, got the item, and kept it.
    @Test(arguments: [false, true]) func whatAFlushOvertakesIsOnNoCopyAlone(hangsUp: Bool) {
        let (writer, flusher) = (world.connect(), world.connect())
        for key in ["one", "two", "three"] { world.send("add \(key) 0 0 1\r\n5\r\n", from: writer) }
        world.send("flush_all\r\n", from: flusher)
        if hangsUp {
            world.turn()
            world.close(client: flusher)
        }
        world.settle()
        #expect(world.disagreements(on: ["one", "two", "three"]) == [])
        #expect(world.ask("set one 0 0 1\r\n6\r\n", from: writer).hasSuffix("STORED\r\n"))
        let repaired = world.engine.poolStats[0].repairs.queued.total
        world.settle()
        #expect(world.engine.poolStats[0].repairs.queued.total == repaired, "the flush is over")
    }
}
