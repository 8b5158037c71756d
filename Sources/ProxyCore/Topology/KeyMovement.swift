internal import Distribution

/// How many of a pool's keys a change of its config moves, and from where to where: of a sample of keys, spread evenly.
public struct KeyMovement: Sendable, Equatable {
    /// Copies that one node gets of keys that are read from another so far.
    public struct Flow: Sendable, Equatable {
        public let from: String
        public let to: String
        /// So many, of a pool of one key.
        public let share: Double
    }

    /// Of all keys, those that are read from another node than before.
    public let moved: Double
    /// The largest first.
    public let flows: [Flow]

    /// Copies to be made, of a pool of one key.
    public var made: Double { flows.reduce(0) { $0 + $1.share } }

    /// - Parameter keys: of the sample.
    /// - Returns: nil where a key has no place of its own (`distribution: random`).
    public init?(from before: PoolSettings, to after: PoolSettings, keys: Int = 65_536) {
        guard before.distribution != .random, after.distribution != .random else { return nil }
        let count = Self.sampleSize(before, after, keys)
        let (old, new) = (KeyLookup(before), KeyLookup(after))
        let oldNodes = before.allNodes.map(NodeIdentity.init)
        let newNodes = after.allNodes.map(NodeIdentity.init)
        var moved = 0
        var pairs: [Int: Int] = [:]
        for number in 0..<count {
            let key = Self.key(number)
            let (held, owned) = (old.copies(of: key), new.copies(of: key))
            if oldNodes[held[0]] != newNodes[owned[0]] { moved += 1 }
            for node in owned where !held.contains(where: { oldNodes[$0] == newNodes[node] }) {
                pairs[held[0] * newNodes.count + node, default: 0] += 1
            }
        }
        self.moved = Double(moved) / Double(count)
        flows = pairs.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map {
            Flow(
                from: before.allNodes[$0.key / newNodes.count].label,
                to: after.allNodes[$0.key % newNodes.count].label, share: Double($0.value) / Double(count))
        }
    }

    /// How long the copies take to make, in seconds: one node is filled after the other, each from all its sources at
    /// once.
    ///
    /// - Parameters:
    ///   - keys: that the pool has.
    ///   - rate: items a second from one source.
    public func seconds(keys: Double, rate: Int) -> Double {
        var slowest: [String: Double] = [:]
        for flow in flows { slowest[flow.to] = max(slowest[flow.to] ?? 0, flow.share) }
        return slowest.values.reduce(0, +) * keys / Double(rate)
    }

    /// Fewer where finding a key's place asks every node.
    private static func sampleSize(_ before: PoolSettings, _ after: PoolSettings, _ keys: Int) -> Int {
        guard before.distribution == .rendezvous || after.distribution == .rendezvous else { return keys }
        return min(keys, max(2048, (1 << 22) / (before.allNodes.count + after.allNodes.count)))
    }

    /// Always the same keys, and no two alike at their ends, which some hashes see last.
    private static func key(_ number: Int) -> [UInt8] {
        var generator = JitterGenerator(state: UInt64(number) &* 0x2545_f491_4f6c_dd1d)
        return Array("key:\(String(generator.next(), radix: 16))".utf8)
    }
}
