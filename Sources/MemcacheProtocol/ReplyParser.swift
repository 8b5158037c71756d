public import Bytes

/// One element of a node's answer.
public enum ReplyStep: BitwiseCopyable, Sendable {
    /// Nothing whole yet; read more and ask again with the same start.
    case needMore
    /// One line of that many bytes that completes the command.
    case line(ReplyCode, length: Int)
    /// A header whose data block follows. Of a classic one more headers or an END follow; a meta one completes.
    case value(ReplyHead)
    /// The END, of that many bytes, that completes a retrieval or stats.
    case end(length: Int)
    /// One line of stats.
    case stat(length: Int)
    /// Not an answer to that command, or past all bounds: the connection cannot be trusted any more.
    case broken
}

/// A VALUE or VA header. Ranges count from its first byte.
public struct ReplyHead: BitwiseCopyable, Sendable {
    /// The header's bytes with its CR LF.
    public var headerLength: UInt32
    /// The data block's bytes without its CR LF.
    public var dataLength: UInt32
    /// Classic: the key. Meta: empty.
    public var key: ByteRange
    /// The CAS number of gets and gats; 0 where there is none.
    public var cas: UInt64

    /// Header, data and the CR LF behind it.
    @inlinable public var totalLength: Int { Int(headerLength) + Int(dataLength) + 2 }
}

/// Reads a node's replies, one element a call. It keeps nothing between calls.
public enum ReplyParser {
    /// The longest line, in bytes; memcached's longest are below 2 KiB.
    public static let lineLimit = 8192
    /// The largest data block, in bytes; memcached's item size cannot be set higher.
    public static let dataLimit = 1 << 30

    /// Looks for one element of the answer to `verb` at the start of `bytes`.
    ///
    /// `rawKeyLength` is the request's: 0, or the length of a key with a newline in it that the node may echo.
    public static func parse(_ bytes: RawSpan, for verb: Verb, rawKeyLength: UInt8 = 0) -> ReplyStep {
        switch verb {
        case .get, .gets, .gat, .gats:
            let word = bytes.word(at: 0)
            if Spelling.prefix(word, 5) == Spelling.endLine { return .end(length: 5) }
            if Spelling.prefix(word, 6) == Spelling.valueSpace, let head = shortValue(bytes) { return .value(head) }
        case .set, .add, .replace, .append, .prepend, .cas:
            if bytes.word(at: 0) == Spelling.storedLine { return .line(.stored, length: 8) }
        case .delete:
            if bytes.word(at: 0) == Spelling.deletedCR, bytes.word(at: 8) & 0xff == 0x0a {
                return .line(.deleted, length: 9)
            }
        case .metaGet:
            let word = Spelling.prefix(bytes.word(at: 0), 4)
            if word == Spelling.enLine { return .line(.en, length: 4) }
            if word == Spelling.hdLine { return .line(.hd, length: 4) }
        case .metaSet, .metaDelete, .metaArithmetic:
            if Spelling.prefix(bytes.word(at: 0), 4) == Spelling.hdLine { return .line(.hd, length: 4) }
        default: break
        }
        return parseAny(bytes, for: verb, rawKeyLength: rawKeyLength)
    }

    /// `parse` without its short cuts; they only differ in speed.
    public static func parseAny(_ bytes: RawSpan, for verb: Verb, rawKeyLength: UInt8) -> ReplyStep {
        var from = 0
        if rawKeyLength != 0 {
            switch echoedKeyEnd(bytes, verb, Int(rawKeyLength)) {
            case nil: return bytes.byteCount > lineLimit ? .broken : .needMore
            case let end?: from = end
            }
        }
        guard let newline = bytes.firstNewline(from: from) else {
            return bytes.byteCount > lineLimit ? .broken : .needMore
        }
        let length = newline + 1
        guard length >= 3, length <= lineLimit, bytes.byte(at: newline - 1) == ASCII.carriageReturn else {
            return .broken
        }
        let line = bytes.extracting(0..<newline - 1)
        switch verb {
        case .get, .gets, .gat, .gats: return retrieval(line, length)
        case .metaGet, .metaArithmetic: return metaValue(line, verb, length)
        case .stats: return stats(line, length)
        default:
            guard let code = lineCode(line, verb) else { return .broken }
            return .line(code, length: length)
        }
    }
}
