public import Bytes

extension ReplyParser {
    /// `VALUE <key> <flags> <bytes> [<cas>]`, END, or an error.
    static func retrieval(_ line: RawSpan, _ length: Int) -> ReplyStep {
        let word = line.word(at: 0)
        if Spelling.prefix(word, 6) == Spelling.valueSpace { return value(line, length) }
        if word == 0x44_4e45, line.byteCount == 3 { return .end(length: length) }
        guard let code = errorCode(line) else { return .broken }
        return .line(code, length: length)
    }

    /// A whole VALUE header, read in one pass without looking for the newline first; nil where that does not work out.
    @inline(__always)
    static func shortValue(_ bytes: RawSpan) -> ReplyHead? {
        var index = 6
        while true {
            let hits = ASCII.controlOrSpace(in: bytes.word(at: index))
            if hits != 0 {
                index &+= hits.trailingZeroBitCount >> 3
                break
            }
            index &+= 8
            if index > 6 + 250 { return nil }
        }
        let keyEnd = index
        guard keyEnd > 6, keyEnd <= 6 + 250 else { return nil }
        guard let (data, cas) = numbers(bytes, &index) else { return nil }
        return ReplyHead(
            headerLength: UInt32(truncatingIfNeeded: index), dataLength: UInt32(truncatingIfNeeded: data),
            key: ByteRange(offset: 6, length: keyEnd &- 6), cas: cas)
    }

    /// What stands behind the key in a VALUE header, ` <flags> <bytes> [<cas>]` and the newline; `index` moves from the
    /// key's end behind it.
    @inline(__always)
    private static func numbers(_ bytes: RawSpan, _ index: inout Int) -> (data: UInt64, cas: UInt64)? {
        if bytes.word(at: index) & 0xff_ffff == 0x20_3020 {
            index &+= 3  // ` 0 `: most of the world has no flags
        } else {
            guard skipSpace(bytes, &index), digits(bytes, &index) != nil, skipSpace(bytes, &index) else { return nil }
        }
        let (data, dataDigits) = ASCII.decimal(bytes.word(at: index))
        guard dataDigits > 0 else { return nil }
        index &+= dataDigits
        var cas: UInt64 = 0
        if skipSpace(bytes, &index) {
            guard let number = digits(bytes, &index) else { return nil }
            cas = number
        }
        guard bytes.word(at: index) & 0xffff == 0x0a0d else { return nil }
        index &+= 2
        return (data, cas)
    }

    /// `VALUE ` stands at the start of the word.
    @inlinable
    public static func isValue(_ word: UInt64) -> Bool { word & 0xffff_ffff_ffff == 0x2045_554c_4156 }

    /// For a VALUE header whose key is known by its bytes: where the value's CR LF ends, which may be past the end of
    /// `bytes`. Nil where `parse` has to tell what it is.
    /// - Parameter word: the eight bytes behind the key.
    @inlinable @inline(__always)
    public static func valueEnd(_ bytes: RawSpan, keyEnd: Int, _ word: UInt64) -> Int? {
        if let length = ASCII.usualLength(word) { return keyEnd &+ 10 &+ length }
        return otherValueEnd(bytes, keyEnd: keyEnd, word)
    }

    /// The length of the whole answer to a get of one key that is so long, when all of it is here and it is a hit; nil
    /// where `parse` has to tell what it is.
    @inlinable @inline(__always)
    public static func wholeHit(_ bytes: RawSpan, keyLength: Int) -> Int? {
        let keyEnd = 6 &+ keyLength
        // Now both words lie inside: less than that is no hit.
        guard bytes.byteCount >= keyEnd &+ 8, unsafe isValue(bytes.word(known: 0)),
            let end = unsafe valueEnd(bytes, keyEnd: keyEnd, bytes.word(known: keyEnd)),
            bytes.word(at: end) & 0xff_ffff_ffff == 0x0a_0d44_4e45  // END CR LF
        else { return nil }
        return end &+ 5
    }

