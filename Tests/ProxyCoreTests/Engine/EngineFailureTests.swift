import Bytes
import DroverTesting
import Telemetry
import Testing

@testable import ProxyCore

@Suite struct EngineFailureTests {
    @Test func aReadIsSentOnceMoreWhenItsConnectionDies() {
        let world = World(nodes: 1)
        let client = world.connect()
        _ = world.ask("set a 0 0 1\r\nx\r\n", from: client)
        #expect(world.askAndLose("get a\r\n", from: client) == "VALUE a 0 1\r\nx\r\nEND\r\n")
        #expect(world.linksOpened == 2)
        #expect(world.engine.poolStats[0].retries == 1)
        world.expectRest()
    }

    @Test func aReadThatFailsTwiceIsAnError() {
        let world = World(nodes: 1)
        let client = world.connect()
        world.nodes[0].isFrozen = true
        #expect(world.ask("get a\r\nget a b\r\n", from: client) == "")
        for _ in 0..<2 {
            world.nodes[0].isFrozen = false
            world.refusing = [0]
            world.breakLinks(to: 0)
            world.run()
        }
        #expect(world.take(client) == "SERVER_ERROR node connection failed\r\nEND\r\n")
        world.expectRest()
    }

    @Test func aWriteIsNeverSentTwice() {
        let world = World(nodes: 1)
        let client = world.connect()
        _ = world.ask("mn\r\nget a\r\n", from: client)
        #expect(
            world.askAndLose("set a 0 0 1\r\nx\r\nset b 0 0 1 noreply\r\nx\r\nmn\r\n", from: client)
                == "SERVER_ERROR node connection failed\r\nMN\r\n")
        #expect(world.nodes[0].items.isEmpty)
        #expect(world.engine.nodeStats[0].errors[.connectionLost] == 1, "once for the connection")
        #expect(world.engine.poolStats[0].errors[.connectionLost] == 2, "once for each request")
        world.expectRest()
    }

    /// Whatever changes an item. (A second look at a stale one may hear that somebody else renews it: but a connection
    /// that dies is nearly always that of a server that is gone, with all that was stale.)
    @Test(arguments: ["mg a v R30", "mg a v N30", "mg a v E9", "mg a T30", "gat 10 a", "touch a 10", "incr a 1"])
    func whatMayHaveDoneSomethingIsNotSentTwice(line: String) {
        let world = World(nodes: 1)
        let client = world.connect()
        _ = world.ask("set a 0 0 1\r\nx\r\n", from: client)
        #expect(world.askAndLose(line + "\r\n", from: client) == "SERVER_ERROR node connection failed\r\n")
        #expect(!world.nodes[0].seen.contains(line))
        #expect(world.engine.poolStats[0].retries == 0)
        world.expectRest()
    }

    @Test func aFrozenNodeTimesOutAndOthersGoOn() {
        let world = World(nodes: 4)
        let client = world.connect()
        let keys = (0..<40).map { "key\($0)" }
        for key in keys { _ = world.ask("set \(key) 0 0 1\r\nx\r\n", from: client) }
        let frozen = keys.filter { world.nodes[1].items[$0] != nil }
        #expect(!frozen.isEmpty && frozen.count < keys.count)
        world.nodes[1].isFrozen = true
        #expect(world.ask("get \(keys.joined(separator: " "))\r\nmn\r\n", from: client).contains("MN") == false)
        world.now += 199_000_000
        world.run()
        #expect(world.engine.isBusy)
        #expect(world.nextLook == world.now + 200_000_000)
        world.now += 2_000_000
        world.run()
        #expect(!world.engine.isBusy)
        #expect(world.nextLook == .max)
        #expect(world.engine.nodeStats[1].errors[.timeout] == 1)
        #expect(world.reports.contains { $0.node == 1 && $0.failure == .timeout })
        #expect(world.take(client).hasSuffix("END\r\nMN\r\n"))
        world.expectRest()
    }

    @Test func aNodesOwnErrorIsPassedOnAndCounted() {
        let world = World(nodes: 1)
        #expect(world.ask("me a\r\nget a\r\n", from: world.connect()) == "ERROR\r\nEND\r\n")
        #expect(world.engine.nodeStats[0].errors[.serverError] == 1)
        #expect(world.engine.poolStats[0].errors[.serverError] == 1)
        #expect(world.reports.isEmpty, "its node is well")
        world.expectRest()
    }

    @Test func aNodeThatDoesNotTakeConnectionsIsAnError() {
        let world = World(nodes: 1)
        world.refusing = [0]
        let client = world.connect()
        #expect(
            world.ask("set a 0 0 1\r\nx\r\nmn\r\n", from: client) == "SERVER_ERROR node connection failed\r\nMN\r\n")
        world.refusing = []
        #expect(world.ask("set a 0 0 1\r\nx\r\n", from: client) == "STORED\r\n")
        #expect(world.reports.contains { $0.failure == nil }, "its recovery is reported")
        #expect(world.engine.nodeStats[0].errors[.connectFailed] == 1)
        #expect(world.engine.poolStats[0].errors[.connectFailed] == 1)
        world.expectRest()
    }

    @Test func aNodeThatIsDownAnswersAsThePoolSays() {
        let refusing = World(nodes: 1, isUp: { _ in false }, change: { $0.whenDown = .error })
        #expect(
            refusing.ask("get a\r\nset a 0 0 1\r\nx\r\nget a b\r\n", from: refusing.connect())
                == "SERVER_ERROR node is down\r\nSERVER_ERROR node is down\r\nEND\r\n")
        refusing.expectRest()
        let missing = World(nodes: 1, isUp: { _ in false }, change: { $0.whenDown = .miss })
        #expect(
            missing.ask("get a\r\nset a 0 0 1\r\nx\r\nmg a v\r\n", from: missing.connect())
                == "END\r\nSERVER_ERROR node is down\r\nEN\r\n")
        missing.expectRest()
    }

    /// Its client hears of misses only, so the counter is all that tells an operator.
    @Test func aGetOfKeysOnNodesThatAreDownCountsOnceForEachNode() {
        let world = World(nodes: 4, isUp: { $0 != 1 && $0 != 2 }, change: { $0.whenDown = .error })
        let client = world.connect()
        let keys = (0..<40).map { "key\($0)" }
        for _ in 0..<2 { #expect(world.ask("get \(keys.joined(separator: " "))\r\n", from: client) == "END\r\n") }
        #expect(world.engine.poolStats[0].errors[.nodeDown] == 4)
        #expect((0..<4).map { world.engine.nodeStats[$0].errors[.nodeDown] } == [0, 2, 2, 0])
        world.expectRest()
    }

    @Test func aReplyThatNobodyAskedForEndsTheConnection() {
        let world = World(nodes: 1)
        let client = world.connect()
        _ = world.ask("get a\r\n", from: client)
        world.inject("END\r\n", fromNode: 0)
        world.run()
        #expect(world.reports.contains { $0.failure == .protocolError })
        #expect(world.ask("get a\r\n", from: client) == "END\r\n")
        #expect(world.linksOpened == 2)
        world.expectRest()
    }

    @Test func aValueOfAnotherKeyEndsTheConnection() {
        let world = World(nodes: 1)
        let client = world.connect()
        _ = world.ask("mn\r\nget a\r\n", from: client)
        world.nodes[0].isFrozen = true
        world.send("get a b\r\n", from: client)
        world.run()
        world.inject("VALUE c 0 1\r\nx\r\nEND\r\n", fromNode: 0)
        world.run()
        #expect(world.reports.contains { $0.failure == .protocolError })
        #expect(world.take(client).hasSuffix("END\r\n"))
        world.expectRest()
    }

    @Test func aClientThatGoesAwayLeavesNothingBehind() {
        let world = World()
        let other = world.connect()
        for script in ["get a\r\nget a b c\r\nset a 0 0 1\r\nx\r\n", "set a 0 0 100\r\nabc", "get a b", "stats\r\n"] {
            let client = world.connect()
            world.nodes.indices.forEach { world.nodes[$0].isFrozen = true }
            world.send(script, from: client)
            world.run()
            world.close(client: client)
            world.nodes.indices.forEach { world.nodes[$0].isFrozen = false }
            #expect(world.ask("mn\r\n", from: other) == "MN\r\n")
            world.expectRest()
        }
    }

    /// Nodes die at any moment while clients read and write: every request is answered, once and in its place.
    @Test func everythingIsAnsweredWhateverDies() {
        var generator = SeededGenerator.fromEnvironment()
        let world = World(seed: generator.next())
        world.mostBytes = 300
        let clients = (0..<5).map { _ in world.connect() }
        var sent = [UInt32: Int]()
        for round in 0..<300 {
            let client = generator.pick(clients)
            let key = Int.random(in: 0..<20, using: &generator)
            switch generator.pick(0..<3) {
            case 0: world.send("set k\(key) 0 0 500\r\n\(String(repeating: "v", count: 500))\r\n", from: client)
            case 1: world.send("get k\(key)\r\n", from: client)
            default: world.send("get k\(key) k\(key + 1) k\(key + 2) k3\r\n", from: client)
            }
            world.send("mn\r\n", from: client)
            sent[client, default: 0] += 1
            world.turn()
            if generator.once(in: 12) { world.breakLinks(to: generator.pick(0..<3)) }
            if generator.once(in: 20) { world.refusing = round % 2 == 0 ? [generator.pick(0..<3)] : [] }
        }
        world.run()
        for client in clients where world.isOpen(client) {
            let answers = world.take(client).components(endingIn: "MN\r\n")
            #expect(answers.count == sent[client, default: 0], "DROVER_SEED=\(generator.seed)")
            let isWell = answers.allSatisfy {
                $0.hasSuffix("END\r\n") || $0 == "STORED\r\n" || $0 == "SERVER_ERROR node connection failed\r\n"
            }
            #expect(isWell, "DROVER_SEED=\(generator.seed)")
        }
        world.expectRest()
    }
}

extension String {
    /// The parts that end in `end`, without it.
    fileprivate func components(endingIn end: String) -> [String] {
        var parts: [String] = []
        var part = ""
        for line in split(separator: "\r\n", omittingEmptySubsequences: false).dropLast() {
            if line + "\r\n" == end {
                parts.append(part)
                part = ""
            } else {
                part += line + "\r\n"
            }
        }
        return parts
    }
}

extension World {
    /// What the client hears in the end when node 0 takes the commands, and its connections die before it answers.
    fileprivate func askAndLose(_ text: String, from client: UInt32) -> String {
        nodes[0].isFrozen = true
        let early = ask(text, from: client)
        nodes[0].isFrozen = false
        breakLinks(to: 0)
        run()
        return early + take(client)
    }
}
