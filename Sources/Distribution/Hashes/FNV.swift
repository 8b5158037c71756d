/// The hashes of Fowler, Noll and Vo, as libmemcached and twemproxy have them: each byte widens with its sign, and the
/// 64-bit ones give the low 32 bits.
///
/// Those low bits depend on the low bits of the constants and of the running value alone, so 32-bit arithmetic yields
/// them: 0x84222325 and 0x1b3 are the low halves of the 64-bit offset and prime.
enum FNV {
    private static let offset32: UInt32 = 2_166_136_261
    private static let prime32: UInt32 = 16_777_619
    private static let offset64Low: UInt32 = 0x8422_2325
    private static let prime64Low: UInt32 = 0x1b3

    static func fnv1of32(_ key: RawSpan) -> UInt32 {
        multiplyFirst(key, offset32, prime32)
    }

    static func fnv1of64(_ key: RawSpan) -> UInt32 {
        multiplyFirst(key, offset64Low, prime64Low)
    }

    static func fnv1a32(_ key: RawSpan) -> UInt32 {
        xorFirst(key, offset32, prime32)
    }

    static func fnv1a64(_ key: RawSpan) -> UInt32 {
        xorFirst(key, offset64Low, prime64Low)
    }

    @inline(__always)
    private static func multiplyFirst(_ key: RawSpan, _ offset: UInt32, _ prime: UInt32) -> UInt32 {
        var hash = offset
        for at in 0..<key.byteCount {
            hash = (hash &* prime) ^ key.signedByte(at)
        }
        return hash
    }

    @inline(__always)
    private static func xorFirst(_ key: RawSpan, _ offset: UInt32, _ prime: UInt32) -> UInt32 {
        var hash = offset
        for at in 0..<key.byteCount {
            hash = (hash ^ key.signedByte(at)) &* prime
        }
        return hash
    }
}
