public import Bytes

/// One item of a backup, as it lies in a block's unpacked bytes:
///
///     length of the key (1) | flags (4) | expiry (8) | length of the value (4) | key | value
///
/// Numbers are little-endian, here and in all of the format.
public struct ArchiveRecord: BitwiseCopyable, Sendable, Equatable {
    public var flags: UInt32
    /// Seconds since 1970 by the clock of the proxy that made the backup; -1 is never.
    public var expiry: Int64
    /// Where they are in the block's bytes.
    public var key: ByteRange
    public var value: ByteRange
    /// Where the next record begins.
    public var end: Int

    static let headLength = 17
    public static let keyLimit = 250
    /// The largest value that memcached can be told to take.
    public static let valueLimit = 1 << 30

    /// Adds a record.
    ///
    /// - Parameters:
    ///   - key: 1 to `keyLimit` bytes.
    ///   - valueLength: of the value, which the caller appends; at most `valueLimit`.
    static func append(
        _ key: RawSpan, flags: UInt32, expiry: Int64, valueLength: Int, to bytes: inout [UInt8]
    ) {
        precondition((1...keyLimit).contains(key.byteCount) && (0...valueLimit).contains(valueLength) && expiry >= -1)
        bytes.append(UInt8(key.byteCount))
        bytes.append(number: UInt64(flags), count: 4)
        bytes.append(number: UInt64(bitPattern: expiry), count: 8)
        bytes.append(number: UInt64(valueLength), count: 4)
        unsafe key.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }

    /// Reads the record that begins at `start`; nil if there is no whole and valid one.
    public init?(_ bytes: RawSpan, at start: Int) {
        guard start >= 0, start <= bytes.byteCount - Self.headLength else { return nil }
        let keyLength = Int(bytes.byte(at: start))
        flags = UInt32(truncatingIfNeeded: bytes.word(at: start + 1))
        expiry = Int64(bitPattern: bytes.word(at: start + 5))
        let valueLength = Int(UInt32(truncatingIfNeeded: bytes.word(at: start + 13)))
        guard (1...Self.keyLimit).contains(keyLength), expiry >= -1, valueLength <= Self.valueLimit else { return nil }
        let keyStart = start + Self.headLength
        end = keyStart + keyLength + valueLength
        guard end <= bytes.byteCount else { return nil }
        key = ByteRange(offset: keyStart, length: keyLength)
        value = ByteRange(offset: keyStart + keyLength, length: valueLength)
    }
}

extension [UInt8] {
    /// So many of the number's bytes, the lowest first.
    mutating func append(number: UInt64, count: Int) {
        for place in 0..<count { append(UInt8(truncatingIfNeeded: number >> UInt64(8 * place))) }
    }
}
