import Bytes
import DroverTesting
import Telemetry
import Testing

@testable import ProxyCore

/// Answers that wait until the other nodes know who missed the write.
struct MissesTests {
    private let world: World
    private let client: UInt32

    init() {
        world = World(nodes: 3, change: { ($0.replicas, $0.checks) = (2, 0) })
        world.answersMisses = false
        world.proveAll()
        client = world.connect()
        _ = world.ask("set k 0 0 1\r\n5\r\n", from: client)
    }

    private var homes: [Int] { world.copies(of: "k") }
    private var questions: [Int] { world.misses.map { Int($0.node) } }

    /// The copy takes the command and says nothing.
    private func send(_ command: String, failingOn rank: Int, acks: PoolSettings.Acks = .all) {
        world.nodes[homes[rank]].isFrozen = true
        world.send(command, from: client)
        world.run()
        world.breakLinks(to: homes[rank], landing: false)
        world.nodes[homes[rank]].isFrozen = false
        world.run()
    }

    @Test(arguments: [
        ("set k 0 0 1\r\nx\r\n", 0, "STORED\r\n"), ("set k 0 0 1\r\nx\r\n", 1, "STORED\r\n"),
        ("delete k\r\n", 0, "DELETED\r\n"), ("incr k 1\r\n", 1, "6\r\n"), ("ms k 1 q\r\nx\r\nmn\r\n", 1, "MN\r\n"),
        ("gat 60 k none\r\n", 1, "VALUE k 0 1\r\n5\r\nEND\r\n"), ("md k\r\n", 1, "HD\r\n"),
    ])
    func aWriteThatOneCopyMissedWaits(_ command: String, rank: Int, reply: String) {
        let sent = world.now
        send(command, failingOn: rank)
        #expect(world.take(client) == "")
        #expect(questions == [homes[rank]] && world.misses[0].sent == sent)
        #expect(world.engine.nodes[UInt32(homes[rank])].access == .syncing)
        world.publish()
        #expect(world.ask("", from: client) == reply)
        #expect(world.engine.poolStats[0].repairs.queued.total == 0, "it is filled anew")
        world.expectRest()
    }

    /// Once one has failed it is on a single copy, and `min_live` promised two.
    @Test(
        arguments: PoolSettings.Acks.allCases,
        [
            ("set k 0 0 1\r\nx\r\n", nil), ("incr k 1\r\n", nil), ("delete k\r\n", nil),
            ("append k 0 0 1\r\nx\r\n", nil), ("add k 0 0 1\r\nx\r\n", "NOT_STORED\r\n"),
            ("incr nothing 1\r\n", "NOT_FOUND\r\n"),
        ] as [(String, String?)])
    func whatTooFewCopiesTookIsAnError(acks: PoolSettings.Acks, change: (command: String, reply: String?)) {
        let world = World(nodes: 2, change: { ($0.replicas, $0.checks, $0.minLive, $0.acks) = (2, 0, 2, acks) })
        world.proveAll()
        let client = world.connect()
        #expect(world.ask("set k 0 0 1\r\n5\r\n", from: client) == "STORED\r\n")
        let key = change.command.contains("nothing") ? "nothing" : "k"
        let other = world.copies(of: key)[1]
        world.nodes[other].isFrozen = true
        world.send(change.command, from: client)
        world.run()
        #expect(world.take(client) == change.reply ?? "", "nobody hears of what is on one copy")
        world.breakLinks(to: other, landing: false)
        world.run()
        #expect(world.ask("", from: client) == (change.reply == nil ? "SERVER_ERROR too few live copies\r\n" : ""))
        #expect(world.engine.poolStats[0].errors[.tooFewCopies] == (change.reply == nil ? 1 : 0))
        world.nodes[other].isFrozen = false
        world.run()
        world.expectRest()
    }

    /// What the first copy did has to be read from it: the other gets it behind the answer.
    @Test(arguments: [("ma c N0\r\n", "HD\r\n"), ("ms k 1 MA N60\r\nx\r\n", "HD\r\n")])
    func whatIsReadBackFirstIsNoError(change: (command: String, reply: String)) {
        let world = World(nodes: 2, change: { ($0.replicas, $0.checks, $0.minLive) = (2, 0, 2) })
        world.proveAll()
        let client = world.connect()
        #expect(world.ask(change.command, from: client) == change.reply)
        world.run()
        world.expectRest()
    }

