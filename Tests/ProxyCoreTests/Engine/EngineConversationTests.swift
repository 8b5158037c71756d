import Bytes
import DroverTesting
import Telemetry
import Testing

@testable import ProxyCore

extension World {
    /// Nothing is under way, and nothing was left behind.
    func expectRest(_ place: SourceLocation = #_sourceLocation) {
        #expect(engine.requests.count == 0, "requests", sourceLocation: place)
        #expect(engine.calls.count == 0, "calls", sourceLocation: place)
        #expect(engine.pieces.count == 0, "pieces", sourceLocation: place)
        #expect(engine.hedgeWaits.count == 0 && engine.doubledReads == 0, "hedges", sourceLocation: place)
        #expect(engine.fills.count == 0, "back-fills", sourceLocation: place)
        #expect(engine.fans.count == 0, "fans", sourceLocation: place)
        #expect(engine.missWaits.count == 0, "writes that wait", sourceLocation: place)
        #expect(engine.lockWaits.isEmpty && engine.locks.areFree, "keys of a worker", sourceLocation: place)
        // Each connection may keep the chunk that it is filling, and so may the engine.
        #expect(engine.queues.chunks.inUse <= links.count + 1, "chunks", sourceLocation: place)
    }
}

@Suite struct EngineConversationTests {
    @Test func pipelineIsAnsweredInOrder() {
        let world = World()
        let client = world.connect()
        let answer = world.ask(
            "get a\r\nset a 5 0 2\r\nhi\r\nget a\r\ngets a\r\ndelete a\r\nget a\r\nmn\r\nversion\r\nwhat\r\nmg a v\r\n",
            from: client)
        #expect(
            answer == "END\r\nSTORED\r\nVALUE a 5 2\r\nhi\r\nEND\r\nVALUE a 5 2 7\r\nhi\r\nEND\r\nDELETED\r\nEND\r\n"
                + "MN\r\nVERSION 1.6.38\r\nERROR\r\nEN\r\n")
        world.expectRest()
    }

    /// More requests than there are rows once trapped: hostile pipelines could end the process.
    @Test func pipelinesDeeperThanAllRowsWaitAndAreAnswered() {
        let world = World(rows: 64)
        let clients = (0..<20).map { _ in world.connect() }
        for client in clients { world.send(String(repeating: "get a\r\n", count: 100), from: client) }
        world.run()
        for client in clients {
            #expect(world.take(client) == String(repeating: "END\r\n", count: 100))
        }
        world.expectRest()
    }

    @Test func aGetOfMoreKeysThanThereAreRowsIsRefused() {
        let world = World(rows: 64)
        let client = world.connect()
        let line = "get " + (0..<65).map { "key\($0)" }.joined(separator: " ") + "\r\n"
        #expect(world.ask(line + "mn\r\n", from: client) == "SERVER_ERROR out of memory\r\nMN\r\n")
        world.expectRest()
    }

    @Test func quietCommandsAreSentAloudAndAnsweredSilently() {
        let world = World(nodes: 1)
        let client = world.connect()
        let answer = world.ask(
            "set a 0 0 1 noreply\r\nx\r\ndelete b noreply\r\nms c 1 q\r\ny\r\nmg d v q\r\nmg c v q\r\nmn\r\n",
            from: client)
        #expect(answer == "VA 1\r\ny\r\nMN\r\n")
        #expect(world.nodes[0].seen == ["version", "set a 0 0 1", "delete b", "ms c 1", "mg d v", "mg c v"])
        world.expectRest()
    }

    @Test func multigetKeepsTheOrderOfItsKeys() {
        let world = World()
        let client = world.connect()
        for key in 0..<40 where key % 3 != 0 {
            #expect(world.ask("set key\(key) 0 0 2\r\n\(10 + key)\r\n", from: client) == "STORED\r\n")
        }
        let keys = (0..<40).reversed() + [1, 1, 3]
        let expected = keys.filter { $0 % 3 != 0 }.map { "VALUE key\($0) 0 2\r\n\(10 + $0)\r\n" }.joined() + "END\r\n"
        let line = "get " + keys.map { "key\($0)" }.joined(separator: " ") + "\r\n"
        for most in [nil, 1, 7, 100] {
            world.mostBytes = most
            #expect(world.ask(line + "mn\r\n" + line, from: client) == expected + "MN\r\n" + expected)
        }
        world.expectRest()
    }

    @Test func multigetThatFillsMoreThanAChunkIsTakenApart() {
        let world = World()
        let client = world.connect()
        let keys = (0..<900).map { "key-\($0)-" + String(repeating: "x", count: 100) }
        for key in keys { _ = world.ask("set \(key) 0 0 1\r\n1\r\n", from: client) }
        let answer = world.ask("get " + keys.joined(separator: " ") + "\r\n", from: client)
        #expect(answer == keys.map { "VALUE \($0) 0 1\r\n1\r\n" }.joined() + "END\r\n")
        world.expectRest()
    }

    @Test func everyCutGivesTheSameAnswer() {
        let script =
            "set a 0 0 4\r\n1\r\n2\r\nget a b\r\nset b 0 0 1 noreply\r\n7\r\nget b a\r\nset c 0 0 1\r\nlong\r\nmg a v\r\n"
            + "get a\r\nmn\r\n"
        let whole = World()
        let expected = whole.ask(script, from: whole.connect())
        #expect(expected.contains("CLIENT_ERROR bad data chunk"))
        for cut in 1..<script.utf8.count {
            let world = World()
            let client = world.connect()
            world.send(String(script.prefix(cut)), from: client)
            world.run()
            world.send(String(script.dropFirst(cut)), from: client)
            world.run()
            #expect(world.take(client) == expected, "cut at \(cut)")
            world.expectRest()
        }
    }

    @Test func aByteAtATimeGivesTheSameAnswer() {
        let world = World()
        let client = world.connect()
        world.mostBytes = 1
        #expect(
            world.ask("set a 0 0 3\r\nabc\r\nget a\r\nget a b a\r\nmg a v\r\nversion\r\n", from: client)
                == "STORED\r\nVALUE a 0 3\r\nabc\r\nEND\r\nVALUE a 0 3\r\nabc\r\nVALUE a 0 3\r\nabc\r\nEND\r\nVA 3\r\nabc\r\n"
                + "VERSION 1.6.38\r\n")
        world.expectRest()
    }

    @Test func flushAndStatsAskEveryNode() {
        let world = World()
        let client = world.connect()
        #expect(world.ask("flush_all\r\n", from: client) == "OK\r\n")
        #expect(world.nodes.allSatisfy { $0.seen == ["version", "flush_all"] })
        world.expectRest()
    }

    @Test func statsNodesWaitsForTheFiguresOfAllWorkers() {
        let world = World(nodes: 2)
        let (client, other) = (world.connect(), world.connect())
        #expect(world.ask("stats nodes\r\nmn\r\n", from: client).isEmpty)
        #expect(world.ask("stats nodes\r\nmn\r\n", from: other).isEmpty)
        world.close(client: other)
        var stats = [NodeStats(), NodeStats()]
        (stats[0].requests, stats[1].requests) = (7, 8)
        world.answerFigures(stats)
        world.run()
        let answer = world.take(client)
        #expect(answer.contains("STAT node:127.0.0.1:11211:requests 7\r\n"))
        #expect(answer.contains("STAT node:127.0.0.1:11212:requests 8\r\n"))
        #expect(answer.hasSuffix("\r\nEND\r\nMN\r\n"))
        world.expectRest()
    }

    @Test func quitEndsAfterWhatWasAskedBefore() {
        let world = World()
        let client = world.connect()
        #expect(world.ask("get a\r\nquit\r\nget b\r\n", from: client) == "END\r\n")
        #expect(!world.isOpen(client))
        world.expectRest()
    }

    @Test func pipelineBeyondItsLimitWaitsAndIsAnsweredInFull() {
        let world = World(change: { $0.limits.pipeline = 8 })
        let client = world.connect()
        #expect(
            world.ask(String(repeating: "get a\r\n", count: 100), from: client)
                == String(repeating: "END\r\n", count: 100))
        world.expectRest()
    }

    /// Many clients with keys of their own, bytes in pieces of any size: each must see what it alone has written.
    @Test(arguments: [1, 16, 400, 100_000]) func randomConversations(mostBytes: Int) {
        var generator = SeededGenerator.fromEnvironment()
        let world = World(seed: generator.next())
        world.mostBytes = mostBytes
        var scripts = (0..<6).map { ClientScript(number: $0, id: world.connect()) }
        for _ in 0..<30 {
            for index in scripts.indices { world.send(scripts[index].more(&generator), from: scripts[index].id) }
            for _ in 0..<Int.random(in: 0..<3, using: &generator) { world.turn() }
        }
        world.run()
        for script in scripts {
            #expect(world.take(script.id) == script.expected, "DROVER_SEED=\(generator.seed), client \(script.number)")
        }
        world.expectRest()
    }
}

