public import Bytes

/// A key on its way from a dump to its turn, as it waits in memory or in a file.
///
///     length of the key | size (4) | with what a node has: cas (8), expiry (8) | key
public struct SpillRecord: BitwiseCopyable, Sendable, Equatable {
    public var item: DumpedItem
    /// In the bytes that the record was read from.
    public var key: ByteRange
    /// Where the next record begins.
    public var end: Int

    /// The longest record, in bytes.
    public static let limit = 1 + 4 + 16 + DumpLine.keyLimit

    /// Adds a record.
    ///
    /// - Parameters:
    ///   - key: 1 to 250 bytes.
    ///   - keepsItem: what the node has of it is kept, too.
    public static func append(_ key: RawSpan, _ item: DumpedItem, keepsItem: Bool, to bytes: inout [UInt8]) {
        precondition((1...DumpLine.keyLimit).contains(key.byteCount))
        bytes.append(UInt8(key.byteCount))
        append(UInt64(item.size), count: 4, to: &bytes)
        if keepsItem {
            append(item.cas, count: 8, to: &bytes)
            append(UInt64(bitPattern: item.expiry), count: 8, to: &bytes)
        }
        unsafe key.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }

    /// Reads the record that begins at `start`; nil if there is no whole one.
    public init?(_ bytes: RawSpan, at start: Int, keepsItem: Bool) {
        let head = keepsItem ? 21 : 5
        guard start >= 0, start <= bytes.byteCount - head else { return nil }
        let length = Int(bytes.byte(at: start))
        end = start + head + length
        guard (1...DumpLine.keyLimit).contains(length), end <= bytes.byteCount else { return nil }
        key = ByteRange(offset: start + head, length: length)
        item = DumpedItem()
        item.size = UInt32(truncatingIfNeeded: bytes.word(at: start + 1))
        if keepsItem {
            item.cas = bytes.word(at: start + 5)
            item.expiry = Int64(bitPattern: bytes.word(at: start + 13))
        }
    }

    private static func append(_ number: UInt64, count: UInt64, to bytes: inout [UInt8]) {
        for place in 0..<count { bytes.append(UInt8(truncatingIfNeeded: number >> (8 * place))) }
    }
}

/// How the keys of a dump are put in order: by how long ago they were used last, roughly.
public enum Recency {
    /// Classes there are; the first holds what was used last.
    public static let count = 33

    /// Class 0 is this second, 1 the one before, 2 the two before that, then four, eight…
    ///
    /// - Parameter now: by the clock of the node that said when the item was used.
    public static func of(_ item: DumpedItem, now: UInt64) -> Int {
        let age = now > item.lastAccess ? now - item.lastAccess : 0
        return min(UInt64.bitWidth - age.leadingZeroBitCount, count - 1)
    }
}
