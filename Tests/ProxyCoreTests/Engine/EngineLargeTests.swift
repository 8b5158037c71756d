import Bytes
import DroverTesting
import Telemetry
import Testing

@testable import ProxyCore

@Suite struct EngineLargeTests {
    private static let size = 1_000_000
    private static let value = String(repeating: "0123456789", count: size / 10)

    private func worldWithLargeItem(memory: Int = 64 << 20) -> (World, UInt32) {
        let world = World(nodes: 1, memory: memory)
        let client = world.connect()
        #expect(world.ask("set big 0 0 \(Self.size)\r\n\(Self.value)\r\n", from: client) == "STORED\r\n")
        #expect(world.ask("set a 0 0 1\r\nx\r\n", from: client) == "STORED\r\n")
        return (world, client)
    }

    @Test func largeValuesPassBothWays() {
        let (world, client) = worldWithLargeItem()
        world.mostBytes = 50_000
        #expect(
            world.ask("get big\r\nget a\r\nget a big a\r\n", from: client)
                == "VALUE big 0 \(Self.size)\r\n\(Self.value)\r\nEND\r\nVALUE a 0 1\r\nx\r\nEND\r\n"
                + "VALUE a 0 1\r\nx\r\nVALUE big 0 \(Self.size)\r\n\(Self.value)\r\nVALUE a 0 1\r\nx\r\nEND\r\n")
        world.expectRest()
    }

    /// A set whose block came in two parts once passed by the set before it: the older value stayed.
    @Test func aBlockInPartsDoesNotOvertakeWhatWaitsBehindALargeValue() {
        let (world, client) = worldWithLargeItem()
        world.mostBytes = 10_000
        world.send("get big\r\nset a 0 0 1\r\n1\r\nset a 0 0 2\r\n2", from: client)
        for _ in 0..<8 { world.turn() }
        #expect(world.engine.clients[client].blockers == 1)
        world.send("2\r\nget a\r\n", from: client)
        for _ in 0..<8 { world.turn() }
        #expect(!world.nodes[0].seen.contains("set a 0 0 2"))
        world.run()
        #expect(world.take(client).hasSuffix("END\r\nSTORED\r\nSTORED\r\nVALUE a 0 2\r\n22\r\nEND\r\n"))
        world.expectRest()
    }

    @Test func aClientThatDoesNotReadStopsOnlyItsOwnConnection() {
        let (world, client) = worldWithLargeItem()
        world.mostBytes = 50_000
        let slow = world.connectSlow(asking: "get big\r\n")
        world.run()
        #expect(world.links.values.contains { $0.isPaused })
        #expect(world.engine.queues.memoryInUse < 512 * 1024)
        #expect(world.ask("get a\r\n", from: client) == "VALUE a 0 1\r\nx\r\nEND\r\n")
        world.now += 10_000_000_000
        world.run()
        #expect(world.engine.nodeStats[0].errors[.timeout] == 0, "a paused connection is not late")
        world.startReading(slow)
        world.run()
        #expect(world.take(slow) == "VALUE big 0 \(Self.size)\r\n\(Self.value)\r\nEND\r\n")
        world.expectRest()
    }

    /// It grew by all of the values but the first.
    @Test func aPipelineOfLargeValuesThatNobodyReadsIsNotHeld() {
        let (world, client) = worldWithLargeItem()
        world.mostBytes = 50_000
        let slow = world.connectSlow(asking: "get big\r\nget big\r\nget a\r\n")
        world.run()
        #expect(world.links.values.contains { $0.isPaused })
        #expect(world.engine.queues.memoryInUse < 512 * 1024)
        #expect(world.ask("get a\r\n", from: client) == "VALUE a 0 1\r\nx\r\nEND\r\n")
        world.startReading(slow)
        world.run()
        let big = "VALUE big 0 \(Self.size)\r\n\(Self.value)\r\nEND\r\n"
        #expect(world.take(slow) == big + big + "VALUE a 0 1\r\nx\r\nEND\r\n")
        world.expectRest()
    }

    @Test func aClientThatGoesAwayFreesThePausedConnection() {
        let (world, client) = worldWithLargeItem()
        world.mostBytes = 50_000
        let slow = world.connectSlow(asking: "get big\r\n")
        world.run()
        world.close(client: slow)
        world.run()
        #expect(!world.links.values.contains { $0.isPaused })
        #expect(world.ask("get a\r\n", from: client) == "VALUE a 0 1\r\nx\r\nEND\r\n")
        world.expectRest()
    }

    @Test func aNodeThatDiesInAValueCutsItsClientOff() {
        let (world, client) = worldWithLargeItem()
        world.mostBytes = 10_000
        world.send("get big\r\nmn\r\n", from: client)
        for _ in 0..<8 { world.turn() }
        world.breakLinks(to: 0)
        world.run()
        let answer = world.take(client)
        #expect(answer.hasPrefix("VALUE big 0 \(Self.size)\r\n0123"))
        let isAlone = "VALUE big 0 \(Self.size)\r\n\(Self.value)".hasPrefix(answer)
        #expect(isAlone, "what follows half a value would be taken for the rest of it")
        #expect(!world.isOpen(client))
        world.expectRest()
    }

    @Test func aClientThatDiesInALargeBlockTakesItsConnectionAlong() {
        let (world, client) = worldWithLargeItem()
        let other = world.connect()
        world.send("set big2 0 0 \(Self.size)\r\n\(Self.value.prefix(600_000))", from: client)
        world.run()
        world.close(client: client)
        world.run()
        #expect(world.nodes[0].items["big2"] == nil)
        #expect(world.ask("get a\r\n", from: other) == "VALUE a 0 1\r\nx\r\nEND\r\n")
        world.expectRest()
    }

    @Test func aLargeBlockThatTheNodeDoesNotTakeWaits() {
        let world = World(nodes: 1)
        let client = world.connect()
        world.refusing = [0]
        #expect(
            world.ask("set big 0 0 \(Self.size)\r\n\(Self.value)\r\nmn\r\n", from: client)
                == "SERVER_ERROR node connection failed\r\nMN\r\n")
        world.expectRest()
    }

    @Test func aNodeThatAnswersBeforeItHasTheWholeBlockIsNotSpokenToAgainThere() {
        let (world, client) = worldWithLargeItem()
        world.send("set big2 0 0 \(Self.size)\r\n\(Self.value.prefix(600_000))", from: client)
        world.run()
        world.inject("SERVER_ERROR out of memory storing object\r\n", fromNode: 0)
        world.run()
        world.send("\(Self.value.dropFirst(600_000))\r\nget a\r\n", from: client)
        world.run()
        #expect(
            world.take(client)
                == "SERVER_ERROR out of memory storing object\r\nVALUE a 0 1\r\nx\r\nEND\r\n")
        world.expectRest()
    }

    @Test func tooLargeABlockIsSwallowed() {
        let world = World(nodes: 1)
        let client = world.connect()
        world.mostBytes = 100_000
        let size = 2 << 20
        let block = String(repeating: "x", count: size)
        #expect(
            world.ask("set big 0 0 \(size)\r\n\(block)\r\nmn\r\n", from: client)
                == "SERVER_ERROR object too large for cache\r\nMN\r\n")
        world.expectRest()
    }

}
