import Bytes
import Distribution
import DroverTesting
import Testing

@testable import ProxyCore

/// A pool whose keys move to other nodes, between clients and nodes that are slow.
struct MovingSimulationTests {
    private static let keys = ModelKey.all.map(\.name)

    /// From a b c to b c d, with two copies: a leaves, d comes, and b and c get keys beside those that they have.
    private func move(_ world: World) throws {
        world.nodes.append(FakeNode())
        var after = world.settings
        after.nodes = Array(after.nodes.dropFirst()) + [World.node(3)]
        let moving = try after.moving(from: world.settings).get()
        world.reload { $0 = moving }
    }

    /// A copy on its way has what is read, or nothing: never anything else.
    private func wrongCopies(_ world: World) -> [String] {
        let pool = world.engine.owned[0]
        return Self.keys.flatMap { key -> [String] in
            let bytes = Array(key.utf8)
            let copies = unsafe pool.copies(
                of: pool.hashed(ByteRange(offset: 0, length: bytes.count), in: bytes.span.bytes))
            let items = copies.indices.map { world.nodes[world.server(Int(copies[$0]))].items[key] }
            let held = pool.settings.moving?.before.copies ?? copies.count
            return items.indices.compactMap { index in
                let isRight = items[index]?.data == items[0]?.data && items[index]?.flags == items[0]?.flags
                guard !isRight, index < held || items[index] != nil else { return nil }
                return "\(key), copy \(index) of \(copies)"
            }
        }
    }

    @Test(.timeLimit(.minutes(20)), arguments: PoolSettings.Acks.allCases)
    func whatIsOnTheWayIsRightOrMissing(acks: PoolSettings.Acks) throws {
        let rounds = max(1, (environment("DROVER_ROUNDS").flatMap(Int.init) ?? 2000) / 100)
        var generator = SeededGenerator.fromEnvironment()
        var onTheWay = 0
        for round in 0..<rounds {
            let seed = round == 0 ? generator.seed : generator.next()
            let world = World(
                .twoOfThree, acks: acks, read: generator.pick(PoolSettings.Read.allCases), checks: 0, seed: seed)
            world.proveAll()
            var clients = (0..<6).map { SimulatedClient(world, number: $0, seed: seed, marksSilence: false) }
            for step in 0..<16 {
                for index in clients.indices { clients[index].say(generator.pick(0..<4), to: world) }
                for _ in 0..<generator.pick(0..<6) { world.turn() }
                if step == 4 { try move(world) }
            }
            for index in clients.indices { clients[index].finish(world) }
            world.settle()
            let label: Comment = "DROVER_SEED=\(seed)"
            for index in clients.indices { clients[index].checkReplies(world, errors: false, label) }
            let wrong = wrongCopies(world)
            #expect(wrong.isEmpty, "\(label): \(wrong.joined(separator: "\n"))")
            #expect(!world.engine.isMoving && world.engine.owned[0].isMoving)
            onTheWay += Self.keys.count { world.nodes[3].items[$0] != nil }
            world.expectRest()
            guard wrong.isEmpty else { return }
        }
        #expect(onTheWay > 0, "nothing has come to the new node")
    }
}
