public import Bytes

/// Where a CAS number stands in a reply, and which it is.
public struct CASNumber: BitwiseCopyable, Equatable, Sendable {
    /// Its digits, counted from the reply's first byte.
    public var range: ByteRange
    public var number: UInt64
}

extension RequestHead {
    /// The CAS number that the command compares; nil if it compares none.
    public func comparedCAS(in line: RawSpan) -> UInt64? {
        guard options.contains(.comparesCAS) else { return nil }
        return CNumber.unsigned(line, argument)
    }
}

extension ReplyParser {
    /// The CAS number in a reply's header or line, if it shows one.
    /// - Parameters:
    ///   - header: all of it with its CR LF; for an answer without a value the whole answer.
    ///   - options: what the request said.
    public static func casNumber(in header: RawSpan, to verb: Verb, _ options: RequestOptions) -> CASNumber? {
        let end = header.byteCount - 2
        guard end > 3 else { return nil }
        switch verb {
        case .gets, .gats:
            return classicCAS(header, end)
        case .metaGet, .metaSet, .metaArithmetic:
            guard options.contains(.wantsCAS) else { return nil }
            return options.contains(.casBehindKey) ? lastCAS(header, end) : firstCAS(header, end)
        case .metaDebug:
            return debugCAS(header, end)
        default:
            return nil
        }
    }

    /// `VALUE <key> <flags> <bytes> <cas>`.
    private static func classicCAS(_ header: RawSpan, _ end: Int) -> CASNumber? {
        guard Spelling.prefix(header.word(at: 0), 6) == Spelling.valueSpace else { return nil }
        var start = 6
        for _ in 0..<3 {
            start = header.tokenEnd(from: start, end: end) + 1
            guard start < end else { return nil }
        }
        return number(header, from: start, to: end)
    }

    /// Of flags that none with a space stands before: the first that begins with `c`.
    private static func firstCAS(_ header: RawSpan, _ end: Int) -> CASNumber? {
        var index = 2
        while index < end {
            guard header.byte(at: index) == ASCII.space else { return nil }
            let start = index + 1
            index = header.tokenEnd(from: start, end: end)
            if start < index, header.byte(at: start) == 0x63 { return number(header, from: start + 1, to: index) }
        }
        return nil
    }

    /// Of flags that none with a space stands behind: the last that begins with `c`.
    private static func lastCAS(_ header: RawSpan, _ end: Int) -> CASNumber? {
        var tokenEnd = end
        var index = end - 1
        while index > 2 {
            if header.byte(at: index - 1) == ASCII.space {
                if header.byte(at: index) == 0x63 { return number(header, from: index + 1, to: tokenEnd) }
                tokenEnd = index - 1
            }
            index -= 1
        }
        return nil
    }

    /// `ME <key> exp=… la=… cas=<cas> fetch=… cls=… size=…`, where the key may hold spaces.
    private static func debugCAS(_ header: RawSpan, _ end: Int) -> CASNumber? {
        guard Spelling.prefix(header.word(at: 0), 3) == 0x20_454d else { return nil }
        var index = end - 6
        while index > 2 {
            if header.isEqual(to: " cas=", at: index) {
                let start = index + 5
                return number(header, from: start, to: header.tokenEnd(from: start, end: end))
            }
            index -= 1
        }
        return nil
    }

    private static func number(_ header: RawSpan, from start: Int, to end: Int) -> CASNumber? {
        var index = start
        guard let number = digits(header, &index), index == end else { return nil }
        return CASNumber(range: ByteRange(offset: start, length: end - start), number: number)
    }
}
