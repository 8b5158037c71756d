import Bytes
import DroverTesting
import Telemetry
import Testing

@testable import ProxyCore

extension World {
    var settings: PoolSettings { engine.owned[0].settings }

    /// The pool by other settings, to which it begins to go over. A node's server is the one at its port's place.
    func reload(_ change: (inout PoolSettings) -> Void) {
        let topology = engine.topology
        var settings = topology.pools[0].settings
        change(&settings)
        let next = topology.changed(to: [settings]) { _, origin in
            origin.map { topology.nodes[$0].verdict } ?? NodeVerdict(isUp: true)
        }
        guard let next else { fatalError("no numbers left") }
        server = { number in
            guard case .tcp(let host, let port) = next.nodes[number].settings.address else { return 0 }
            return Int(port) - 11_211 + (host == "127.0.0.2" ? settings.nodes.count : 0)
        }
        engine.adopt(next)
        engine.beginMoves()
    }

    static func node(_ place: Int, name: String? = nil) -> NodeSettings {
        NodeSettings(address: .tcp(host: "127.0.0.1", port: UInt16(11_211 + place)), name: name)
    }
}

/// A pool that goes over to other nodes, or other settings, while it serves.
struct MovesTests {
    private static let keys = (0..<60).map { "k\($0 * 7919)" }

    private func fill(_ world: World, _ client: UInt32) {
        for key in Self.keys { _ = world.ask("set \(key) 0 0 1\r\nx\r\n", from: client) }
    }

    @Test func keysGoWhereTheNewListPutsThemAndConnectionsStay() {
        let world = World(nodes: 3)
        let client = world.connect()
        fill(world, client)
        let (opened, sent) = (world.linksOpened, world.engine.nodeStats[1].requests)
        world.nodes.append(FakeNode())
        world.reload { $0.nodes.append(World.node(3)) }
        world.run()
        #expect(world.engine.takeMoved() && !world.engine.takeMoved())
        fill(world, client)
        let lookup = KeyLookup(world.settings)
        for key in Self.keys {
            let home = lookup.order(of: Array(key.utf8), depth: 1)[0]
            #expect(world.nodes[home].items[key] != nil, "\(key) is not on node \(home)")
        }
        #expect(!world.nodes[3].items.isEmpty)
        #expect(world.linksOpened == opened + 1)
        let place = world.engine.owned[0].nodes.lowerBound
        #expect(world.engine.nodeStats[place + 1].requests > sent, "a node keeps its counters")
        #expect(world.engine.nodeStats[1].requests == 0)
        world.expectRest()
    }

    @Test func aNodeThatLeavesIsAskedNoMoreAndItsConnectionEnds() {
        let world = World(nodes: 3)
        let client = world.connect()
        fill(world, client)
        world.reload { $0.nodes.remove(at: 1) }
        world.run()
        let seen = world.nodes[1].seen.count
        fill(world, client)
        #expect(world.nodes[1].seen.count == seen)
        #expect(!world.links.values.contains { $0.node == 1 })
        world.expectRest()
    }

    @Test func whatIsUnderWayEndsWhereItBeganAndTheRestWaits() {
        let world = World(nodes: 2)
        let client = world.connect()
        fill(world, client)
        world.nodes[0].isFrozen = true
        let lookup = KeyLookup(world.settings)
        let key = Self.keys.first { lookup.order(of: Array($0.utf8), depth: 1)[0] == 0 }!
        world.send("get \(key)\r\n", from: client)
        world.run()
        world.reload { $0.nodes.remove(at: 0) }
        world.send("set \(key) 0 0 3\r\nnew\r\nget \(key)\r\n", from: client)
        world.run()
        #expect(world.take(client).isEmpty && world.engine.isMoving, "nothing is asked of either list")
        world.nodes[0].isFrozen = false
        world.run()
        let answer = world.take(client)
        #expect(answer == "VALUE \(key) 0 1\r\nx\r\nEND\r\nSTORED\r\nVALUE \(key) 0 3\r\nnew\r\nEND\r\n")
        #expect(world.nodes[1].items[key]?.data == Array("new".utf8) && !world.engine.isMoving)
        world.expectRest()
    }

    @Test func aNodeThatHangsHoldsItUpForItsTimeoutOnly() {
        let world = World(nodes: 2)
        let client = world.connect()
        world.nodes[0].isFrozen = true
        world.nodes[1].isFrozen = true
        world.send("get a\r\n", from: client)
        world.run()
        world.reload { $0.timeout = 50_000_000 }
        let other = world.connect()
        world.send("version\r\n", from: other)
        world.now += 201_000_000
        world.run()
        #expect(world.take(client) == "SERVER_ERROR node timed out\r\n")
        #expect(world.take(other).hasPrefix("VERSION") && !world.engine.isMoving)
        #expect(world.engine.nodes[UInt32(world.engine.owned[0].firstNode)].timeout == 50_000_000)
        #expect(world.engine.shortestTimeout == 50_000_000)
        world.expectRest()
    }

