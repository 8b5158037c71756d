import Bytes
import DroverTesting
import Telemetry
import Testing

@testable import ProxyCore

/// What a worker makes of what the control thread says and of what it sees itself.
struct StatesTests {
    private let world: World
    private let client: UInt32

    init() {
        world = World(nodes: 3, change: { ($0.replicas, $0.checks) = (2, 0) })
        world.proveAll()
        client = world.connect()
        for node in world.copies(of: "k") {
            world.nodes[node].items["k"] = FakeNode.Item(flags: "0", data: Array("n\(node)".utf8))
        }
    }

    private var homes: [Int] { world.copies(of: "k") }

    /// The rank of the copy that answers a read; nil if none does.
    private func reader(_ command: String = "get k\r\n") -> Int? {
        let reply = world.ask(command, from: client)
        return homes.firstIndex { reply.contains("\r\nn\($0)\r\n") }
    }

    private var unproven: UInt64 { world.engine.poolStats[0].copies.unprovenReads }

    @Test(arguments: ["get k\r\n", "gets k\r\n", "mg k v\r\n", "get k l\r\n", "mg k v q\r\nmn\r\n"])
    func onlyFullCopiesAreRead(_ command: String) {
        #expect(reader(command) == 0)
        world.judge(node: homes[0], NodeVerdict(.syncing))
        #expect(reader(command) == 1 && unproven == 0)
        world.judge(node: homes[1], NodeVerdict(.none))
        let others = unproven
        #expect(reader(command) == 0 && unproven > others, "there is none better")
        world.judge(node: homes[0], NodeVerdict(.none))
        #expect(reader(command) == nil)
    }

    @Test(arguments: PoolSettings.Read.allCases) func everyWayOfReadingKeepsToThem(read: PoolSettings.Read) {
        let world = World(
            nodes: 3,
            change: { pool in
                (pool.replicas, pool.read, pool.onMiss, pool.hedge, pool.ownZone) = (3, read, .next, 10_000, "z")
                for index in pool.nodes.indices { pool.nodes[index].zone = "z" }
            })
        world.proveAll()
        let client = world.connect()
        let homes = world.copies(of: "k")
        world.judge(node: homes[0], NodeVerdict(.syncing))
        world.nodes[homes[1]].isFrozen = true
        for _ in 0..<20 { world.send("get k\r\nget k l\r\n", from: client) }
        world.run()
        world.now += 100_000_000
        world.run()
        world.nodes[homes[1]].isFrozen = false
        world.run()
        #expect(world.take(client) == String(repeating: "END\r\n", count: 40))
        #expect(world.nodes[homes[0]].seen.allSatisfy { !$0.hasPrefix("get") })
        world.expectRest()
    }

    // MARK: - Distrust

    @Test func aFailedConnectionIsNoLongerReadUntilALaterProof() {
        #expect(reader() == 0)
        world.now += 1000
        world.run()
        world.breakLinks(to: homes[0])
        #expect(reader() == 1)
        world.judge(node: homes[0], NodeVerdict(.full, provenAt: world.now, isCovered: false))
        #expect(reader() == 1, "it was proven before, or just then")
        world.judge(node: homes[0], NodeVerdict(.full, provenAt: world.now + 1, isCovered: false))
        #expect(reader() == 0)
        #expect(unproven == 0)
    }

    @Test func aNodeThatTimesOutIsNoLongerRead() {
        world.nodes[homes[0]].isFrozen = true
        world.send("get k\r\n", from: client)
        world.run()
        world.now += 200_000_000
        #expect(reader("") == 1, "asked of the next copy")
        world.nodes[homes[0]].isFrozen = false
        #expect(reader() == 1)
    }

    /// The read is retried, though there is no better copy.
    @Test func theLastCopyIsAskedOnceMore() {
        world.judge(node: homes[1], NodeVerdict(.none))
        #expect(reader() == 0)
        world.nodes[homes[0]].isFrozen = true
        world.send("get k\r\n", from: client)
        world.run()
        world.breakLinks(to: homes[0])
        world.nodes[homes[0]].isFrozen = false
        #expect(reader("") == 0)
    }

    @Test func whereNoMarkersAreKeptNothingIsDistrusted() {
        world.engine.adopt(world.engine.topology.with { _ in true })
        #expect(reader() == 0)
        world.breakLinks(to: homes[0])
        #expect(reader() == 0)
        #expect(world.missed.isEmpty)
    }

    /// What the control thread said before it heard of a miss does not count.
    @Test func aMissedWriteIsNotForgottenForAnOlderVerdict() {
        world.answersMisses = false
        world.nodes[homes[0]].isFrozen = true
        world.send("set k 0 0 1\r\nx\r\n", from: client)
        world.run()
        world.breakLinks(to: homes[0])
        world.nodes[homes[0]].isFrozen = false
        world.now += 1000
        world.run()
        world.judge(node: homes[0], NodeVerdict(.full, provenAt: world.now, isCovered: false))
        #expect(world.engine.nodes[UInt32(homes[0])].access == .syncing, "the question is not answered")
        world.publish()
        #expect(world.engine.nodes[UInt32(homes[0])].access == .syncing, "nor was it when that was said")
        world.judge(node: homes[0], NodeVerdict(.full, provenAt: world.now + 1, isCovered: false))
        #expect(world.engine.nodes[UInt32(homes[0])].isFull)
    }

