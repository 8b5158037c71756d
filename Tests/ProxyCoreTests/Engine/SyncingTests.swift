import Bytes
import DroverTesting
import Telemetry
import Testing

@testable import ProxyCore

/// What goes to which copy while nodes are away or being filled.
struct SyncingTests {
    private let world: World
    private let client: UInt32

    init() {
        world = World(nodes: 3, change: { ($0.replicas, $0.checks) = (3, 0) })
        world.proveAll()
        client = world.connect()
    }

    private var homes: [Int] { world.copies(of: "k") }

    /// What was sent for the key to its copy of this rank since the last call.
    private func seen(_ rank: Int) -> [String] {
        defer { world.nodes[homes[rank]].forget() }
        return world.nodes[homes[rank]].seen.filter { $0 != "version" }
    }

    private func begin(with value: String? = "5") {
        world.judge(node: homes[0], NodeVerdict(.syncing))
        guard let value else { return }
        for node in homes { world.nodes[node].items["k"] = FakeNode.Item(flags: "0", data: Array(value.utf8)) }
    }

    @Test(arguments: [
        ("set k 7 0 1\r\nx\r\n", "STORED\r\n", "set k 7 0 1"),
        ("ms k 1 F7 T60 k O1\r\nx\r\n", "HD kk O1\r\n", "ms k 1 F7 T60"),
        ("delete k\r\n", "DELETED\r\n", "md k"),
        ("md k q\r\nmn\r\n", "MN\r\n", "md k"),
        ("incr k 2\r\n", "7\r\n", "md k"),
        ("append k 0 0 1\r\nx\r\n", "STORED\r\n", "md k"),
        ("replace k 0 0 1\r\nx\r\n", "STORED\r\n", "md k"),
        ("touch k 60\r\n", "TOUCHED\r\n", "md k"),
        ("gat 60 k\r\n", "VALUE k 0 1\r\n5\r\nEND\r\n", "md k"),
        ("mg k T60\r\n", "HD\r\n", "md k"),
        ("ma k\r\n", "HD\r\n", "md k"),
        ("md k I\r\n", "HD\r\n", "md k"),
    ])
    func theCopyThatIsBeingFilledIsToldLast(_ command: String, reply: String, told: String) {
        begin()
        world.send(command, from: client)
        for _ in 0..<100 where seenNothing(by: 1) || seenNothing(by: 2) { world.turn() }
        #expect(seen(0) == [], "before the others have answered")
        world.run()
        #expect(seen(0) == [told])
        #expect(world.take(client) == reply)
        world.expectRest()
    }

    private func seenNothing(by rank: Int) -> Bool { world.nodes[homes[rank]].seen.allSatisfy { $0 == "version" } }

    @Test(arguments: [
        ("add k 0 0 1\r\nx\r\n", "NOT_STORED\r\n"), ("append l 0 0 1\r\nx\r\n", "NOT_STORED\r\n"),
        ("incr l 1\r\n", "NOT_FOUND\r\n"), ("ms k 1 ME\r\nx\r\n", "NS\r\n"), ("mg l T30\r\n", "EN\r\n"),
    ])
    func whatTheFirstCopyRefusesIsSentToNoOther(_ command: String, reply: String) {
        begin()
        for rank in 0..<3 { _ = seen(rank) }
        #expect(world.ask(command, from: client) == reply)
        let told = world.nodes.flatMap(\.seen).filter { $0 != "version" }
        #expect(told.count == 1, "\(told)")
    }

    @Test func aSetThatNobodyStoresIsADelete() {
        begin()
        world.send("set k 0 0 1\r\nx\r\n", from: client)
        for rank in 1...2 { world.nodes[homes[rank]].isFrozen = true }
        world.run()
        for rank in 1...2 { world.breakLinks(to: homes[rank]) }
        world.run()
        #expect(world.take(client) == "SERVER_ERROR node connection failed\r\n")
        #expect(seen(0) == ["md k"])
        world.expectRest()
    }

