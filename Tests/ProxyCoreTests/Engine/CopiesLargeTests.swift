import Bytes
import DroverTesting
import Testing

@testable import ProxyCore

/// Writes to two copies where one of them waits behind a large value.
@Suite struct CopiesLargeTests {
    private static let size = 1_000_000
    private static let value = String(repeating: "0123456789", count: size / 10)

    /// A world of two nodes that both have `big`, and the one of them that is asked for it.
    private func worldWithLargeItem(acks: PoolSettings.Acks) -> (World, UInt32, node: Int) {
        let world = World(nodes: 2, change: { ($0.replicas, $0.acks) = (2, acks) })
        let client = world.connect()
        #expect(world.ask("set big 0 0 \(Self.size)\r\n\(Self.value)\r\n", from: client) == "STORED\r\n")
        #expect(world.ask("set a 0 0 1\r\n0\r\n", from: client) == "STORED\r\n")
        world.mostBytes = 10_000
        return (world, client, world.copies(of: "big")[0])
    }

    /// The second write goes by another connection, and could be there first.
    @Test func aClientDoesNotOvertakeItself() {
        let (world, client, node) = worldWithLargeItem(acks: .all)
        let key = (0...).lazy.map { "k\($0)" }.first { world.copies(of: $0)[0] == node }!
        world.send("get big\r\nset \(key) 0 0 1\r\n1\r\n", from: client)
        for _ in 0..<8 { world.turn() }
        #expect(world.engine.clients[client].blockers == 1)
        world.send("set \(key) 0 0 1\r\n2\r\nget \(key)\r\n", from: client)
        for _ in 0..<8 { world.turn() }
        #expect(world.nodes[node].seen.count { $0.hasPrefix("set \(key) ") } == 1)
        world.mostBytes = nil
        world.settle()
        #expect(
            world.take(client).hasSuffix("END\r\nSTORED\r\nSTORED\r\nVALUE \(key) 0 1\r\n2\r\nEND\r\n"))
        #expect(world.nodes.allSatisfy { $0.items[key]?.data == Array("2".utf8) })
        world.expectRest()
    }

    /// With its answer a client goes on, though one copy waits behind a large value.
    @Test func anAnsweredClientGoesOn() {
        let (world, client, node) = worldWithLargeItem(acks: .one)
        let key = (0...).lazy.map { "k\($0)" }.first { world.copies(of: $0)[1] == node }!
        let reader = world.connect()
        world.nodes[1 - node].isFrozen = true
        world.send("get big\r\n", from: reader)
        world.turn()
        world.send("set \(key) 0 0 1\r\n1\r\n", from: client)
        for _ in 0..<8 { world.turn() }
        world.nodes[1 - node].isFrozen = false
        world.send("get \(key)\r\nset \(key) 0 0 1\r\n2\r\n", from: client)
        for _ in 0..<8 { world.turn() }
        #expect(world.take(client) == "STORED\r\nVALUE \(key) 0 1\r\n1\r\nEND\r\nSTORED\r\n")
        #expect(world.engine.clients[client].depth == 0 && world.engine.fans.count > 0)
        world.mostBytes = nil
        world.settle()
        #expect(world.take(reader) == "VALUE big 0 \(Self.size)\r\n\(Self.value)\r\nEND\r\n")
        #expect(world.nodes.allSatisfy { $0.items[key]?.data == Array("2".utf8) })
        world.expectRest()
    }

    /// Nor does a client that leaves in between leave anything behind.
    @Test func aClientLeavesWhileACopyWaits() {
        let (world, client, node) = worldWithLargeItem(acks: .all)
        let writer = world.connect()
        world.send("get big\r\n", from: client)
        world.send("set a 0 0 1\r\n1\r\nset a 0 0 1\r\n2\r\n", from: writer)
        for _ in 0..<8 { world.turn() }
        #expect(world.engine.fans.count == 2)
        world.close(client: writer)
        world.mostBytes = nil
        world.settle()
        #expect(world.nodes[node].items["a"]?.data == Array("2".utf8))
        #expect(world.take(client) == "VALUE big 0 \(Self.size)\r\n\(Self.value)\r\nEND\r\n")
        world.expectRest()
    }
}
