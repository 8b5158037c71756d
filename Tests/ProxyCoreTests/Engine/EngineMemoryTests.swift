import Bytes
import DroverTesting
import MemcacheProtocol
import Telemetry
import Testing

@testable import ProxyCore

/// What happens when buffers run short, and when they have run out.
@Suite struct EngineMemoryTests {
    private static let value = String(repeating: "y", count: 200_000)
    private static let reply = "VALUE v 0 200000\r\n\(value)\r\nEND\r\n"

    private func worldWithItem(memory: Int = 1 << 20) -> (World, UInt32) {
        let world = World(nodes: 1, memory: memory)
        let client = world.connect()
        #expect(world.ask("set v 0 0 200000\r\n\(Self.value)\r\n", from: client) == "STORED\r\n")
        return (world, client)
    }

    @Test func repliesThatFindNoMemoryAreCutOffAndCounted() {
        let (world, reader) = worldWithItem()
        let slow = (0..<12).map { _ in world.connectSlow(asking: "get v\r\n") }
        world.run()
        #expect(world.engine.queues.memoryInUse <= 1 << 20)
        let errors = world.engine.poolStats[0].errors
        #expect(errors[.memoryLimit] > 0)
        #expect(Int(errors[.memoryLimit] + errors[.slowClient]) >= slow.count { !world.isOpen($0) })
        #expect(world.ask("get v\r\n", from: reader) == Self.reply, "with the slow ones still there")
        for client in slow { world.close(client: client) }
        world.run()
        world.expectRest()
    }

    @Test func theHeaviestHoldersAreClosedBeforeMemoryRunsOut() {
        let (world, reader) = worldWithItem()
        var slow: [UInt32] = []
        for _ in 0..<12 {
            slow.append(world.connectSlow(asking: "get v\r\n"))
            world.run()
            #expect(world.ask("get v\r\n", from: reader) == Self.reply)
        }
        let errors = world.engine.poolStats[0].errors
        #expect(errors[.memoryLimit] == 0)
        #expect(errors[.slowClient] > 0)
        #expect(errors[.slowClient] == UInt64(slow.count { !world.isOpen($0) }))
        #expect(world.isOpen(reader))
        for client in slow { world.close(client: client) }
        world.run()
        world.expectRest()
    }

    @Test func dataBlocksThatNeverEndAreGivenUp() {
        let (world, reader) = worldWithItem()
        let slow = (0..<10).map { _ in world.connect() }
        for client in slow {
            world.send("set b 0 0 200000\r\n\(Self.value.prefix(150_000))", from: client)
            world.run()
            #expect(world.ask("get v\r\n", from: reader) == Self.reply)
        }
        #expect(world.engine.poolStats[0].errors[.slowClient] > 0)
        for client in slow { world.close(client: client) }
        world.run()
        world.expectRest()
    }

    @Test(
        arguments: [
            (.keyTooLong, .keyTooLong), (.badCommandLine, .malformedRequest), (.tooLarge, .valueTooLarge),
            (.reservedKey, .reservedKey), (.lineTooLong, .lineTooLong), (.error, .malformedRequest),
        ] as [(ReplyText, ErrorCause)])
    func refusalsAreCountedUnderTheirCause(reply: ReplyText, cause: ErrorCause) {
        #expect(Refusal(reply: reply, consumed: 1).cause == cause)
    }

    /// With `acks: one` a client goes on while the other copy hangs, and each of its writes still waits for that.
    @Test func writesThatWaitForAHangingCopyAreBounded() {
        let world = World(nodes: 2, rows: 64, change: { ($0.replicas, $0.acks, $0.checks) = (2, .one, 0) })
        let client = world.connect()
        #expect(world.ask("set k 0 0 1\r\n0\r\n", from: client) == "STORED\r\n")
        world.nodes[world.copies(of: "k")[1]].isFrozen = true
        let answers = (1...1500).map { world.ask("set k 0 0 1\r\n\($0 % 10)\r\n", from: client) }
        #expect(answers.prefix(20).allSatisfy { $0 == "STORED\r\n" })
        #expect(answers.last == "SERVER_ERROR out of memory\r\n")
        #expect(world.engine.poolStats[0].errors[.memoryLimit] > 0)
        world.nodes[world.copies(of: "k")[1]].isFrozen = false
        world.settle()
        #expect(world.ask("set k 0 0 1\r\n0\r\n", from: client) == "STORED\r\n")
        world.settle()
        #expect(world.disagreements(on: ["k"]) == [])
        world.expectRest()
    }
}
