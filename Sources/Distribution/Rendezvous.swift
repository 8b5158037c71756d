/// Highest random weight: David Thaler and Chinya Ravishankar, 1998; with weights as in Jason Resch's "New Hashing
/// Algorithms for Data Storage", 2015: the member wins whose −ln(u) / weight is least, u being uniform in 0 to 1.
///
/// All in integers, so that no maths library and no processor can move a key.
struct Rendezvous: Sendable {
    private let seeds: [UInt64]
    private let weights: [UInt64]
    /// log2(1 + i/256) in 32 bits after the point; empty when all weights are alike and the greatest u wins.
    private let logarithms: [UInt64]

    init(_ members: [Member]) {
        seeds = members.map { XXH3.hash($0.key) }
        weights = members.map { UInt64($0.weight) }
        let isEven = members.allSatisfy { $0.weight == members[0].weight }
        logarithms = isEven ? [] : (0...256).map(Self.logarithm)
    }

    var count: Int { seeds.count }

    /// How a member does for a hash; `beats` compares.
    struct Score {
        var chance: UInt64
        /// −log2(chance / 2^64), 32 bits after the point, not 0; unused with even weights.
        var cost: UInt64
        var weight: UInt64

        /// Costs are below 2^39 and weights below 2^17: the products fit. An equal cost of unequal chances comes of
        /// rounding; the chances then decide, as they do with even weights.
        @inline(__always)
        func beats(_ other: Score) -> Bool {
            let own = cost &* other.weight
            let others = other.cost &* weight
            return own < others || (own == others && chance > other.chance)
        }
    }

    @inline(__always)
    func score(of member: Int, for hash: UInt64) -> Score {
        let chance = mixed(hash ^ seeds[member])
        return Score(chance: chance, cost: logarithms.isEmpty ? 0 : cost(chance), weight: weights[member])
    }

    func pick(_ hash: UInt64) -> Int {
        var best = 0
        var bestScore = score(of: 0, for: hash)
        var member = 1
        while member < seeds.count {
            let score = score(of: member, for: hash)
            if score.beats(bestScore) { (best, bestScore) = (member, score) }
            member &+= 1
        }
        return best
    }

    /// By a table of 256 chords; their error, under 2^-18, is far below what weights say.
    @inline(__always)
    private func cost(_ chance: UInt64) -> UInt64 {
        let value = chance | 1
        let zeros = UInt64(truncatingIfNeeded: value.leadingZeroBitCount)
        let fraction = (value &<< zeros) &<< 1
        let index = Int(fraction &>> 56)
        let rest = (fraction &>> 24) & 0xffff_ffff
        let chord = logarithms[index &+ 1] &- logarithms[index]
        return (zeros &+ 1) &<< 32 &- (logarithms[index] &+ (chord &* rest) &>> 32)
    }

    /// log2(1 + i/256) bit by bit: squaring doubles a logarithm.
    private static func logarithm(_ i: Int) -> UInt64 {
        if i == 256 { return 1 << 32 }
        var value = UInt64(1) << 31 + UInt64(i) << 23
        var result: UInt64 = 0
        for _ in 0..<32 {
            value = (value * value) >> 31
            result <<= 1
            if value >= 1 << 32 {
                value >>= 1
                result |= 1
            }
        }
        return result
    }
}
