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

    @inline(__always)
    static func fnv1a64(_ key: RawSpan) -> UInt32 {
        xorFirst(key, offset64Low, prime64Low)
    }

    @inline(__always)
    private static func multiplyFirst(_ key: RawSpan, _ offset: UInt32, _ prime: UInt32) -> UInt32 {
        fold(key, offset) { ($0 &* prime) ^ $1 }
    }

    @inline(__always)
    private static func xorFirst(_ key: RawSpan, _ offset: UInt32, _ prime: UInt32) -> UInt32 {
        fold(key, offset) { ($0 ^ $1) &* prime }
    }

    /// Eight bytes at a time, then four, two and one: most keys are short, and of those the loop that the compiler
    /// unrolls by itself would take up to three bytes one by one.
    @inline(__always)
    private static func fold(_ key: RawSpan, _ offset: UInt32, _ step: (UInt32, UInt32) -> UInt32) -> UInt32 {
        var hash = offset
        var at = 0
        // No load is checked: below, as many bytes are left as are taken. Loops of so few rounds would not all be unrolled.
        func one() {
            hash = step(hash, unsafe key.signedByte(known: at))
            at &+= 1
        }
        func two() {
            one()
            one()
        }
        func four() {
            two()
            two()
        }
        while key.byteCount &- at >= 8 {
            four()
            four()
        }
        if key.byteCount & 4 != 0 { four() }
        if key.byteCount & 2 != 0 { two() }
        if key.byteCount & 1 != 0 { one() }
        return hash
    }
}
