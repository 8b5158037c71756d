import DroverTesting

@testable import ProxyCore

/// The workers of one process: engines with clients and connections of their own, over the same nodes. Each hears late
/// that a key is its own now.
final class Workers {
    let locks: WriteLocks
    let worlds: [World]
    private var nodes: [FakeNode]
    private var told: [LockHandover] = []
    private var generator: SeededGenerator

    init(
        _ count: Int, _ shape: CopiesShape, acks: PoolSettings.Acks, read: PoolSettings.Read = .primary,
        checks: Int = PoolSettings.defaultChecks, seed: UInt64
    ) {
        let (writes, locks) = (WriteTable(), WriteLocks(workers: count, places: 4))
        self.locks = locks
        worlds = (0..<count).map {
            World(
                shape, acks: acks, read: read, checks: checks, seed: seed &+ UInt64($0), writes: writes, locks: locks,
                number: $0)
        }
        nodes = worlds[0].nodes
        generator = SeededGenerator(seed: seed)
    }

    var now: UInt64 { worlds[0].now }

    func advance(by time: UInt64) { for world in worlds { world.now += time } }

    func change(node: Int, _ body: (inout FakeNode) -> Void) { body(&nodes[node]) }

    func judge(node: Int, isUp: Bool) { for world in worlds { world.judge(node: node, isUp: isUp) } }

    /// A turn of one of them.
    /// - Parameter frozen: nodes that do not answer this one.
    @discardableResult
    func turn(_ number: Int, frozen: Set<Int> = []) -> Bool {
        let world = worlds[number]
        for index in told.indices.reversed() where told[index].worker == number && !generator.once(in: 3) {
            world.engine.granted(key: told.remove(at: index).key)
        }
        world.nodes = nodes
        for node in frozen { world.nodes[node].isFrozen = true }
        let moved = world.turn()
        for node in frozen { world.nodes[node].isFrozen = nodes[node].isFrozen }
        nodes = world.nodes
        told += world.takeHandovers()
        return moved
    }

    /// One of each, in any order.
    @discardableResult
    func turn() -> Bool {
        var moved = false
        for number in worlds.indices.shuffled(using: &generator) where turn(number) { moved = true }
        return moved || !told.isEmpty
    }

    /// Turns with time passing, until what waits for a moment has had it.
    func settle() {
        for _ in 0..<100 {
            while turn() {}
            advance(by: 50_000_000)
        }
        while turn() {}
        for world in worlds { world.nodes = nodes }
    }
}
