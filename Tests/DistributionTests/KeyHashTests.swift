import Distribution
import Testing

@Suite struct KeyHashTests {
    /// Lengths around every block and tail that a hash has.
    static let lengths = [
        1, 2, 3, 4, 7, 8, 11, 12, 13, 16, 24, 25, 55, 56, 63, 64, 65, 119, 120, 128, 129, 200, 240, 241, 250,
    ]

    /// Bytes of all values, so that every sign and carry occurs.
    static func bytes(_ length: Int) -> [UInt8] {
        (0..<length).map { UInt8(truncatingIfNeeded: $0 * 167 + 13 + length * 31) }
    }

    /// What twemproxy's own test expects of "apple".
    static let apple: [KeyHash: UInt64] = [
        .oneAtATime: 2_297_466_611, .md5: 3_195_025_439, .crc16: 3_662_830_516, .crc32: 10_542,
        .crc32a: 2_838_417_488, .fnv1of32: 67_176_023, .fnv1a32: 280_767_167, .fnv1of64: 473_199_127,
        .fnv1a64: 1_488_911_807, .hsieh: 3_738_850_110, .jenkins: 1_442_444_624, .murmur: 4_142_305_122,
        .xxh3: 0x517a_430d_cf1f_8a00,
    ]

    @Test(arguments: KeyHash.allCases)
    func appleIsAsInTheReference(_ hash: KeyHash) {
        #expect(hash.value(Array("apple".utf8)) == Self.apple[hash])
    }

    /// twemproxy 0.5's functions, compiled from its source, over `bytes` of all `lengths`; for xxh3 the reference's.
    @Test(arguments: KeyHash.allCases)
    func allLengthsAreAsInTheReference(_ hash: KeyHash) throws {
        let expected = try #require(goldenHashes[hash])
        #expect(Self.lengths.map { hash.value(Self.bytes($0)) } == expected)
    }

    @Test func xxh3OfOtherLengths() {
        let lengths = [0, 9, 17, 32, 33, 96, 97, 1024, 1025, 1088, 5000]
        let expected: [UInt64] = [
            0x2d06_8005_38d3_94c2, 0x433f_3bb3_b3c8_2454, 0xf78b_afac_5dc7_4fbc, 0xb028_c983_0f2b_c084,
            0xb863_a4ac_ec62_68ae, 0x4632_bf4c_6a34_4380, 0x6e2c_a457_f675_1111, 0x4ecd_e098_65c3_7511,
            0x18b8_49fe_009a_d3cb, 0x3e6d_6090_4e09_d099, 0x2057_0288_d195_7de0,
        ]
        #expect(lengths.map { KeyHash.xxh3.value(Self.bytes($0)) } == expected)
    }

    @Test(arguments: KeyHash.allCases)
    func aRangeHashesAsItsBytesAlone(_ hash: KeyHash) {
        for length in Self.lengths {
            let key = Self.bytes(length)
            // Every alignment: the reference reads words where it can.
            for before in 0..<9 {
                let buffer = [UInt8](repeating: 0xee, count: before) + key + [0xdd, 0xcc]
                let inside = unsafe hash.hash(buffer.span.bytes, from: before, count: length)
                #expect(inside == hash.value(key), "\(length) bytes at \(before)")
            }
        }
    }

    @Test func theRangeMustLieInside() async {
        await #expect(processExitsWith: .failure) {
            let key: [UInt8] = [1, 2, 3]
            _ = unsafe KeyHash.fnv1a64.hash(key.span.bytes, from: 1, count: 3)
        }
    }

    @Test func namesAreTwemproxys() {
        let names = [
            "one_at_a_time", "md5", "crc16", "crc32", "crc32a", "fnv1_64", "fnv1a_64", "fnv1_32", "fnv1a_32", "hsieh",
            "murmur", "jenkins", "xxh3",
        ]
        #expect(KeyHash.allCases.map(\.rawValue) == names)
    }
}

extension KeyHash {
    func value(_ key: [UInt8]) -> UInt64 {
        unsafe hash(key.span.bytes)
    }
}
