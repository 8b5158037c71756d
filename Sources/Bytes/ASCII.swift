internal import Glibc

/// The few byte values that both directions of the protocol turn on.
public enum ASCII {
    @inlinable public static var nul: UInt8 { 0x00 }
    @inlinable public static var newline: UInt8 { 0x0a }
    @inlinable public static var carriageReturn: UInt8 { 0x0d }
    @inlinable public static var space: UInt8 { 0x20 }
    @inlinable public static var minus: UInt8 { 0x2d }
    @inlinable public static var zero: UInt8 { 0x30 }

    /// One bit per byte of `word`, in the byte's top bit: set for the first byte that is below 0x21.
    ///
    /// Only the lowest set bit may be trusted: the borrow of a hit can spill into the bytes above it.
    @inlinable
    public static func controlOrSpace(in word: UInt64) -> UInt64 {
        (word &- 0x2121_2121_2121_2121) & ~word & 0x8080_8080_8080_8080
    }

    /// One bit per byte of `word`, in the byte's top bit: set for every byte that is below 0x21.
    @inlinable
    public static func controlsAndSpaces(in word: UInt64) -> UInt64 {
        // The top bits are kept out of the sum, so that no byte carries into the next.
        ~(((word & 0x7f7f_7f7f_7f7f_7f7f) &+ 0x5f5f_5f5f_5f5f_5f5f) | word) & 0x8080_8080_8080_8080
    }

