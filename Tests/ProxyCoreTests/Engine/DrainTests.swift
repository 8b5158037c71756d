import Bytes
import DroverTesting
import Testing

@testable import ProxyCore

/// What a worker that is to stop waits for.
struct DrainTests {
    private func world(acks: PoolSettings.Acks = .all) -> (world: World, client: UInt32, homes: [Int]) {
        let world = World(nodes: 3, change: { ($0.replicas, $0.checks, $0.acks) = (2, 0, acks) })
        world.proveAll()
        return (world, world.connect(), world.copies(of: "k"))
    }

    private let set = "set k 0 0 1\r\nx\r\n"

    @Test func aWriteThatACopyHasNotAnswered() {
        let (world, client, homes) = world(acks: .one)
        world.nodes[homes[1]].isFrozen = true
        #expect(world.ask(set, from: client) == "STORED\r\n")
        #expect(world.engine.isRepairing && world.engine.unrepaired == 1)
        world.nodes[homes[1]].isFrozen = false
        world.run()
        #expect(!world.engine.isRepairing && world.engine.unrepaired == 0)
    }

    @Test func whatTheOtherNodesAreTold() {
        let (world, client, homes) = world(acks: .one)
        world.answersMisses = false
        world.nodes[homes[1]].isFrozen = true
        #expect(world.ask(set, from: client) == "STORED\r\n")
        world.breakLinks(to: homes[1])
        world.run()
        #expect(world.engine.isRepairing)
        world.publish()
        world.run()
        #expect(!world.engine.isRepairing)
    }

    /// Where no markers are kept: tried again, as long as the node is there.
    @Test func aRepairThatIsPutOff() {
        let (world, client, homes) = world()
        for node in world.nodes.indices { world.judge(node: node, isUp: true) }
        world.nodes[homes[1]].isFrozen = true
        world.send(set, from: client)
        world.run()
        world.breakLinks(to: homes[1], landing: false)
        world.nodes[homes[1]].isFrozen = false
        world.run()
        #expect(world.take(client) == "STORED\r\n")
        #expect(world.engine.isRepairing && world.engine.unrepaired == 1, "it is due in a second")
        world.judge(node: homes[1], isUp: false)
        world.engine.hurryRepairs()
        world.run()
        #expect(!world.engine.isRepairing && world.engine.unrepaired == 1, "the node may be away for long")
    }
}
