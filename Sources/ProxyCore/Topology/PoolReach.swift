internal import Distribution

/// How much of a pool can be reached while some of its nodes are down: shares of keys that are spread evenly, as the
/// hash spreads them if it is a good one.
public struct PoolReach: Sendable, Equatable {
    /// Of all copies of all keys, those on nodes that are up.
    public let available: Double
    /// Of all keys, those with such a copy.
    public let readable: Double
    /// Of all keys, those with as many such copies as `min_live` asks for: of whole ones, if there is any.
    public let writable: Double

    public static let whole = PoolReach(available: 1, readable: 1, writable: 1)

    public init(available: Double, readable: Double, writable: Double) {
        (self.available, self.readable, self.writable) = (available, readable, writable)
    }

    /// - Parameters:
    ///   - pool: with all nodes up, so that each key is where it belongs.
    ///   - isUp: by the number of the node among all nodes.
    ///   - isFull: it is up, and not being filled.
    public init(of pool: Pool, isUp: (Int) -> Bool, isFull: (Int) -> Bool) {
        guard !pool.nodes.allSatisfy({ isUp($0) && isFull($0) }) else {
            self = .whole
            return
        }
        let keys = Self.sampleSize(for: pool)
        var (copies, live, readable, writable) = (0, 0, 0, 0)
        for number in 0..<keys {
            let homes = pool.copies(of: Self.hash(number))
            let up = homes.indices.count { isUp(Int(homes[$0])) }
            copies += homes.count
            live += up
            if up > 0 { readable += 1 }
            let full = homes.indices.count { isFull(Int(homes[$0])) }
            if (full > 0 ? full : up) >= pool.minLive { writable += 1 }
        }
        self.init(
            available: Double(live) / Double(copies), readable: Double(readable) / Double(keys),
            writable: Double(writable) / Double(keys))
    }

    /// So many keys that a share of a thousandth is hardly missed; fewer where finding one asks every node.
    private static func sampleSize(for pool: Pool) -> Int {
        guard pool.settings.distribution == .rendezvous else { return 16_384 }
        return min(16_384, max(512, (1 << 21) / (pool.nodes.count * pool.copyCount)))
    }

    /// The hash of a key, always the same keys: SplitMix64.
    private static func hash(_ number: Int) -> UInt64 {
        var generator = JitterGenerator(state: UInt64(number) &* 0x2545_f491_4f6c_dd1d)
        return generator.next()
    }
}
