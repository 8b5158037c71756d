/// Austin Appleby's MurmurHash2 with libmemcached's seed, which is made of the length.
enum Murmur2 {
    private static let multiplier: UInt32 = 0x5bd1_e995

    static func hash(_ key: RawSpan) -> UInt32 {
        let length = UInt32(truncatingIfNeeded: key.byteCount)
        var hash = (0xdead_beef &* length) ^ length
        var at = 0
        while key.byteCount &- at >= 4 {
            var word = key.word32(at) &* multiplier
            word ^= word &>> 24
            hash = (hash &* multiplier) ^ (word &* multiplier)
            at &+= 4
        }
        let left = key.byteCount &- at
        if left > 2 { hash ^= UInt32(key.byte(at + 2)) &<< 16 }
        if left > 1 { hash ^= UInt32(key.byte(at + 1)) &<< 8 }
        if left > 0 { hash = (hash ^ UInt32(key.byte(at))) &* multiplier }
        hash ^= hash &>> 13
        hash = hash &* multiplier
        return hash ^ (hash &>> 15)
    }
}