    /// A value of less than 100 bytes, or of more than 999.
    @usableFromInline
    static func otherValueEnd(_ bytes: RawSpan, keyEnd: Int, _ word: UInt64) -> Int? {
        guard word & 0xff_ffff == 0x20_3020, keyEnd >= 0, bytes.byteCount &- keyEnd >= 11 else {
            return anyValueEnd(bytes, keyEnd: keyEnd)
        }
        // The eight bytes behind ` 0 ` lie inside.
        let (length, digits) = ASCII.decimal(unsafe bytes.word(known: keyEnd &+ 3))
        let end = keyEnd &+ 3 &+ digits
        guard digits > 0, bytes.hasNewline(at: end) else { return anyValueEnd(bytes, keyEnd: keyEnd) }
        return end &+ 4 &+ Int(truncatingIfNeeded: length)
    }

    @inline(never)
    private static func anyValueEnd(_ bytes: RawSpan, keyEnd: Int) -> Int? {
        var index = keyEnd
        guard let (data, _) = numbers(bytes, &index) else { return nil }
        return index &+ Int(truncatingIfNeeded: data) &+ 2
    }

    private static func value(_ line: RawSpan, _ length: Int) -> ReplyStep {
        let count = line.byteCount
        let keyEnd = line.tokenEnd(from: 6, end: count)
        guard keyEnd > 6, keyEnd <= 6 + 250, keyEnd < count else { return .broken }
        var index = keyEnd + 1
        guard digits(line, &index) != nil, skipSpace(line, &index),
            let data = digits(line, &index), data <= dataLimit
        else { return .broken }
        var cas: UInt64 = 0
        if index < count {
            guard skipSpace(line, &index), let number = digits(line, &index) else { return .broken }
            cas = number
        }
        guard index == count else { return .broken }
        return .value(
            ReplyHead(
                headerLength: UInt32(truncatingIfNeeded: length), dataLength: UInt32(truncatingIfNeeded: data),
                key: ByteRange(offset: 6, length: keyEnd - 6), cas: cas))
    }

    /// `VA <bytes> <flags>*`, or one of the meta lines.
    static func metaValue(_ line: RawSpan, _ verb: Verb, _ length: Int) -> ReplyStep {
        guard Spelling.prefix(line.word(at: 0), 3) == 0x20_4156 else {
            guard let code = lineCode(line, verb) else { return .broken }
            return .line(code, length: length)
        }
        var index = 3
        guard let data = digits(line, &index), data <= dataLimit else { return .broken }
        guard index == line.byteCount || line.byte(at: index) == ASCII.space else { return .broken }
        return .value(
            ReplyHead(
                headerLength: UInt32(truncatingIfNeeded: length), dataLength: UInt32(truncatingIfNeeded: data),
                key: .empty, cas: 0))
    }

    /// STAT, ITEM and PREFIX lines up to END; RESET, OK or an error alone.
    static func stats(_ line: RawSpan, _ length: Int) -> ReplyStep {
        let word = line.word(at: 0)
        switch word {
        case 0x44_4e45: return .end(length: length)
        case 0x54_4553_4552: return .line(.reset, length: length)
        case 0x4b4f: return .line(.ok, length: length)
        default: break
        }
        if Spelling.prefix(word, 5) == 0x20_5441_5453 || Spelling.prefix(word, 5) == 0x20_4d45_5449
            || Spelling.prefix(word, 7) == 0x20_5849_4645_5250
        {
            return .stat(length: length)
        }
        guard let code = errorCode(line) else { return .broken }
        return .line(code, length: length)
    }

    /// A number of at most twenty digits that fits 64 bits, from `index` on, which moves behind it.
    @inline(__always)
    static func digits(_ line: RawSpan, _ index: inout Int) -> UInt64? {
        let start = index
        var value: UInt64 = 0
        while index < line.byteCount {
            let digit = line.byte(at: index) &- ASCII.zero
            guard digit < 10 else { break }
            if index &- start >= 19 {
                if index &- start >= 20 { return nil }
                let (tens, tooMany) = value.multipliedReportingOverflow(by: 10)
                let (sum, carried) = tens.addingReportingOverflow(UInt64(digit))
                if tooMany || carried { return nil }
                value = sum
            } else {
                value = value &* 10 &+ UInt64(digit)  // nineteen digits always fit
            }
            index &+= 1
        }
        return index > start ? value : nil
    }

    @inline(__always)
    private static func skipSpace(_ line: RawSpan, _ index: inout Int) -> Bool {
        guard index < line.byteCount, line.byte(at: index) == ASCII.space else { return false }
        index &+= 1
        return true
    }
}
