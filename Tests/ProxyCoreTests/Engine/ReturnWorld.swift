import Bytes
import DroverTesting

@testable import ProxyCore

/// Nodes that fail, are revoked, filled and read again, under an engine: what the control thread and the copier do, in
/// a few lines. One node at a time is in trouble, so that every key keeps a full copy.
final class ReturnWorld {
    let world: World
    private var random: SeededGenerator
    private let keys: [(name: String, homes: [Int])]
    /// The node in trouble.
    private(set) var victim = 0
    /// It missed a write that is known of, since it was last filled.
    private(set) var isRevoked = false
    private var isUp = true
    /// It has let the time of a request run out since it was heard.
    private var isSilent = false
    /// When the last thing happened that a filling has to wait for.
    private var disturbedAt: UInt64 = 0
    private var questions: [(miss: MissedWrite, due: UInt64)] = []
    private(set) var fillings = 0
    private(set) var returns = 0

    /// Two timeouts, two answers of the control thread, and some.
    private static let quietTime: UInt64 = 500_000_000
    private static let turn: UInt64 = 2_000_000

    init(_ shape: CopiesShape, acks: PoolSettings.Acks, read: PoolSettings.Read, keys: [String], seed: UInt64) {
        random = SeededGenerator(seed: seed &+ 1)
        world = World(shape, acks: acks, read: read, checks: 0, timeout: 120_000_000, seed: seed)
        world.slowness = 2
        world.answersMisses = false
        self.keys = keys.map { [world] in ($0, world.copies(of: $0)) }
        world.proveAll()
    }

    /// The victim, or another if all are well, gets into trouble now and then, and out of it.
    func turn() {
        world.now += Self.turn
        trouble()
        world.turn()
        for miss in world.takeMisses() {
            questions.append((miss, world.now + UInt64(random.pick(0..<10)) * Self.turn))
            if Int(miss.node) == victim { disturbedAt = world.now }
        }
        while let index = questions.firstIndex(where: { $0.due <= world.now }) {
            publish(questions.remove(at: index).miss)
        }
        if random.once(in: 10) { poll() }
    }

    private func trouble() {
        guard random.once(in: 20) else { return }
        if isWell { victim = random.pick(world.nodes.indices) }
        switch random.pick(0..<8) {
        case 0...1: world.breakLinks(to: victim)
        case 2: world.breakLinks(to: victim, landing: true)
        case 3: world.nodes[victim].isFrozen = true
        case 4 where isUp:
            isUp = false
            judge()
        default: heal()
        }
    }

    private func heal() {
        world.nodes[victim].isFrozen = false
        guard !isUp else { return }
        isUp = true
        disturbedAt = world.now
        if !isRevoked { returns += 1 }
        judge()
    }

    /// Nothing that is under way can find that the victim missed something.
    private var isWell: Bool {
        isUp && !isRevoked && !world.nodes[victim].isFrozen && questions.isEmpty
            && world.engine.nodes[UInt32(victim)].isFull && world.engine.fans.count == 0 && isConnected
    }

    /// No connection to it is still to be made, or may still be found to be broken.
    private var isConnected: Bool {
        let engine = world.engine
        return (0..<engine.liveLinks.count).allSatisfy { index in
            let link = engine.links[engine.liveLinks[index]]
            return Int(link.node) != victim || link.state == .closed || link.state == .ready && link.count == 0
        }
    }

    private func publish(_ miss: MissedWrite) {
        precondition(Int(miss.node) == victim, "node \(miss.node) missed a write, and \(victim) is in trouble")
        isRevoked = true
        if world.nodes[victim].isFrozen { isSilent = true }
        judge()
        world.engine.published(node: miss.node, round: miss.round, isKept: !random.once(in: 20))
    }

    /// The markers of all nodes are read; a node that is revoked is filled when the quiet time is over.
    private func poll() {
        if !world.nodes[victim].isFrozen { isSilent = false }
        if isUp, isRevoked, !world.nodes[victim].isFrozen, questions.isEmpty,
            world.now >= disturbedAt + Self.quietTime
        {
            fill()
        }
        judge()
    }

    private func judge() {
        let now = world.now
        world.engine.adopt(
            world.engine.topology.with { [victim, isUp, isRevoked, isSilent] node in
                guard node == victim else { return NodeVerdict(.full, provenAt: now, isCovered: false) }
                let access: NodeAccess = isUp ? isRevoked ? .syncing : .full : .none
                var verdict = NodeVerdict(access, provenAt: now, isCovered: isRevoked)
                verdict.isSilent = access == .syncing && isSilent
                return verdict
            })
    }

    /// All at once, between what nodes do.
    private func fill() {
        for key in keys {
            guard key.homes.contains(victim), let source = key.homes.first(where: { $0 != victim }) else { continue }
            world.nodes[victim].copy(world.nodes[source].items[key.name], as: key.name)
        }
        isRevoked = false
        fillings += 1
    }

    /// Everything works, and is over.
    func rest() {
        for _ in 0..<2000 where !isWell {
            heal()
            turnQuietly()
        }
        for _ in 0..<200 { turnQuietly() }
        // Repairs that failed wait for their next try.
        for _ in 0..<5000 where !world.engine.repairs.isEmpty || world.engine.requests.count > 0 { turnQuietly() }
    }

    private func turnQuietly() {
        world.now += Self.turn
        world.turn()
        for miss in world.takeMisses() {
            questions.append((miss, world.now))
            if Int(miss.node) == victim { disturbedAt = world.now }
        }
        while !questions.isEmpty { publish(questions.removeFirst().miss) }
        poll()
    }
}

extension FakeNode {
    /// Takes over an item of another node, as its own.
    mutating func copy(_ item: Item?, as key: String) {
        items[key] = item
        touchNumber(of: key)
    }
}
