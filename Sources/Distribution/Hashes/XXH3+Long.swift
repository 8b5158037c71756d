/// XXH3 of more than 240 bytes: eight sums over stripes of 64 bytes, scrambled after each 16 stripes.
extension XXH3 {
    private typealias Sums = InlineArray<8, UInt64>

    static func long(_ key: RawSpan) -> UInt64 {
        var sums: Sums = [
            prime32x3, prime64x1, prime64x2, prime64x3, prime64x4, prime32x2, prime64x5, prime32x1,
        ]
        // The last stripe is taken apart, aligned to the key's end, so that no tail is left.
        let stripes = (key.byteCount &- 1) &>> 6
        for stripe in 0..<stripes {
            add(key, stripe &* 64, secretAt: (stripe & 15) &* 8, to: &sums)
            if stripe & 15 == 15 { scramble(&sums) }
        }
        add(key, key.byteCount &- 64, secretAt: 121, to: &sums)
        var hash = UInt64(key.byteCount) &* prime64x1
        for pair in 0..<4 {
            let at = 11 &+ pair &* 16
            hash = hash &+ fold(sums[pair &* 2] ^ secret(at), sums[pair &* 2 &+ 1] ^ secret(at &+ 8))
        }
        return avalanche(hash)
    }

    private static func add(_ key: RawSpan, _ at: Int, secretAt: Int, to sums: inout Sums) {
        for lane in 0..<8 {
            let value = key.word64(at &+ lane &* 8)
            let mixed = value ^ secret(secretAt &+ lane &* 8)
            sums[lane ^ 1] = sums[lane ^ 1] &+ value
            sums[lane] = sums[lane] &+ (mixed & 0xffff_ffff) &* (mixed &>> 32)
        }
    }

    private static func scramble(_ sums: inout Sums) {
        for lane in 0..<8 {
            sums[lane] = (sums[lane] ^ (sums[lane] &>> 47) ^ secret(128 &+ lane &* 8)) &* prime32x1
        }
    }
}
