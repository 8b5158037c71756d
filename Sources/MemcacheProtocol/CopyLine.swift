public import Bytes

/// Makes command lines for copies out of the line that a client sent.
///
/// The tokens are taken over as they are spelled, with one space between; `noreply` and what concerns only the client's
/// reply are left out, so that every copy answers. All give false if the line does not fit the buffer.
public enum CopyLine {
    /// What gives another copy the value that the command's data block holds, whatever that copy has: a set. For add,
    /// replace, cas, set and ms; the data block follows unchanged.
    public static func sameValue(_ line: RawSpan, _ head: RequestHead, into out: inout LineBuffer) -> Bool {
        out.clear()
        if head.verb == .metaSet {
            var index = 0
            copyTokens(3, of: line, head, from: &index, into: &out)
            copyFlags(of: line, head, from: index, Letters("bEFT"), into: &out)
        } else {
            out.append("set")
            var index = 0
            _ = token(line, head, &index)
            copyTokens(4, of: line, head, from: &index, into: &out)
        }
        return finish(&out)
    }

    /// What does to another copy what the command did to the acting primary, on condition that both held the same:
    /// the command itself without its CAS number to compare, which is another on each node. A gat becomes a touch, and
    /// a mg keeps only what changes the item.
    /// - Parameter key: that of the copy's item, in the line: of a gat of several keys, one of them.
    public static func sameCommand(
        _ line: RawSpan, _ head: RequestHead, key: ByteRange, into out: inout LineBuffer
    ) -> Bool {
        out.clear()
        var index = 0
        switch head.verb {
        case .append, .prepend:
            copyTokens(5, of: line, head, from: &index, into: &out)
        case .incr, .decr, .touch:
            copyTokens(3, of: line, head, from: &index, into: &out)
        case .delete:
            copyTokens(2, of: line, head, from: &index, into: &out)
        case .gat, .gats:
            out.append("touch ")
            out.append(line.extracting(key.start..<key.end))
            out.append(" ")
            out.append(line.extracting(head.argument.start..<head.argument.end))
        case .metaGet:
            copyTokens(2, of: line, head, from: &index, into: &out)
            copyFlags(of: line, head, from: index, Letters("bENRTu"), into: &out)
        case .metaSet:
            copyTokens(3, of: line, head, from: &index, into: &out)
            copyFlags(of: line, head, from: index, Letters("bEM"), into: &out)
        case .metaDelete:
            copyTokens(2, of: line, head, from: &index, into: &out)
            copyFlags(of: line, head, from: index, Letters("bEFITx"), into: &out)
        case .metaArithmetic:
            copyTokens(2, of: line, head, from: &index, into: &out)
            var letters = Letters("bDEJMT")
            if head.options.contains(.vivifies) { letters.insert("N") }
            if head.options.contains(.wantsValue) { letters.insert("v") }
            copyFlags(of: line, head, from: index, letters, into: &out)
        default:
            return false
        }
        return finish(&out)
    }

    /// What rids a copy of the command's key.
    public static func delete(of line: RawSpan, _ head: RequestHead, into out: inout LineBuffer) -> Bool {
        out.clear()
        out.append("md ")
        out.append(line.extracting(head.key.start..<head.key.end))
        if head.options.contains(.base64Key) { out.append(" b") }
        return finish(&out)
    }

    /// The line for the acting primary: the client's with this CAS number instead of its own, and without what would
    /// keep the node silent.
    public static func comparing(
        _ number: UInt64, _ line: RawSpan, _ head: RequestHead, into out: inout LineBuffer
    ) -> Bool {
        out.clear()
        let (cas, quiet) = (head.argument, head.quiet)
        var index = 0
        if !quiet.isEmpty, quiet.start < cas.start {
            out.append(line.extracting(index..<quiet.start))
            index = quiet.end
        }
        out.append(line.extracting(index..<cas.start))
        out.append(number)
        index = cas.end
        if !quiet.isEmpty, quiet.start >= cas.end {
            out.append(line.extracting(index..<quiet.start))
            index = quiet.end
        }
        out.append(line.extracting(index..<Int(head.lineLength)))
        return !out.hasOverflowed
    }

    /// A set of flag letters, each from `@` to DEL.
    private struct Letters {
        private var bits: UInt64 = 0

        init(_ letters: StaticString) {
            let text = unsafe RawSpan(_unsafeStart: letters.utf8Start, byteCount: letters.utf8CodeUnitCount)
            for index in 0..<text.byteCount { bits |= 1 &<< UInt64(text.byte(at: index) &- 64) }
        }

        mutating func insert(_ letters: StaticString) { bits |= Letters(letters).bits }

        func has(_ letter: UInt8) -> Bool { letter >= 64 && bits &>> UInt64(letter &- 64) & 1 != 0 }
    }

    /// The first `count` tokens from `index` on, which moves behind them.
    private static func copyTokens(
        _ count: Int, of line: RawSpan, _ head: RequestHead, from index: inout Int, into out: inout LineBuffer
    ) {
        for _ in 0..<count {
            guard let token = token(line, head, &index) else { return }
            add(line, token, &out)
        }
    }

    /// Of the tokens from `index` on those whose letter is in `wanted`, in their order, which counts.
    private static func copyFlags(
        of line: RawSpan, _ head: RequestHead, from index: Int, _ wanted: Letters, into out: inout LineBuffer
    ) {
        var index = index
        while let token = token(line, head, &index) {
            if wanted.has(line.byte(at: token.start)) { add(line, token, &out) }
        }
    }

    private static func add(_ line: RawSpan, _ token: ByteRange, _ out: inout LineBuffer) {
        if out.count > 0 { out.append(" ") }
        out.append(line.extracting(token.start..<token.end))
    }

    /// The next token of the line's content, which ends before the newline and the CR before that.
    private static func token(_ line: RawSpan, _ head: RequestHead, _ index: inout Int) -> ByteRange? {
        let newline = Int(head.lineLength) - 1
        let end = newline > 1 && line.byte(at: newline - 1) == ASCII.carriageReturn ? newline - 1 : newline
        return RequestParser.nextToken(line, from: &index, end: end)
    }

    private static func finish(_ out: inout LineBuffer) -> Bool {
        out.append("\r\n")
        return !out.hasOverflowed
    }
}