    @Test(arguments: PoolSettings.Acks.allCases) func aCopyThatRefusesAWriteDoesNotCount(acks: PoolSettings.Acks) {
        let world = World(nodes: 2, change: { ($0.replicas, $0.checks, $0.minLive, $0.acks) = (2, 0, 2, acks) })
        world.proveAll()
        let client = world.connect()
        #expect(world.ask("set k 0 0 1\r\n5\r\n", from: client) == "STORED\r\n")
        let other = world.copies(of: "k")[1]
        world.nodes[other].isFrozen = true
        world.send("set k 0 0 1\r\nx\r\n", from: client)
        world.run()
        world.inject("SERVER_ERROR out of memory storing object\r\n", fromNode: other)
        #expect(world.ask("", from: client) == "SERVER_ERROR too few live copies\r\n")
        #expect(world.engine.poolStats[0].errors[.tooFewCopies] == 1)
    }

    @Test func whatNobodyKeepsIsAnError() {
        send("set k 0 0 1\r\nx\r\n", failingOn: 1)
        world.publish(isKept: false)
        #expect(world.ask("", from: client) == "SERVER_ERROR write not secured\r\n")
        #expect(world.engine.poolStats[0].errors[.notSecured] == 1)
        world.expectRest()
    }

    @Test func nobodyWaitsForEver() {
        send("set k 0 0 1\r\nx\r\ndelete k\r\n", failingOn: 1)
        let wakeup = world.engine.wakeup
        #expect(wakeup == world.now + 1_400_000_000)
        world.now = wakeup - 1
        #expect(world.ask("", from: client) == "")
        world.now += 1
        let reply = "SERVER_ERROR write not secured\r\n"
        #expect(world.ask("", from: client) == reply + reply)
        #expect(world.engine.nextMissDeadline == .max)
        world.expectRest()
        world.publish()
        #expect(world.ask("", from: client) == "")
    }

    /// It cannot have got it: nothing was changed anywhere.
    @Test func whatNoCopyGotNeedsNothing() {
        for node in homes { world.breakLinks(to: node) }
        world.refusing = Set(homes)
        #expect(world.ask("set k 0 0 1\r\nx\r\n", from: client) == "SERVER_ERROR node connection failed\r\n")
        #expect(world.missed.isEmpty)
        world.expectRest()
    }

    @Test func aCopyThatCannotBeReachedHasMissedWhatAnotherTook() {
        world.breakLinks(to: homes[1])
        world.refusing = [homes[1]]
        #expect(world.ask("set k 0 0 1\r\nx\r\n", from: client) == "")
        #expect(questions == [homes[1]])
        world.publish()
        #expect(world.ask("", from: client) == "STORED\r\n")
    }

    @Test(arguments: [("set k 0 0 1\r\nx\r\n", "STORED\r\n", true), ("add k 0 0 1\r\nx\r\n", "NOT_STORED\r\n", false)])
    func aNodeThatIsLeftOutHasMissedWhatAnotherTook(_ command: String, reply: String, isMissed: Bool) {
        world.judge(node: homes[0], NodeVerdict(.none, isCovered: false))
        #expect(world.ask(command, from: client) == (isMissed ? "" : reply))
        #expect(questions == (isMissed ? [homes[0]] : []))
        world.publish()
        #expect(world.ask("", from: client) == (isMissed ? reply : ""))
        world.judge(node: homes[0], NodeVerdict(.none, isCovered: true))
        #expect(world.ask(command, from: client) == reply, "that is known")
        world.expectRest()
    }

    /// Whatever covered it when it was away, it may have been filled before the write came to the others.
    @Test func aNodeThatCameBackDuringAWriteHasMissedIt() {
        world.judge(node: homes[0], NodeVerdict(.none))
        world.nodes[homes[1]].isFrozen = true
        world.send("set k 0 0 1\r\nx\r\n", from: client)
        world.run()
        world.judge(node: homes[0], NodeVerdict(.syncing))
        world.nodes[homes[1]].isFrozen = false
        world.run()
        #expect(world.take(client) == "" && questions == [homes[0]])
    }

