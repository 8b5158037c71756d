/// The hash of a key, by twemproxy's names, plus xxh3.
///
/// All but `xxh3` are 32 bits wide and equal twemproxy 0.5's and (but for `crc16` and `crc32a`, which it lacks)
/// libmemcached's, oddities included, because a placement is forever:
/// - a byte of 0x80 or more counts as negative in `one_at_a_time`, the four FNVs and the last byte of `hsieh`;
/// - `fnv1_64` is cut to its low half, and `fnv1a_64` is computed in 32 bits from the cut constants;
/// - `crc16` keeps the bits that it shifts out of its sixteen;
/// - `crc32` keeps 15 bits. On a ring those are one narrow arc, so nearly all keys meet one node; use `crc32a`.
public enum KeyHash: String, Sendable, CaseIterable {
    case oneAtATime = "one_at_a_time"
    case md5
    case crc16, crc32, crc32a
    case fnv1of64 = "fnv1_64"
    case fnv1a64 = "fnv1a_64"
    case fnv1of32 = "fnv1_32"
    case fnv1a32 = "fnv1a_32"
    case hsieh, murmur, jenkins
    /// All 64 bits of XXH3 with seed 0. Where a distribution is 32 bits wide, as ketama is, the low half counts.
    case xxh3

    /// The hash of `count` bytes of `bytes` from `start` on, a range that must lie inside them. Allocates nothing.
    public func hash(_ bytes: RawSpan, from start: Int, count: Int) -> UInt64 {
        hash(bytes.extracting(start..<(start + count)))
    }

    /// The hash of all of `key`. Allocates nothing.
    public func hash(_ key: RawSpan) -> UInt64 {
        switch self {
        case .fnv1a64: UInt64(FNV.fnv1a64(key))
        case .fnv1a32: UInt64(FNV.fnv1a32(key))
        case .fnv1of64: UInt64(FNV.fnv1of64(key))
        case .fnv1of32: UInt64(FNV.fnv1of32(key))
        case .xxh3: XXH3.hash(key)
        case .murmur: UInt64(Murmur2.hash(key))
        case .jenkins: UInt64(Jenkins.lookup3(key))
        case .oneAtATime: UInt64(Jenkins.oneAtATime(key))
        case .hsieh: UInt64(Hsieh.hash(key))
        case .md5: UInt64(MD5.digest(key).words[0])
        case .crc32a: UInt64(CRC.crc32a(key))
        case .crc32: UInt64(CRC.crc32(key))
        case .crc16: UInt64(CRC.crc16(key))
        }
    }
}

/// Loads checked against the span's bounds. Integers have no invalid bit pattern, so these are safe although the
/// standard library has to call its generic load `unsafe`.
extension RawSpan {
    @inline(__always)
    func byte(_ offset: Int) -> UInt8 {
        unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    /// The byte as C's `char` on x86-64 widens to 32 bits: with its sign.
    @inline(__always)
    func signedByte(_ offset: Int) -> UInt32 {
        UInt32(bitPattern: Int32(Int8(bitPattern: byte(offset))))
    }

    /// `signedByte` without its check, for where a loop's own bound is one.
    @unsafe @inline(__always)
    func signedByte(known offset: Int) -> UInt32 {
        unsafe UInt32(bitPattern: Int32(unsafeLoad(fromUncheckedByteOffset: offset, as: Int8.self)))
    }

    @inline(__always)
    func word16(_ offset: Int) -> UInt32 {
        unsafe UInt32(UInt16(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self)))
    }

    @inline(__always)
    func word32(_ offset: Int) -> UInt32 {
        unsafe UInt32(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    @inline(__always)
    func word64(_ offset: Int) -> UInt64 {
        unsafe UInt64(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }
}

extension FixedWidthInteger {
    /// The bits shifted to the left by `count`, those that fall out coming back at the right.
    @inline(__always)
    func rotated(left count: Int) -> Self {
        (self &<< Self(truncatingIfNeeded: count)) | (self &>> Self(truncatingIfNeeded: Self.bitWidth &- count))
    }
}
