internal import Bytes
internal import ProxyCore

/// The keys that the dumps of a pass have brought, by the node that each comes from.
final class KeyList {
    private let keepsItem: Bool
    /// Bytes of a node's keys that may stay in memory.
    private let memory: Int
    /// By place in the pool; nil where there are none.
    private(set) var keys: [KeySpill?]
    /// Those that were found on the target.
    private(set) var strays: [KeySpill?]
    private(set) var count = 0

    /// - Parameters:
    ///   - nodes: of the pool.
    ///   - memory: bytes of all keys that may stay in memory, and as many of strays.
    init(keepsItem: Bool, nodes: Int, memory: Int) {
        self.keepsItem = keepsItem
        self.memory = memory / max(1, nodes - 1)
        keys = Array(repeating: nil, count: nodes)
        strays = keys
    }

    func add(_ key: RawSpan, _ item: DumpedItem, recency: Int, from source: Int, isStray: Bool = false) {
        count += 1
        spill(source, isStray).add(key, item, recency: recency)
    }

    private func spill(_ source: Int, _ isStray: Bool) -> KeySpill {
        if let spill = isStray ? strays[source] : keys[source] { return spill }
        let spill = KeySpill(keepsItem: keepsItem, memory: memory)
        if isStray { strays[source] = spill } else { keys[source] = spill }
        return spill
    }

    /// Whoever reads the keys has them now; they stay counted.
    func clear() {
        keys = Array(repeating: nil, count: keys.count)
        strays = keys
    }

    /// The errno of a file that has failed: keys are missing then.
    var failure: Int32? { (keys + strays).lazy.compactMap { $0?.failure }.first }
}

/// What a copy pass has listed of all nodes, for the verification right behind it: who asked them once more, a moment
/// later, would learn the same and take a processor of each for it. What clients have written since is on all copies.
struct SharedList {
    /// Nanoseconds that the list may be old: who was paused since lists anew.
    static let limit: UInt64 = 30_000_000_000
    /// Nanoseconds for which it is kept.
    static let lifetime: UInt64 = 5_000_000_000

    /// The copy pass.
    let order: PassOrder
    let keys: KeyList
    /// What is known of the target.
    let facts: NodeFacts
    let clock: Int64
    let deadline: UInt64

    func serves(_ next: PassOrder) -> Bool {
        next.pass == .verify && next.sharesList && next.pool === order.pool && next.target == order.target
            && next.nodes.map(\.isFull) == order.nodes.map(\.isFull) && next.sample == order.sample
    }
}