    @Test(arguments: [1, 2]) func whoIsStillSendingWhenAllTimeIsOverIsCutOff(replicas: Int) {
        let world = World(nodes: 2, change: { $0.replicas = replicas })
        if replicas > 1 { world.proveAll() }
        let (slow, quick) = (world.connect(), world.connect())
        let large = world.connect()
        world.send("set a 0 0 10\r\nhalf", from: slow)
        world.send("set b 0 0 600000\r\n" + String(repeating: "y", count: 300_000), from: large)
        world.run()
        world.reload { $0.poll = 2_000_000_000 }
        world.send("set c 0 0 1\r\nx\r\n", from: quick)
        world.now += 1_200_000_000
        world.run()
        #expect(world.take(quick).isEmpty && world.isOpen(slow))
        world.now += 300_000_000
        world.run()
        #expect(!world.isOpen(slow) && !world.isOpen(large) && world.isOpen(quick))
        world.settle()
        #expect(world.take(quick) == "STORED\r\n" && !world.engine.isMoving)
        world.expectRest()
    }

    @Test func verdictsReachBothListsWhileItLasts() {
        let world = World(nodes: 2, change: { ($0.whenDown, $0.failAfter) = (.error, 1) })
        let client = world.connect()
        world.nodes[0].isFrozen = true
        let lookup = KeyLookup(world.settings)
        let key = Self.keys.first { lookup.order(of: Array($0.utf8), depth: 1)[0] == 0 }!
        world.send("get \(key)\r\n", from: client)
        world.run()
        world.reload { $0.poll = 2_000_000_000 }
        world.run()
        let topology = world.engine.topology
        world.engine.adopt(topology.with { world.server($0) != 0 })
        world.run()
        #expect(world.take(client) == "SERVER_ERROR node is down\r\n" && !world.engine.isMoving)
        #expect(world.ask("get \(key)\r\n", from: client) == "SERVER_ERROR node is down\r\n")
        world.expectRest()
    }

    @Test func numbersAreUsedAgainAndDoNotGrow() {
        let world = World(nodes: 3)
        let client = world.connect()
        for round in 1...50 {
            world.reload { $0.timeout = 100_000_000 + UInt64(round) }
            world.run()
            #expect(world.ask("set a 0 0 1\r\nx\r\n", from: client) == "STORED\r\n")
            #expect(world.engine.topology.nodes.count <= 6)
        }
        #expect(world.engine.nodes.count <= 6)
    }

    @Test func thereIsAnEndToNumbers() {
        let topology = Topology([PoolSettings(name: "a", listen: [], nodes: [World.node(0)])])
        var wide = topology.pools[0].settings
        wide.nodes = (0...Topology.nodeLimit).map { World.node(0, name: "n\($0)") }
        #expect(topology.changed(to: [wide]) { _, _ in NodeVerdict(isUp: true) } == nil)
    }

    /// Changes at any moment: still one reply a request, and copies that agree.
    @Test(.timeLimit(.minutes(20)), arguments: CopiesShape.allCases, PoolSettings.Acks.allCases)
    func copiesAgreeWhateverIsChanged(shape: CopiesShape, acks: PoolSettings.Acks) {
        let rounds = max(1, (environment("DROVER_ROUNDS").flatMap(Int.init) ?? 2000) / 100)
        let keys = ModelKey.all.map(\.name)
        var generator = SeededGenerator.fromEnvironment()
        for round in 0..<rounds {
            let seed = round == 0 ? generator.seed : generator.next()
            let world = World(shape, acks: acks, read: .fastest, onMiss: round % 2 == 0 ? .miss : .next, seed: seed)
            var clients = (0..<6).map { SimulatedClient(world, number: $0, seed: seed, marksSilence: false) }
            for step in 0..<12 {
                for index in clients.indices { clients[index].say(generator.pick(0..<4), to: world) }
                for _ in 0..<generator.pick(0..<6) { world.turn() }
                guard !world.engine.isMoving else { continue }
                world.reload {
                    $0.poll = UInt64(1_000_000_000 + step)
                    $0.read = generator.pick(PoolSettings.Read.allCases)
                }
            }
            for index in clients.indices { clients[index].finish(world) }
            world.settle()
            let label: Comment = "DROVER_SEED=\(seed)"
            for index in clients.indices { clients[index].checkReplies(world, errors: false, label) }
            let differing = world.disagreements(on: keys)
            #expect(differing.isEmpty, "\(label): \(differing.joined(separator: "\n"))")
            #expect(!world.engine.isMoving)
            world.expectRest()
            guard differing.isEmpty else { return }
        }
    }
}