/// What one client says, and what it must hear.
private struct ClientScript {
    let number: Int
    let id: UInt32
    var expected = ""
    private var items: [Int: String] = [:]

    init(number: Int, id: UInt32) {
        self.number = number
        self.id = id
    }

    mutating func more(_ generator: inout SeededGenerator) -> String {
        var text = ""
        for _ in 0..<Int.random(in: 1..<8, using: &generator) { text += one(&generator) }
        return text
    }

    private mutating func one(_ generator: inout SeededGenerator) -> String {
        let key = Int.random(in: 0..<12, using: &generator)
        switch Int.random(in: 0..<8, using: &generator) {
        case 0, 1, 2:
            let length = generator.once(in: 20) ? 20_000 : Int.random(in: 0..<300, using: &generator)
            let value = String(repeating: String(key % 10), count: length)
            let isQuiet = generator.once(in: 4)
            items[key] = value
            if !isQuiet { expected += "STORED\r\n" }
            return "set \(name(key)) 0 0 \(length)\(isQuiet ? " noreply" : "")\r\n\(value)\r\n"
        case 3:
            expected += items.removeValue(forKey: key) == nil ? "NOT_FOUND\r\n" : "DELETED\r\n"
            return "delete \(name(key))\r\n"
        case 4:
            let keys = (0..<Int.random(in: 2..<12, using: &generator)).map { _ in
                Int.random(in: 0..<12, using: &generator)
            }
            expected += keys.map(found).joined() + "END\r\n"
            return "get \(keys.map(name).joined(separator: " "))\r\n"
        case 5:
            expected += items[key].map { "VA \($0.count)\r\n\($0)\r\n" } ?? ""
            return "mg \(name(key)) v q\r\n"
        default:
            expected += found(key) + "END\r\n"
            return "get \(name(key))\r\n"
        }
    }

    private func name(_ key: Int) -> String { "c\(number):\(key)" }

    private func found(_ key: Int) -> String {
        items[key].map { "VALUE \(name(key)) 0 \($0.count)\r\n\($0)\r\n" } ?? ""
    }
}