    /// The decimal number that a word begins with, and how many digits it has: 1 to 7. A count of 0 says that there is
    /// none, or that there may be more digits behind the word.
    @inlinable @inline(__always)
    public static func decimal(_ word: UInt64) -> (value: UInt64, count: Int) {
        let digits = word ^ 0x3030_3030_3030_3030
        // A byte above 9 gets its top bit set; a carry spoils only the bytes above the first such one.
        let others = ((digits &+ 0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080
        let count = others.trailingZeroBitCount &>> 3
        if others == 0 || count == 0 { return (0, 0) }
        return (joined(digits &<< UInt64(truncatingIfNeeded: 64 &- 8 &* count)), count)
    }

    /// The number that eight digits make, as values, the first in the lowest byte: neighbours are joined to pairs, fours,
    /// eight.
    @inlinable @inline(__always)
    static func joined(_ digits: UInt64) -> UInt64 {
        var sum = (digits &* 2561) &>> 8 & 0x00ff_00ff_00ff_00ff
        sum = (sum &* 6_553_601) &>> 16 & 0x0000_ffff_0000_ffff
        sum = (sum &* 42_949_672_960_001) &>> 32
        return sum
    }

    /// As `decimal`, and a count of 8 where all are digits; 0 says that there is none.
    @inlinable @inline(__always)
    static func digits(_ word: UInt64) -> (value: UInt64, count: Int) {
        let digits = word ^ 0x3030_3030_3030_3030
        let isAll = ((digits &+ 0x7676_7676_7676_7676) | digits) & 0x8080_8080_8080_8080 == 0
        return isAll ? (joined(digits), 8) : decimal(word)
    }

    /// The number in a word that reads ` 0 ddd` CR LF, as the lines of most values end, after flags or time of 0.
    @inlinable @inline(__always)
    public static func usualLength(_ word: UInt64) -> Int? {
        let three = (word &>> 24 ^ 0x30_3030) & 0xff_ffff
        guard word & 0xffff_0000_00ff_ffff == 0x0a0d_0000_0020_3020, (three &+ 0x76_7676 | three) & 0x80_8080 == 0
        else { return nil }
        return Int(truncatingIfNeeded: (three & 0xff) &* 100 &+ (three &>> 8 & 0xff) &* 10 &+ three &>> 16)
    }

    /// What C's `isspace` says in the "C" locale.
    @inlinable
    public static func isSpace(_ byte: UInt8) -> Bool {
        byte == space || (0x09...0x0d).contains(byte)
    }
}

/// Loads that parsers need. Each is checked against the span's bounds; integers have no invalid bit pattern, so a
/// checked load of one is safe although the standard library has to call it `unsafe`.
extension RawSpan {
    /// The byte at `offset`, which must lie inside the span.
    @inlinable
    public func byte(at offset: Int) -> UInt8 {
        unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    /// Whether CR LF stands at `offset`.
    @inlinable @inline(__always)
    public func hasNewline(at offset: Int) -> Bool {
        guard byteCount &- offset >= 2 else { return false }
        return unsafe UInt16(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self)) == 0x0a0d
    }

    /// Eight bytes from `offset` on, the first in the lowest bits; bytes past the end read as zero.
    @inlinable
    public func word(at offset: Int) -> UInt64 {
        if byteCount &- offset >= 8 {
            return unsafe UInt64(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
        }
        return lastWord(at: offset)
    }

    /// `word(at:)` without its checks, for where one check covers several loads: all eight bytes must lie inside.
    @unsafe @inlinable @inline(__always)
    public func word(known offset: Int) -> UInt64 {
        unsafe UInt64(littleEndian: unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }

    /// `byte(at:)` without its check.
    @unsafe @inlinable @inline(__always)
    public func byte(known offset: Int) -> UInt8 {
        unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    /// `word(at:)` where fewer than eight bytes are left.
    @inlinable
    func lastWord(at offset: Int) -> UInt64 {
        let left = byteCount &- offset
        if left <= 0 { return 0 }
        // Two loads that overlap cover the rest: where both hold a byte, they agree on it.
        if byteCount >= 8 {
            let whole = unsafe UInt64(
                littleEndian: unsafeLoadUnaligned(fromByteOffset: byteCount &- 8, as: UInt64.self))
            return whole &>> UInt64(truncatingIfNeeded: 64 &- 8 &* left)
        }
        if left >= 4 {
            let low = unsafe UInt32(littleEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
            let high = unsafe UInt32(
                littleEndian: unsafeLoadUnaligned(fromByteOffset: byteCount &- 4, as: UInt32.self))
            return UInt64(low) | UInt64(high) &<< UInt64(truncatingIfNeeded: 8 &* (left &- 4))
        }
        let first = UInt64(byte(at: offset))
        if left == 1 { return first }
        let last = unsafe UInt16(littleEndian: unsafeLoadUnaligned(fromByteOffset: byteCount &- 2, as: UInt16.self))
        return first | UInt64(last) &<< UInt64(truncatingIfNeeded: 8 &* (left &- 2))
    }

    /// Where the first newline at or after `offset` is; nil if there is none.
    public func firstNewline(from offset: Int) -> Int? {
        guard offset >= 0, offset < byteCount else { return nil }
        return unsafe withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return nil }
            // Safe: offset lies inside the buffer, and the length given is what is left of it.
            guard let found = unsafe memchr(base + offset, Int32(ASCII.newline), buffer.count - offset) else {
                return nil
            }
            return unsafe UnsafeRawPointer(found) - base
        }
    }

    /// Bytes up to the first newline and with it; all of them if there is none.
    public var firstLineLength: Int { firstNewline(from: 0).map { $0 + 1 } ?? byteCount }

    /// Where the token that starts at `offset` ends: at the first space or NUL, else at `end`.
    @inlinable
    @inline(__always)
    public func tokenEnd(from offset: Int, end: Int) -> Int {
        var index = offset
        while index < end {
            let hits = ASCII.controlOrSpace(in: word(at: index))
            if hits == 0 {
                index &+= 8
                continue
            }
            index &+= hits.trailingZeroBitCount &>> 3
            if index >= end { return end }
            let byte = byte(at: index)
            if byte == ASCII.space || byte == ASCII.nul { return index }
            index &+= 1  // another control character: memcached takes it for part of the token
        }
        return end
    }
}

extension RawSpan {
    /// Whether both hold the same bytes.
    @inlinable @inline(__always)
    public func isEqual(to other: RawSpan) -> Bool {
        guard byteCount == other.byteCount else { return false }
        var index = 0
        while index < byteCount {
            if word(at: index) != other.word(at: index) { return false }
            index &+= 8
        }
        return true
    }

    /// Whether `text` stands at `offset`.
    @inlinable
    public func isEqual(to text: StaticString, at offset: Int) -> Bool {
        let count = text.utf8CodeUnitCount
        guard offset >= 0, byteCount - offset >= count else { return false }
        let other = unsafe RawSpan(_unsafeStart: text.utf8Start, byteCount: count)
        return extracting(offset..<(offset + count)).isEqual(to: other)
    }
}
