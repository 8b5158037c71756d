internal import Bytes
internal import Distribution

/// Keys that a node has, of which some others pass for being there too: a Bloom filter (Bloom, "Space/time trade-offs in
/// hash coding with allowable errors", 1970). Its memory does not grow with the keys; with too many it knows none.
///
/// Who takes one key for another by one filter does not by the next, which has another seed.
public struct KeyFilter: Sendable {
    private static let probes = 4
    /// Below that many bits a key, one in forty passes for being there.
    private static let bitsPerKey = 8

    private let seed: UInt64
    private let mask: UInt64
    private var words: [UInt64] = []
    public private(set) var count = 0

    /// - Parameter megabytes: of memory, a power of two, from the first key on.
    public init(megabytes: Int = 16, seed: UInt64) {
        mask = UInt64(megabytes) << 23 - 1
        self.seed = seed
    }

    private var isUsable: Bool { count * Self.bitsPerKey <= mask }

    public mutating func insert(_ key: RawSpan) {
        count += 1
        guard isUsable else { return words = [] }
        if words.isEmpty { words = Array(repeating: 0, count: Int((mask + 1) / 64)) }
        var (bit, step) = probe(key)
        for _ in 0..<Self.probes {
            words[Int((bit & mask) / 64)] |= 1 << (bit & 63)
            bit &+= step
        }
    }

    /// False for certain where the key was not inserted, but for a few.
    public func contains(_ key: RawSpan) -> Bool {
        guard isUsable, !words.isEmpty else { return false }
        var (bit, step) = probe(key)
        for _ in 0..<Self.probes {
            if words[Int((bit & mask) / 64)] & 1 << (bit & 63) == 0 { return false }
            bit &+= step
        }
        return true
    }

    private func probe(_ key: RawSpan) -> (first: UInt64, step: UInt64) {
        var generator = JitterGenerator(state: KeyHash.xxh3.hash(key, from: 0, count: key.byteCount) &+ seed)
        let first = generator.next()
        return (first, generator.next() | 1)
    }
}
