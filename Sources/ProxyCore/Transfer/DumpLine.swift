public import Bytes

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
    /// The key is in the buffer.
    case item(DumpedItem)
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
    public static func parse(_ line: RawSpan, key: inout LineBuffer) -> DumpLine {
        var end = line.byteCount
        // CR LF, and from 1.6.24 on a space in front of the newline.
        while end > 0, line.byte(at: end - 1) <= ASCII.space { end -= 1 }
        guard line.word(at: 0) & 0xffff_ffff == 0x3d79_656b else { return answer(line.extracting(0..<end)) }  // key=
        let keyEnd = line.tokenEnd(from: 4, end: end)
        key.clear()
        guard decode(line.extracting(4..<keyEnd), into: &key), !key.hasOverflowed,
            (1...keyLimit).contains(key.count),
            let item = item(line, from: keyEnd + 1, to: end)
        else { return .garbled }
        return .item(item)
    }

    /// - Returns: false if it is not well formed.
    private static func decode(_ text: RawSpan, into key: inout LineBuffer) -> Bool {
        var start = 0
        while true {
            var index = start
            while index < text.byteCount, text.byte(at: index) != 0x25 { index += 1 }  // %
            key.append(text.extracting(start..<index))
            if index == text.byteCount { return true }
            guard index + 2 < text.byteCount, let high = digit(text.byte(at: index + 1)),
                let low = digit(text.byte(at: index + 2))
            else { return false }
            key.append(byte: high << 4 | low)
            start = index + 3
        }
    }

    /// `exp=-1 la=1795225659 cas=3 fetch=no cls=1 size=65`, in any order, and whatever newer servers add. A dump has
    /// millions of these: names are told by one load.
    private static func item(_ fields: RawSpan, from start: Int, to end: Int) -> DumpedItem? {
        var item = DumpedItem()
        var seen: (expiry: Bool, access: Bool, cas: Bool, size: Bool) = (false, false, false, false)
        var index = start
        while index < end {
            let word = fields.word(at: index)
            var number: (value: UInt64, end: Int)?
            if word & 0xff_ffff == 0x3d_616c {  // la=
                number = fields.decimal(at: index + 3)
                (item.lastAccess, seen.access) = (number?.value ?? 0, true)
            } else if word & 0xffff_ffff == 0x3d73_6163 {  // cas=
                number = fields.decimal(at: index + 4)
                (item.cas, seen.cas) = (number?.value ?? 0, true)
            } else if word & 0xff_ffff_ffff == 0x3d_657a_6973 {  // size=
                number = fields.decimal(at: index + 5)
                guard let size = UInt32(exactly: number?.value ?? 0) else { return nil }
                (item.size, seen.size) = (size, true)
            } else if word & 0xffff_ffff == 0x3d70_7865, word & 0xffff_0000_0000 != 0x312d_0000_0000 {  // exp=, not -1
                number = fields.decimal(at: index + 4)
                guard let expiry = Int64(exactly: number?.value ?? 0) else { return nil }
                (item.expiry, seen.expiry) = (expiry, true)
            } else {
                if word & 0xffff_ffff == 0x3d70_7865 { seen.expiry = true }
                index = fields.tokenEnd(from: index, end: end) + 1
                continue
            }
            guard let number, number.end >= end || fields.byte(at: number.end) == ASCII.space else { return nil }
            index = number.end + 1
        }
        return seen == (true, true, true, true) ? item : nil
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