    @Test func whereNoCopyIsFullAllDecide() {
        for node in homes { world.judge(node: node, NodeVerdict(.syncing)) }
        #expect(world.ask("set k 0 0 1\r\n5\r\nincr k 2\r\n", from: client) == "STORED\r\n7\r\n")
        for rank in 0..<3 { #expect(seen(rank) == ["set k 0 0 1", "incr k 2"]) }
        #expect(world.ask("get k\r\n", from: client) == "VALUE k 0 1\r\n7\r\nEND\r\n")
        #expect(world.engine.poolStats[0].copies.unprovenReads == 1)
    }

    /// The one that came back empty would answer with misses.
    @Test func whereNoCopyIsFullOneThatHasSomethingDecides() {
        #expect(world.ask("set k 0 0 1\r\n5\r\n", from: client) == "STORED\r\n")
        world.nodes[homes[0]].items = [:]
        var empty = NodeVerdict(.syncing)
        empty.hasContents = false
        world.judge(node: homes[0], empty)
        for node in homes.dropFirst() { world.judge(node: node, NodeVerdict(.syncing)) }
        #expect(world.ask("get k\r\n", from: client) == "VALUE k 0 1\r\n5\r\nEND\r\n")
        #expect(world.ask("incr k 2\r\n", from: client) == "7\r\n")
        #expect(world.ask("get k\r\nmg k v\r\n", from: client) == "VALUE k 0 1\r\n7\r\nEND\r\nVA 1\r\n7\r\n")
        world.run()
        world.expectRest()
    }

    /// The others have missed more.
    @Test func whereNoCopyIsFullTheOneThatWasWholeLastDecides() {
        #expect(world.ask("set k 0 0 1\r\n5\r\n", from: client) == "STORED\r\n")
        for (rank, node) in homes.enumerated() {
            if rank != 1 { world.nodes[node].items = [:] }
            var verdict = NodeVerdict(.syncing)
            verdict.lastWhole = [7, 9, 8][rank]
            world.judge(node: node, verdict)
        }
        #expect(world.ask("get k\r\n", from: client) == "VALUE k 0 1\r\n5\r\nEND\r\n")
        #expect(world.ask("incr k 2\r\n", from: client) == "7\r\n")
        world.run()
        // The others did not answer alike: they are corrected by it.
        #expect(world.ask("get k\r\n", from: client) == "VALUE k 0 1\r\n7\r\nEND\r\n")
        for node in homes { #expect(world.nodes[node].items["k"]?.data == [0x37]) }
        world.expectRest()
    }

    /// With an answer that waits for one copy only, those that are being filled follow.
    @Test(arguments: PoolSettings.Acks.allCases) func answersWaitForAsManyCopiesAsTheyHaveTo(acks: PoolSettings.Acks) {
        let world = World(nodes: 3, change: { ($0.replicas, $0.checks, $0.acks) = (3, 0, acks) })
        world.proveAll()
        let client = world.connect()
        let homes = world.copies(of: "k")
        for node in homes.dropFirst() { world.judge(node: node, NodeVerdict(.syncing)) }
        world.nodes[homes[1]].isFrozen = true
        world.nodes[homes[2]].isFrozen = true
        #expect(world.ask("set k 0 0 1\r\nx\r\n", from: client) == (acks == .one ? "STORED\r\n" : ""))
        world.nodes[homes[2]].isFrozen = false
        world.run()
        #expect(world.take(client) == (acks == .quorum ? "STORED\r\n" : ""))
        world.nodes[homes[1]].isFrozen = false
        world.run()
        #expect(world.take(client) == (acks == .all ? "STORED\r\n" : ""))
        for node in homes { #expect(world.nodes[node].items["k"]?.data == [0x78]) }
        world.expectRest()
    }

    /// For `min_live` a copy that is being filled, where a change may be a delete, does not count.
    @Test func aCopyThatIsBeingFilledIsNotLive() {
        let world = World(nodes: 3, change: { ($0.replicas, $0.checks, $0.minLive) = (2, 0, 2) })
        world.proveAll()
        let client = world.connect()
        #expect(world.ask("set k 0 0 1\r\n5\r\n", from: client) == "STORED\r\n")
        world.judge(node: world.copies(of: "k")[1], NodeVerdict(.syncing))
        let refusal = "SERVER_ERROR too few live copies\r\n"
        #expect(world.ask("incr k 2\r\nset k 0 0 1\r\nx\r\n", from: client) == refusal + refusal)
        #expect(world.ask("get k\r\n", from: client) == "VALUE k 0 1\r\n5\r\nEND\r\n")
        world.proveAll()
        #expect(world.ask("incr k 2\r\n", from: client) == "7\r\n")
        world.expectRest()
    }

    // MARK: - Silence

    /// It is revoked once more for each write, as one that failed it; nothing waits for its time to run out again.
    @Test(arguments: [
        ("set k 0 0 1\r\nx\r\n", "STORED\r\n"), ("incr k 2\r\n", "7\r\n"), ("delete k\r\n", "DELETED\r\n"),
    ])
    func aCopyThatIsSilentIsLeftOut(_ command: String, reply: String) {
        begin()
        world.nodes[homes[0]].isFrozen = true
        #expect(world.ask(command, from: client) == "", "it is waited for")
        var silent = NodeVerdict(.syncing, isCovered: true)
        silent.isSilent = true
        world.judge(node: homes[0], silent)
        world.run()
        #expect(world.take(client) == reply)
        let misses = world.missed.count
        #expect(world.missed.map { Int($0.node) } == [homes[0]])
        #expect(world.ask("set k 0 0 1\r\n5\r\n" + command, from: client) == "STORED\r\n" + reply)
        #expect(world.missed.count > misses, "somebody may fill it")
        world.nodes[homes[0]].isFrozen = false
        #expect(world.ask("set k 0 0 1\r\n6\r\n", from: client) == "STORED\r\n")
        #expect(seen(0) == [])
        world.judge(node: homes[0], NodeVerdict(.syncing))
        #expect(world.ask("set k 0 0 1\r\n7\r\n", from: client) == "STORED\r\n")
        #expect(seen(0) == ["set k 0 0 1"])
        world.expectRest()
    }

    /// It became silent while the write was under way to the others.
    @Test func aCopyThatIsSilentIsNotToldLast() {
        begin()
        world.nodes[homes[1]].isFrozen = true
        #expect(world.ask("set k 0 0 1\r\nx\r\n", from: client) == "")
        var silent = NodeVerdict(.syncing, isCovered: true)
        silent.isSilent = true
        world.judge(node: homes[0], silent)
        for rank in 0...1 { world.nodes[homes[rank]].isFrozen = rank == 0 }
        world.run()
        #expect(world.take(client) == "STORED\r\n")
        #expect(world.missed.map { Int($0.node) } == [homes[0]])
        world.expectRest()
    }

    @Test func whereNoCopyIsBetterOneThatIsSilentIsAsked() {
        for node in homes { world.judge(node: node, NodeVerdict(.syncing)) }
        var silent = NodeVerdict(.syncing)
        silent.isSilent = true
        world.judge(node: homes[0], silent)
        #expect(world.ask("set k 0 0 1\r\n5\r\n", from: client) == "STORED\r\n")
        #expect(seen(0) == ["set k 0 0 1"])
        world.expectRest()
    }

    // MARK: - The end of a filling

    /// What comes to it after that, and has been overtaken by what it decides itself, does not stay.
    @Test func aNodeThatHasJustBecomeFullIsRepaired() {
        begin()
        world.nodes[homes[1]].isFrozen = true
        world.send("set k 0 0 1\r\nx\r\n", from: client)
        world.run()
        world.judge(node: homes[0], NodeVerdict(.full, provenAt: world.now + 1, isCovered: false))
        let other = world.connect()
        world.send("set k 0 0 1\r\ny\r\n", from: other)
        world.run()
        #expect(world.nodes[homes[0]].items["k"]?.data == [0x79])
        world.nodes[homes[1]].isFrozen = false
        world.settle()
        #expect(world.take(client) + world.take(other) == "STORED\r\nSTORED\r\n")
        for node in homes { #expect(world.nodes[node].items["k"]?.data == [0x79], "the order of the others") }
        world.expectRest()
    }

    // MARK: - Doubts

    private func beginDoubting() {
        begin()
        world.proveAll()
        _ = world.ask("touch k 0\r\n", from: client)
        world.breakLinks(to: homes[0])
        for rank in 0..<3 { _ = seen(rank) }
        #expect(world.engine.nodes[UInt32(homes[0])].isDoubted)
    }

    /// Only this worker does not read it for now.
    @Test(arguments: [
        "set k 0 0 1\r\nx\r\n", "incr k 2\r\n", "append k 0 0 1\r\nx\r\n", "delete k\r\n", "touch k 60\r\n",
    ])
    func aDoubtedCopyKeepsUpWithTheOthers(_ command: String) {
        beginDoubting()
        _ = world.ask(command, from: client)
        let others = [seen(1), seen(2)]
        #expect(others.contains(seen(0)), "as the others")
        world.now += 1
        world.proveAll()
        world.settle()
        #expect(world.disagreements(on: ["k"]) == [] && world.missed.isEmpty)
        world.expectRest()
    }

    /// Its answer counts for nothing.
    @Test func whatOnlyADoubtedCopyTookIsNotAcknowledged() {
        beginDoubting()
        for rank in 1...2 { world.nodes[homes[rank]].isFrozen = true }
        world.send("set k 0 0 1\r\nx\r\n", from: client)
        world.run()
        for rank in 1...2 { world.breakLinks(to: homes[rank]) }
        world.run()
        #expect(world.take(client).hasPrefix("SERVER_ERROR"))
        world.expectRest()
    }

    /// What it lost to a write that was under way comes back from the others.
    @Test func aKeyThatAFullNodeLostIsRepaired() {
        begin()
        world.nodes[homes[1]].isFrozen = true
        world.send("incr k 1\r\n", from: client)
        world.run()
        world.judge(node: homes[0], NodeVerdict(.full, provenAt: world.now + 1, isCovered: false))
        world.nodes[homes[1]].isFrozen = false
        world.settle()
        #expect(world.take(client) == "6\r\n")
        for node in homes { #expect(world.nodes[node].items["k"]?.data == Array("6".utf8)) }
        world.expectRest()
    }

    // MARK: - Repairs

    /// What is being filled is corrected and corrects none.
    @Test func repairsTakeTheirSourceFromFullCopies() {
        world.judge(node: homes[0], NodeVerdict(.syncing))
        world.nodes[homes[0]].items["k"] = FakeNode.Item(flags: "0", data: [0x6f])
        world.nodes[homes[1]].items["k"] = FakeNode.Item(flags: "0", data: [0x35])
        // That the third lacks it asks for the repair.
        #expect(world.ask("touch k 0\r\n", from: client) == "TOUCHED\r\n")
        world.settle()
        for node in homes { #expect(world.nodes[node].items["k"]?.data == [0x35]) }
        world.expectRest()
    }
}
