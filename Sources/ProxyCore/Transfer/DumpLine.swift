internal import Bytes

/// What a node's dump tells of an item, besides its key.
public struct DumpedItem: BitwiseCopyable, Sendable, Equatable {
    /// The date by the node's own clock, in seconds; -1 is never.
    public var expiry: Int64 = -1
    /// When it was last read or written, likewise.
    public var lastAccess: UInt64 = 0
    public var cas: UInt64 = 0
    /// Bytes that it takes, key and header included.
    public var size: UInt32 = 0

    public init() {}
}

/// What one line says of the answer to `lru_crawler metadump`.
public enum DumpLine: BitwiseCopyable, Sendable, Equatable {
    /// The key is in the buffer, so many bytes of it.
    case item(DumpedItem, keyLength: Int)
    /// The node begins (1.6.43 and later), or `lru_crawler enable` is done.
    case ok
    case end
    /// Another dump runs, or the node's hash table grows: try again later.
    case busy
    /// The node's crawler is off; it can be turned on.
    case disabled
    /// The node was started with -X.
    case notAllowed
    /// Another error, or no such line.
    case garbled

    /// The longest key that an item can have, in bytes.
    public static let keyLimit = 250
    /// The longest line, in bytes: a key of which every byte is encoded, and seven numbers.
    public static let limit = 2048

    /// - Parameters:
    ///   - line: with its newline or without.
    ///   - key: gets the item's key, decoded.
    public static func parse(_ line: RawSpan, key: inout InlineArray<250, UInt8>) -> DumpLine {
        var end = line.byteCount
        // CR LF, and from 1.6.24 on a space in front of the newline.
        while end > 0, line.byte(at: end - 1) <= ASCII.space { end -= 1 }
        guard line.isEqual(to: "key=", at: 0) else { return answer(line.extracting(0..<end)) }
        var index = 4
        var length = 0
        while index < end {
            var byte = line.byte(at: index)
            index += 1
            if byte == ASCII.space { break }
            if byte == 0x25 {  // %
                guard index + 1 < end, let high = digit(line.byte(at: index)),
                    let low = digit(line.byte(at: index + 1))
                else { return .garbled }
                byte = high << 4 | low
                index += 2
            }
            guard length < keyLimit else { return .garbled }
            key[length] = byte
            length += 1
        }
        guard length > 0, let item = item(line.extracting(index..<max(index, end))) else { return .garbled }
        return .item(item, keyLength: length)
    }

    /// `exp=-1 la=1795225659 cas=3 fetch=no cls=1 size=65`, in any order, and whatever newer servers add.
    private static func item(_ fields: RawSpan) -> DumpedItem? {
        var item = DumpedItem()
        var seen: (expiry: Bool, access: Bool, cas: Bool, size: Bool) = (false, false, false, false)
        var index = 0
        while index < fields.byteCount {
            if fields.isEqual(to: "exp=-1", at: index) {
                (item.expiry, seen.expiry) = (-1, true)
            } else if let number = number(fields, behind: "exp=", at: index) {
                guard let expiry = Int64(exactly: number) else { return nil }
                (item.expiry, seen.expiry) = (expiry, true)
            } else if let number = number(fields, behind: "la=", at: index) {
                (item.lastAccess, seen.access) = (number, true)
            } else if let number = number(fields, behind: "cas=", at: index) {
                (item.cas, seen.cas) = (number, true)
            } else if let number = number(fields, behind: "size=", at: index) {
                guard let size = UInt32(exactly: number) else { return nil }
                (item.size, seen.size) = (size, true)
            }
            while index < fields.byteCount, fields.byte(at: index) != ASCII.space { index += 1 }
            index += 1
        }
        return seen == (true, true, true, true) ? item : nil
    }

    /// The number that ends the field; nil if the field is another one, or its number is none or beyond 64 bits.
    private static func number(_ fields: RawSpan, behind name: StaticString, at start: Int) -> UInt64? {
        guard fields.isEqual(to: name, at: start) else { return nil }
        var index = start + name.utf8CodeUnitCount
        let first = index
        var value: UInt64 = 0
        while index < fields.byteCount, fields.byte(at: index) != ASCII.space {
            let digit = fields.byte(at: index) &- ASCII.zero
            let (product, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, carries) = product.addingReportingOverflow(UInt64(digit))
            guard digit <= 9, !isTooLarge, !carries else { return nil }
            value = sum
            index += 1
        }
        return index > first ? value : nil
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case 0x30...0x39: byte - 0x30
        case 0x41...0x46: byte - 0x37
        case 0x61...0x66: byte - 0x57
        default: nil
        }
    }

    private static func answer(_ line: RawSpan) -> DumpLine {
        if line.isEqual(to: "END", at: 0), line.byteCount == 3 { return .end }
        if line.isEqual(to: "OK", at: 0), line.byteCount == 2 { return .ok }
        if line.isEqual(to: "BUSY", at: 0) || line.isEqual(to: "ERROR locked", at: 0) { return .busy }
        if line.isEqual(to: "CLIENT_ERROR lru crawler disabled", at: 0) { return .disabled }
        if line.isEqual(to: "ERROR metadump not allowed", at: 0) { return .notAllowed }
        return .garbled
    }
}
