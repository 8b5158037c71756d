public import Bytes

/// How far one connection's parsing has come: lives beside its receive buffer.
public struct LineScan: BitwiseCopyable, Sendable {
    /// Bytes of the unread window known to hold no newline.
    var scanned: UInt32 = 0
    /// The first byte was seen, so the connection speaks text.
    var spoken = false

    public init() {}
    init(spoken: Bool) { self.spoken = spoken }
}

/// Reads client commands, at most one a call, and judges them as memcached 1.6.38 does.
///
/// One parser serves all connections of a worker. Its key list and `decodedKey` hold until the next call. It keeps
/// its storage, so that after warm-up it does not allocate.
public struct RequestParser: ~Copyable {
    /// memcached splits a line into at most so many tokens; only a get goes on behind them.
    static let tokenLimit = 23

    var tokens = InlineArray<23, ByteRange>(repeating: .empty)
    var tokenCount = 0
    /// The last of them: reading it by a computed index would copy the whole array.
    var lastToken = ByteRange.empty
    /// Where the splitting stopped.
    var rest = 0
    /// The end of the line's content: without CR and newline.
    var contentEnd = 0
    /// Bytes of the line with its newline.
    var lineLength = 0
    @usableFromInline var keys = Stack<ByteRange>()
    /// The key of the last `.base64Key` request, decoded: its first `decodedLength` bytes are what the ring hashes.
    public internal(set) var decodedKey = InlineArray<192, UInt8>(repeating: 0)
    public internal(set) var decodedLength = 0

    public init() {}

    /// The `index`th key of the last request, as a range of its line; valid for `0 ..< head.keyCount` where that is
    /// more than 1.
    @inlinable public func key(at index: Int) -> ByteRange { keys[index] }

    /// Looks for one command at the start of `bytes`, the connection's unread window.
    ///
    /// After `.request` or `.refused` the caller uses up the line (and the body); after `.needMore` it calls again
    /// with a longer window that starts at the same byte.
    public mutating func parse(
        _ bytes: RawSpan, scan: inout LineScan, limits: borrowing ProtocolLimits
    ) -> RequestStep {
        switch UInt32(truncatingIfNeeded: bytes.word(at: 0)) {
        case UInt32(Spelling.getSpace):
            if let head = Self.shortGet(bytes, limit: limits.key) {
                scan = LineScan(spoken: true)
                return .request(head)
            }
            // Only with a new line: one that comes in many parts is not to be read from its start each time.
            if scan.scanned == 0, let head = shortMultiget(bytes, limits: limits) {
                scan = LineScan(spoken: true)
                return .request(head)
            }
        case UInt32(Spelling.setSpace):
            if let head = Self.shortSet(bytes, limits: limits) {
                scan = LineScan(spoken: true)
                return .request(head)
            }
        default: break
        }
        return parseAny(bytes, scan: &scan, limits: limits)
    }

    /// `parse` without its short cuts; they only differ in speed.
    public mutating func parseAny(
        _ bytes: RawSpan, scan: inout LineScan, limits: borrowing ProtocolLimits
    ) -> RequestStep {
        guard bytes.byteCount > 0 else { return .needMore }
        if !scan.spoken {
            if bytes.byte(at: 0) == 0x80 {  // the binary protocol, which is not served
                return closing(.error, consumed: bytes.byteCount, silent: true)
            }
            scan.spoken = true
        }
        guard let newline = bytes.firstNewline(from: Int(scan.scanned)) else {
            return unfinished(bytes, scan: &scan, limits: limits)
        }
        scan.scanned = 0
        lineLength = newline + 1
        guard lineLength <= limits.multigetLine else {
            return closing(.lineTooLong, consumed: lineLength, silent: false)
        }
        contentEnd = newline > 1 && bytes.byte(at: newline - 1) == ASCII.carriageReturn ? newline - 1 : newline
        tokenize(bytes)
        let step = command(bytes, limits: limits)
        if newline > limits.line, case .request = step, !Self.mayBeLong(bytes) {
            // A node that reads it in two parts would hang up on everybody.
            return closing(.lineTooLong, consumed: lineLength, silent: true)
        }
        return step
    }

    /// No newline yet. memcached gives up on a line of more than 2048 bytes that is not a get's.
    private func unfinished(
        _ bytes: RawSpan, scan: inout LineScan, limits: borrowing ProtocolLimits
    ) -> RequestStep {
        let count = bytes.byteCount
        scan.scanned = UInt32(truncatingIfNeeded: count)
        if count <= limits.line { return .needMore }
        guard Self.mayBeLong(bytes) else { return closing(.lineTooLong, consumed: count, silent: true) }
        if count <= limits.multigetLine { return .needMore }
        return closing(.lineTooLong, consumed: count, silent: false)
    }

    /// memcached waits for the end of a long line only if it begins like this.
    private static func mayBeLong(_ bytes: RawSpan) -> Bool {
        var start = 0
        while start < bytes.byteCount, start <= 100, bytes.byte(at: start) == ASCII.space { start += 1 }
        let word = bytes.word(at: start)
        let isGet =
            Spelling.prefix(word, 4) == Spelling.getSpace || Spelling.prefix(word, 5) == Spelling.gets | 0x20 << 32
        return isGet && start <= 100
    }

    private func closing(_ reply: ReplyText, consumed: Int, silent: Bool) -> RequestStep {
        .refused(Refusal(reply: reply, consumed: consumed, aftermath: .close, silent: silent))
    }

    /// Splits the line at spaces; a NUL ends it, since memcached handles it as a C string.
    private mutating func tokenize(_ bytes: RawSpan) {
        let end = contentEnd
        var count = 0
        var index = 0
        while count < Self.tokenLimit, let token = Self.nextToken(bytes, from: &index, end: end) {
            tokens[count] = token
            lastToken = token
            count &+= 1
        }
        tokenCount = count
        rest = index
    }

    /// The next token at or after `index`, which moves behind it.
    @inline(__always)
    static func nextToken(_ bytes: RawSpan, from index: inout Int, end: Int) -> ByteRange? {
        while index < end, bytes.byte(at: index) == ASCII.space { index &+= 1 }
        let tokenEnd = bytes.tokenEnd(from: index, end: end)
        guard tokenEnd > index else { return nil }
        let token = ByteRange(offset: index, length: tokenEnd &- index)
        index = tokenEnd
        return token
    }
}
