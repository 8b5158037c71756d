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

    /// Clients that each ask for the value and do not read it.
    private func addSlow(_ count: Int, to world: World) -> [UInt32] {
        let slow = (0..<count).map { _ in world.connect() }
        for client in slow {
            world.update(client: client) { $0.isReading = false }
            world.send("get v\r\n", from: client)
        }
        return slow
    }

    @Test func repliesThatFindNoMemoryAreCutOffAndCounted() {
        let (world, reader) = worldWithItem()
        let slow = addSlow(12, to: world)
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
            slow += addSlow(1, to: world)
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

    /// What comes for a client after some of its reply was lost could pass for the rest of the value.
    @Test func nothingFollowsWhatWasCutOff() {
        let (world, _) = worldWithItem()
        world.mostBytes = 20_000
        var generator = SeededGenerator.fromEnvironment()
        for round in 0..<40 {
            let clients = addSlow(8, to: world)
            for client in clients { world.send("mn\r\nget v\r\nmn\r\n", from: client) }
            for _ in 0..<Int.random(in: 1..<40, using: &generator) { world.turn() }
            for client in clients { world.startReading(client) }
            world.run()
            for client in clients {
                let answer = world.take(client)
                let (replies, isCut) = Self.replies(in: answer)
                #expect(replies != nil, "round \(round), DROVER_SEED=\(generator.seed), \(answer.count) bytes")
                #expect(world.isOpen(client) ? replies == 4 && !isCut : replies ?? 0 < 4)
                world.close(client: client)
            }
            world.run()
            world.expectRest()
        }
    }

    /// How many whole replies there are, and whether part of one follows; nil when something else stands there.
    private static func replies(in answer: String) -> (whole: Int?, isCut: Bool) {
        let known = [reply, "MN\r\n", "SERVER_ERROR out of memory\r\n"].map { Array($0.utf8) }
        var rest = Array(answer.utf8)[...]
        var count = 0
        while !rest.isEmpty {
            if let next = known.first(where: { rest.starts(with: $0) }) {
                rest = rest.dropFirst(next.count)
                count += 1
            } else {
                return (known.contains { $0.starts(with: rest) } ? count : nil, true)
            }
        }
        return (count, false)
    }

    @Test func requestsWhoseClientGoesAwayAreCounted() {
        let world = World(nodes: 1)
        let client = world.connect()
        world.nodes[0].isFrozen = true
        #expect(world.ask("get a\r\nget b\r\n", from: client) == "")
        world.close(client: client)
        #expect(world.engine.poolStats[0].errors[.clientGone] == 2)
        let other = world.connect()
        #expect(world.ask("mn\r\nquit\r\n", from: other) == "MN\r\n")
        #expect(world.engine.poolStats[0].errors[.clientGone] == 2, "one that was answered lost nothing")
        world.nodes[0].isFrozen = false
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
}
