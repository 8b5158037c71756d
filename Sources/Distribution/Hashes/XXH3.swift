/// Yann Collet's XXH3, 64 bits, seed 0, default secret. Keys are short, so the long form is written for size.
enum XXH3 {
    static let prime32x1: UInt64 = 0x9e37_79b1
    static let prime32x2: UInt64 = 0x85eb_ca77
    static let prime32x3: UInt64 = 0xc2b2_ae3d
    static let prime64x1: UInt64 = 0x9e37_79b1_85eb_ca87
    static let prime64x2: UInt64 = 0xc2b2_ae3d_27d4_eb4f
    static let prime64x3: UInt64 = 0x1656_67b1_9e37_79f9
    static let prime64x4: UInt64 = 0x85eb_ca77_c2b2_ae63
    static let prime64x5: UInt64 = 0x27d4_eb2f_1656_67c5

    static func hash(_ key: RawSpan) -> UInt64 {
        switch key.byteCount {
        case 17...128: upTo128(key)
        case 9...16: upTo16(key)
        case 4...8: upTo8(key)
        case 1...3: upTo3(key)
        case 0: avalanche64(secret(56) ^ secret(64))
        case 129...240: upTo240(key)
        default: long(key)
        }
    }

    static func hash(_ text: String) -> UInt64 {
        let bytes = Array(text.utf8)
        return unsafe hash(bytes.span.bytes)
    }

    private static func upTo3(_ key: RawSpan) -> UInt64 {
        let count = key.byteCount
        let first = UInt32(key.byte(0)) &<< 16
        let middle = UInt32(key.byte(count &>> 1)) &<< 24
        let combined = first | middle | UInt32(key.byte(count &- 1)) | UInt32(truncatingIfNeeded: count) &<< 8
        let flip = UInt32(truncatingIfNeeded: secret(0)) ^ UInt32(truncatingIfNeeded: secret(4))
        return avalanche64(UInt64(combined ^ flip))
    }

    private static func upTo8(_ key: RawSpan) -> UInt64 {
        let count = key.byteCount
        let input = UInt64(key.word32(count &- 4)) &+ UInt64(key.word32(0)) &<< 32
        var hash = input ^ (secret(8) ^ secret(16))
        hash ^= hash.rotated(left: 49) ^ hash.rotated(left: 24)
        hash = hash &* 0x9fb2_1c65_1e98_df25
        hash ^= (hash &>> 35) &+ UInt64(count)
        hash = hash &* 0x9fb2_1c65_1e98_df25
        return hash ^ (hash &>> 28)
    }

    private static func upTo16(_ key: RawSpan) -> UInt64 {
        let count = key.byteCount
        let low = key.word64(0) ^ (secret(24) ^ secret(32))
        let high = key.word64(count &- 8) ^ (secret(40) ^ secret(48))
        return avalanche(UInt64(count) &+ low.byteSwapped &+ high &+ fold(low, high))
    }

    private static func upTo128(_ key: RawSpan) -> UInt64 {
        let count = key.byteCount
        var sum = UInt64(count) &* prime64x1
        if count > 96 {
            sum = sum &+ mix16(key, 48, 96) &+ mix16(key, count &- 64, 112)
        }
        if count > 64 {
            sum = sum &+ mix16(key, 32, 64) &+ mix16(key, count &- 48, 80)
        }
        if count > 32 {
            sum = sum &+ mix16(key, 16, 32) &+ mix16(key, count &- 32, 48)
        }
        return avalanche(sum &+ mix16(key, 0, 0) &+ mix16(key, count &- 16, 16))
    }

    private static func upTo240(_ key: RawSpan) -> UInt64 {
        let count = key.byteCount
        var sum = UInt64(count) &* prime64x1
        for round in 0..<8 { sum = sum &+ mix16(key, round &* 16, round &* 16) }
        sum = avalanche(sum)
        for round in 8..<(count &>> 4) { sum = sum &+ mix16(key, round &* 16, (round &- 8) &* 16 &+ 3) }
        return avalanche(sum &+ mix16(key, count &- 16, 119))
    }

    @inline(__always)
    private static func mix16(_ key: RawSpan, _ at: Int, _ secretAt: Int) -> UInt64 {
        fold(key.word64(at) ^ secret(secretAt), key.word64(at &+ 8) ^ secret(secretAt &+ 8))
    }

    /// The two halves of the 128-bit product, one on the other.
    @inline(__always)
    static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.low ^ product.high
    }

    @inline(__always)
    static func avalanche(_ value: UInt64) -> UInt64 {
        let hash = (value ^ (value &>> 37)) &* 0x1656_6791_9e37_79f9
        return hash ^ (hash &>> 32)
    }

    /// XXH64's, which the shortest keys still use.
    @inline(__always)
    private static func avalanche64(_ value: UInt64) -> UInt64 {
        var hash = (value ^ (value &>> 33)) &* prime64x2
        hash = (hash ^ (hash &>> 29)) &* prime64x3
        return hash ^ (hash &>> 32)
    }

    /// Eight bytes of the secret from byte `at` on, at most 184.
    @inline(__always)
    static func secret(_ at: Int) -> UInt64 {
        let bit = UInt64(truncatingIfNeeded: (at & 7) &* 8)
        if bit == 0 { return xxh3Secret[at &>> 3] }
        return xxh3Secret[at &>> 3] &>> bit | xxh3Secret[(at &>> 3) &+ 1] &<< (64 &- bit)
    }
}

/// The 192 bytes of the default secret as little-endian words.
private let xxh3Secret: InlineArray<24, UInt64> = [
    0xbe4b_a423_396c_feb8, 0x1cad_21f7_2c81_017c, 0xdb97_9083_e96d_d4de, 0x1f67_b3b7_a4a4_4072,
    0x78e5_c0cc_4ee6_79cb, 0x2172_ffcc_7dd0_5a82, 0x8e24_43f7_7446_08b8, 0x4c26_3a81_e690_35e0,
    0xcb00_c391_bb52_283c, 0xa32e_531b_8b65_d088, 0x4ef9_0da2_9748_6471, 0xd8ac_dea9_46ef_1938,
    0x3f34_9ce3_3f76_faa8, 0x1d4f_0bc7_c7bb_dcf9, 0x3159_b4cd_4be0_518a, 0x6473_78d9_c97e_9fc8,
    0xc3eb_d334_83ac_c5ea, 0xeb63_13fa_ffa0_81c5, 0x49da_f0b7_51dd_0d17, 0x9e68_d429_2655_16d3,
    0xfca1_477d_58be_162b, 0xce31_d07a_d1b8_f88f, 0x2804_1695_8f3a_cb45, 0x7e40_4bbb_cafb_d7af,
]