    /// One question for a node at a time.
    @Test func writesShareTheirQuestions() {
        world.nodes[homes[1]].isFrozen = true
        let clients = (0..<5).map { _ in world.connect() }
        for id in clients {
            world.send("set k 0 0 1\r\nx\r\n", from: id)
            world.run()
            world.now += 1000
        }
        world.breakLinks(to: homes[1])
        world.run()
        #expect(questions == [homes[1]], "those that fail together")
        #expect(world.misses.first?.sent == world.now - 5000, "the earliest of them")
        world.judge(node: homes[1], NodeVerdict(.none, isCovered: false))
        for id in clients { #expect(world.ask("set k 0 0 1\r\ny\r\n", from: id) == "") }
        #expect(questions == [homes[1]], "those that come later wait for the next")
        let next = world.now
        world.now += 1000
        world.publish()
        world.run()
        for id in clients { #expect(world.take(id) == "STORED\r\n") }
        #expect(questions == [homes[1]] && world.misses.first?.sent == next && world.misses.first?.round == 2)
        world.publish()
        world.run()
        for id in clients { #expect(world.take(id) == "STORED\r\n") }
        world.expectRest()
    }

    /// A late answer to an earlier question says nothing of this one.
    @Test func onlyTheAnswerToTheQuestionCounts() {
        send("set k 0 0 1\r\nx\r\n", failingOn: 1)
        world.engine.published(node: UInt32(homes[1]), round: 0, isKept: true)
        world.engine.published(node: UInt32(homes[0]), round: 1, isKept: true)
        #expect(world.ask("", from: client) == "")
        world.publish()
        #expect(world.ask("", from: client) == "STORED\r\n")
    }

    @Test func anAnswerMayWaitForTwoNodes() {
        let world = World(nodes: 3, change: { ($0.replicas, $0.checks) = (3, 0) })
        world.answersMisses = false
        world.proveAll()
        let client = world.connect()
        let homes = world.copies(of: "k")
        world.judge(node: homes[0], NodeVerdict(.none, isCovered: false))
        world.judge(node: homes[1], NodeVerdict(.none, isCovered: false))
        #expect(world.ask("set k 0 0 1\r\nx\r\n", from: client) == "")
        #expect(world.misses.count == 2)
        let last = world.misses[1]
        world.engine.published(node: world.misses[0].node, round: 1, isKept: true)
        #expect(world.ask("", from: client) == "")
        world.engine.published(node: last.node, round: 1, isKept: true)
        #expect(world.ask("", from: client) == "STORED\r\n")
        world.expectRest()
    }

    /// With fewer acknowledgements the answer may be out; the revocation follows it.
    @Test func anAnswerThatWasGivenDoesNotWait() {
        let world = World(nodes: 3, change: { ($0.replicas, $0.checks, $0.acks) = (2, 0, .one) })
        world.answersMisses = false
        world.proveAll()
        let client = world.connect()
        let homes = world.copies(of: "k")
        world.nodes[homes[1]].isFrozen = true
        #expect(world.ask("set k 0 0 1\r\nx\r\n", from: client) == "STORED\r\n")
        world.breakLinks(to: homes[1])
        world.run()
        #expect(world.misses.map { Int($0.node) } == [homes[1]])
        world.expectRest()
        // What is known beforehand is waited for.
        world.judge(node: homes[1], NodeVerdict(.none, isCovered: false))
        #expect(world.ask("set k 0 0 1\r\nx\r\n", from: client) == "")
    }

    @Test func whoLeavesWhileHeWaitsLeavesNothing() {
        send("set k 0 0 1\r\nx\r\n", failingOn: 1)
        world.close(client: client)
        world.publish()
        world.run()
        world.expectRest()
    }

    // MARK: - Flushes

    @Test func aFlushThatANodeMissedWaits() {
        let victim = homes[1]
        for node in world.nodes.indices { world.nodes[node].items["m"] = FakeNode.Item(flags: "0", data: [0x35]) }
        _ = world.ask("mg a\r\nmg b\r\nmg c\r\nflush_all\r\n", from: client)
        world.nodes[victim].isFrozen = true
        world.send("flush_all\r\n", from: client)
        world.run()
        world.breakLinks(to: victim)
        #expect(world.ask("", from: client) == "" && questions == [victim])
        world.publish()
        #expect(world.ask("", from: client) == "OK\r\n", "each key has a copy that had it")
        world.expectRest()
        world.judge(node: victim, NodeVerdict(.none, isCovered: true))
        #expect(world.ask("flush_all\r\n", from: client) == "", "what the others kept about it went with the flush")
        #expect(questions == [victim])
        world.publish()
        #expect(world.ask("", from: client) == "OK\r\n")
        world.judge(node: (victim + 1) % 3, NodeVerdict(.none, isCovered: true))
        #expect(world.ask("flush_all\r\n", from: client) == "" && questions.count == 2)
        world.publish()
        #expect(world.ask("", from: client) == Self.notFlushed, "some key may have both copies on these")
        world.expectRest()
    }

    private static let notFlushed = "SERVER_ERROR node connection failed\r\n"

    @Test func aFlushWhoseMissNobodyKeepsIsAnError() {
        world.judge(node: 0, NodeVerdict(.none, isCovered: false))
        #expect(world.ask("flush_all\r\n", from: client) == "" && questions == [0])
        world.publish(isKept: false)
        #expect(world.ask("", from: client) == Self.notFlushed)
        world.expectRest()
    }

    /// By what is left of each farm where the nodes are down, and what `min_live` asks for. The standby is the last.
    @Test(
        arguments: [
            (CopiesShape.twoOfThree, 1, [0], true), (.twoOfThree, 1, [0, 2], false), (.twoOfThree, 2, [0], false),
            (.threeOfThree, 1, [0, 1], true), (.threeOfThree, 2, [0, 1], false), (.threeOfThree, 2, [1], true),
            (.standby, 1, [3], true), (.standby, 1, [0, 1, 2], true), (.standby, 1, [0, 3], false),
            (.hybrid, 1, [0, 3], true), (.hybrid, 1, [0, 1], true), (.hybrid, 2, [0, 1], false),
            (.hybrid, 2, [0], true),
        ] as [(CopiesShape, Int, [Int], Bool)])
    func aFlushNeedsACopyOfEachKey(shape: CopiesShape, minLive: Int, down: [Int], isEnough: Bool) {
        let world = World(
            nodes: 3,
            change: {
                shape.apply(&$0)
                ($0.checks, $0.minLive) = (0, minLive)
            })
        world.proveAll()
        let client = world.connect()
        for node in down { world.judge(node: node, NodeVerdict(.none, isCovered: true)) }
        #expect(world.ask("flush_all\r\n", from: client) == (isEnough ? "OK\r\n" : Self.notFlushed))
        #expect(world.ask("flush_all 0\r\n", from: client) == (isEnough ? "OK\r\n" : Self.notFlushed))
        #expect(world.ask("flush_all 9\r\n", from: client) == Self.notFlushed, "who is filled before that keeps it")
        // Where no markers are kept, nobody would empty it when it is back.
        for node in world.nodes.indices { world.judge(node: node, isUp: !down.contains(node)) }
        #expect(world.ask("flush_all\r\n", from: client) == Self.notFlushed)
        world.expectRest()
    }

    /// What was copied to it between its flush and the others' is back there.
    @Test func aFlushDuringAFillingBeginsItAnew() {
        world.nodes[homes[1]].isFrozen = false
        world.judge(node: homes[1], NodeVerdict(.syncing))
        #expect(world.ask("flush_all\r\n", from: client) == "" && questions == [homes[1]])
        world.publish()
        #expect(world.ask("", from: client) == "OK\r\n")
        world.judge(node: homes[1], NodeVerdict(.syncing))
        world.send("flush_all\r\n", from: client)
        world.turn()
        world.close(client: client)
        world.run()
        #expect(questions == [homes[1]], "whoever asked for it")
        world.expectRest()
    }
}
