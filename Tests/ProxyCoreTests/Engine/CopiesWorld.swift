import DroverTesting
import Testing

@testable import ProxyCore

/// Where the simulated pool keeps its copies.
enum CopiesShape: String, Sendable, CaseIterable {
    case twoOfThree, threeOfThree, standby, hybrid

    func apply(_ pool: inout PoolSettings) {
        switch self {
        case .twoOfThree: pool.replicas = 2
        case .threeOfThree: pool.replicas = 3
        case .standby: pool.standby = Self.farm(1)
        case .hybrid: (pool.replicas, pool.standby) = (2, Self.farm(2))
        }
    }

    private static func farm(_ count: Int) -> [NodeSettings] {
        (0..<count).map { NodeSettings(address: .tcp(host: "127.0.0.2", port: UInt16(11_211 + $0))) }
    }
}

extension World {
    /// Over three nodes, and a standby where the shape has one; bytes come in pieces, and nodes answer late.
    convenience init(
        _ shape: CopiesShape, acks: PoolSettings.Acks, read: PoolSettings.Read = .primary,
        onMiss: PoolSettings.OnMiss = .miss, checks: Int = PoolSettings.defaultChecks, timeout: UInt64 = 200_000_000,
        seed: UInt64, writes: WriteTable = WriteTable(), locks: WriteLocks = WriteLocks(workers: 1), number: Int = 0
    ) {
        self.init(
            nodes: 3, seed: seed, writes: writes, locks: locks, number: number,
            change: { pool in
                shape.apply(&pool)
                (pool.acks, pool.read, pool.onMiss, pool.checks) = (acks, read, onMiss, checks)
                (pool.hedge, pool.timeout) = (10_000, timeout)
            })
        (mostBytes, slowness) = (3000, 4)
        // Node by node from another number on, close enough to meet.
        for index in nodes.indices { nodes[index].cas = UInt64(7 * index) }
    }

    private var pool: PoolSettings { engine.topology.pools[0].settings }

    /// The places of the key's copies, the primary's first.
    func copies(of key: String) -> [Int] { KeyLookup(pool).copies(of: Array(key.utf8)) }

    func copies(of keys: [String]) -> [String: [Int]] {
        let lookup = KeyLookup(pool)
        return Dictionary(uniqueKeysWithValues: keys.map { ($0, lookup.copies(of: Array($0.utf8))) })
    }

    /// The verdict on a node.
    func judge(node: Int, isUp: Bool) {
        let topology = engine.topology
        engine.adopt(topology.with { $0 == node ? isUp : topology.nodes[$0].isUp })
    }

    /// The same where markers are kept; the other nodes' verdicts stay.
    func judge(node: Int, _ verdict: NodeVerdict) {
        let topology = engine.topology
        engine.adopt(topology.with { $0 == node ? verdict : topology.nodes[$0].verdict })
    }

    /// All nodes are full, and proven just now.
    func proveAll(tokens: Bool = false) {
        engine.adopt(
            engine.topology.with {
                NodeVerdict(.full, provenAt: now, isCovered: false, token: tokens ? UInt64($0 + 1) : 0)
            })
    }

    /// Turns with time passing, until what waits for a moment has had it.
    func settle() {
        for _ in 0..<100 {
            run()
            now += 50_000_000
        }
        run()
    }

    /// Keys whose copies differ, or that are where they should not be; in words.
    func disagreements(on keys: [String]) -> [String] {
        let lookup = KeyLookup(pool)
        return keys.flatMap { key -> [String] in
            let homes = lookup.copies(of: Array(key.utf8))
            let held = nodes.indices.map { describe(nodes[$0].items[key]) }
            let primary = held[homes[0]]
            return nodes.indices.compactMap { node in
                let expected = homes.contains(node) ? primary : describe(nil)
                return held[node] == expected
                    ? nil : "\(key) on node \(node): \(held[node]), expected \(expected); copies on \(homes)"
            }
        }
    }

    private func describe(_ item: FakeNode.Item?) -> String {
        guard let item else { return "a miss" }
        return "flags \(item.flags), time \(item.time), \(item.data.count) bytes \(quoted(item.data, limit: 60))"
    }
}

/// A client of the simulation: what it asked, and what it has heard so far.
struct SimulatedClient {
    let id: UInt32
    private(set) var commands: [ModelCommand] = []
    private var received: [UInt8] = []
    private var generator: ModelGenerator

    init(_ world: World, number: Int, seed: UInt64, marksSilence: Bool) {
        id = world.connect()
        generator = ModelGenerator(random: SeededGenerator(seed: seed &+ UInt64(number)), client: number)
        (generator.hasLarge, generator.marksSilence) = (false, marksSilence)
    }

    mutating func say(_ count: Int, to world: World) {
        for _ in 0..<count {
            let command = generator.command()
            commands.append(command)
            world.send(command.text, from: id)
        }
        received += Array(world.take(id).utf8)
        // Numbers that it has been told, for its next cas: from replies that are whole by now.
        var replies = ModelReplies(ReceivedBytes(received))
        replies.errors = Self.errors
        for command in commands where (try? replies.check(command)) == nil { break }
        generator.cas = replies.cas
    }

    /// Asks a last thing, whose answer tells that all before it was answered.
    mutating func finish(_ world: World) {
        commands.append(ModelCommand(text: "mn\r\n", key: "", reply: .line(["MN"])))
        world.send("mn\r\n", from: id)
    }

    /// One reply a command, in order. One whose connection was closed on it, in the middle of a value, has heard less.
    mutating func checkReplies(_ world: World, errors: Bool, _ label: Comment) {
        received += Array(world.take(id).utf8)
        var replies = ModelReplies(ReceivedBytes(received))
        if errors { replies.errors = Self.errors }
        for (index, command) in commands.enumerated() {
            do {
                try replies.check(command)
            } catch {
                if world.isOpen(id) { Issue.record("\(label): client \(id), command \(index): \(error)") }
                return
            }
        }
        #expect(replies.source.left.isEmpty, "\(label): nobody asked for \(quoted(replies.source.left))")
    }

    private static let errors = [
        "SERVER_ERROR node timed out", "SERVER_ERROR node is down", "SERVER_ERROR node connection failed",
        "SERVER_ERROR write not secured",
    ]
}