    /// What it was to decide must not come to the others behind what they decide now.
    @Test func aNodeThatIsNoLongerFullDecidesNothingMore() {
        #expect(reader() == 0)
        for node in homes { world.nodes[node].items["k"]?.data = [0x35] }
        world.nodes[homes[0]].isFrozen = true
        world.send("incr k 1\r\nset k 0 0 1\r\nx\r\n", from: client)
        world.run()
        world.judge(node: homes[0], NodeVerdict(.syncing))
        world.run()
        #expect(world.take(client).hasPrefix("SERVER_ERROR node is down\r\n"))
        world.nodes[homes[0]].isFrozen = false
        world.settle()
        #expect(world.ask("get k\r\n", from: client) == "VALUE k 0 1\r\nx\r\nEND\r\n")
        world.expectRest()
    }

    // MARK: - Connections

    @Test func aConnectionIsProvenBeforeItIsUsed() {
        for node in homes { world.nodes[node].items["__drover:ready"] = FakeNode.Item(flags: "0", data: ready(node)) }
        world.proveAll(tokens: true)
        #expect(reader() == 0)
        let seen = world.nodes[homes[0]].seen
        #expect(seen == ["version", "mg __drover:ready v", "get k"])
        _ = reader()
        #expect(world.nodes[homes[0]].seen.count == 4, "once")
    }

    private func ready(_ node: Int) -> [UInt8] { MarkerText.token(Token(UInt64(node + 1))!) }

    @Test(arguments: [nil, "1 00000000000000ff", "nonsense", String(repeating: "x", count: 5000)])
    func anotherProcessIsNotRead(_ marker: String?) {
        for node in homes { world.nodes[node].items["__drover:ready"] = FakeNode.Item(flags: "0", data: ready(node)) }
        world.nodes[homes[0]].items["__drover:ready"] = marker.map { FakeNode.Item(flags: "0", data: Array($0.utf8)) }
        world.proveAll(tokens: true)
        #expect(reader() == 1)
        #expect(world.reports.map(\.failure) == [marker.map { $0.count } == 5000 ? .protocolError : .unproven])
        #expect(world.reports.first.map { Int($0.node) } == homes[0])
        #expect(world.ask("set k 0 0 1\r\nx\r\n", from: client) == "STORED\r\n")
        #expect(world.nodes[homes[0]].items["k"]?.data == [0x78], "it is written all the same")
        #expect(unproven == 0)
        world.expectRest()
    }

    /// Who connects between a flush and the return of the markers.
    @Test func aMarkerThatComesBackAtOnceIsWaitedFor() {
        for node in homes { world.nodes[node].items["__drover:ready"] = FakeNode.Item(flags: "0", data: ready(node)) }
        let marker = world.nodes[homes[0]].items.removeValue(forKey: "__drover:ready")
        world.proveAll(tokens: true)
        world.slowness = 2
        world.send("get k\r\n", from: client)
        for _ in 0..<50 { world.turn() }
        #expect(world.nodes[homes[0]].seen.count { $0 == "mg __drover:ready v" } > 1 && world.take(client).isEmpty)
        world.nodes[homes[0]].items["__drover:ready"] = marker
        for _ in 0..<50 { world.turn() }
        #expect(world.take(client).hasSuffix("END\r\n"))
        #expect(world.nodes[homes[0]].seen.last == "get k" && world.reports.isEmpty && unproven == 0)
    }

    /// The write that opens the connection goes to the other copy first, and to this one as to one that is being filled.
    @Test func whatWaitsForAConnectionToAnotherProcessGoesElsewhere() {
        for node in homes { world.nodes[node].items["__drover:ready"] = FakeNode.Item(flags: "0", data: ready(node)) }
        world.nodes[homes[0]].items["__drover:ready"] = nil
        for node in homes { world.nodes[node].items["k"]?.data = [0x35] }
        world.proveAll(tokens: true)
        let reply = world.ask("incr k 1\r\nget k l\r\nset k 0 0 1\r\n9\r\nget k\r\n", from: client)
        #expect(reply == "6\r\nVALUE k 0 1\r\n6\r\nEND\r\nSTORED\r\nVALUE k 0 1\r\n9\r\nEND\r\n")
        #expect(!world.missed.isEmpty)
        world.expectRest()
    }

    // MARK: - Trust

    @Test func nothingIsUsedWhenWhatIsKnownIsTooOld() {
        #expect(reader() == 0)
        world.engine.trust(pool: 0, until: world.now + 1000)
        world.now += 999
        #expect(reader() == 0)
        world.now += 1
        #expect(
            world.ask("get k\r\nset k 0 0 1\r\nx\r\n", from: client)
                == "SERVER_ERROR node is down\r\nSERVER_ERROR node is down\r\n")
        world.judge(node: homes[0], NodeVerdict(.full, provenAt: world.now, isCovered: false))
        #expect(reader() == nil, "whatever is said of the nodes")
        world.engine.trust(pool: 0, until: world.now)
        #expect(reader() == nil)
        world.engine.trust(pool: 0, until: world.now + 1)
        #expect(reader() == 0)
        world.now += 1
        #expect(reader() == nil)
    }
}
