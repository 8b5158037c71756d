import Bytes

extension ReplyParser {
    /// What a one-line answer to `verb` says; nil where no memcached answers that.
    static func lineCode(_ line: RawSpan, _ verb: Verb) -> ReplyCode? {
        let code = plainCode(line, verb)
        return code ?? errorCode(line)
    }

    private static func plainCode(_ line: RawSpan, _ verb: Verb) -> ReplyCode? {
        let word = line.word(at: 0)
        let count = line.byteCount
        switch verb {
        case .set, .add, .replace, .append, .prepend, .cas:
            if count == 6, word == 0x4445_524f_5453 { return .stored }
            if count == 6, word == 0x5354_5349_5845 { return .exists }
            if isNotStored(line, word) { return .notStored }
            return isNotFound(line, word) ? .notFound : nil
        case .delete:
            if count == 7, word == 0x44_4554_454c_4544 { return .deleted }
            return isNotFound(line, word) ? .notFound : nil
        case .touch:
            if count == 7, word == 0x44_4548_4355_4f54 { return .touched }
            return isNotFound(line, word) ? .notFound : nil
        case .incr, .decr:
            var index = 0
            if digits(line, &index) != nil, index == count { return .number }
            return isNotFound(line, word) ? .notFound : nil
        case .flushAll, .verbosity:
            return count == 2 && word == 0x4b4f ? .ok : nil
        case .version:
            return word == 0x204e_4f49_5352_4556 ? .version : nil
        case .metaGet, .metaSet, .metaDelete, .metaArithmetic, .metaNoop, .metaDebug:
            return metaCode(line, verb, word)
        case .get, .gets, .gat, .gats, .stats, .quit:
            return nil
        }
    }

    /// Two letters, then flags.
    private static func metaCode(_ line: RawSpan, _ verb: Verb, _ word: UInt64) -> ReplyCode? {
        guard line.byteCount == 2 || (word >> 16) & 0xff == 0x20 else { return nil }
        switch (UInt16(truncatingIfNeeded: word), verb) {
        case (0x4448, .metaGet), (0x4448, .metaSet), (0x4448, .metaDelete), (0x4448, .metaArithmetic): return .hd
        case (0x4e45, .metaGet), (0x4e45, .metaDebug): return .en
        case (0x464e, .metaSet), (0x464e, .metaDelete), (0x464e, .metaArithmetic): return .nf
        case (0x534e, .metaSet), (0x534e, .metaDelete), (0x534e, .metaArithmetic): return .ns
        case (0x5845, .metaSet), (0x5845, .metaDelete), (0x5845, .metaArithmetic): return .ex
        case (0x4e4d, .metaNoop): return .mn
        case (0x454d, .metaDebug): return .me
        default: return nil
        }
    }

    /// `NOT_STORED` and `NOT_FOUND` are longer than a word.
    private static func isNotStored(_ line: RawSpan, _ word: UInt64) -> Bool {
        line.byteCount == 10 && word == 0x524f_5453_5f54_4f4e && line.byte(at: 8) == 0x45
            && line.byte(at: 9) == 0x44
    }

    private static func isNotFound(_ line: RawSpan, _ word: UInt64) -> Bool {
        line.byteCount == 9 && word == 0x4e55_4f46_5f54_4f4e && line.byte(at: 8) == 0x44
    }

    /// `ERROR`, `CLIENT_ERROR` or `SERVER_ERROR`, alone or with words behind.
    static func errorCode(_ line: RawSpan) -> ReplyCode? {
        let word = line.word(at: 0)
        if Spelling.prefix(word, 5) == 0x52_4f52_5245 { return .error }
        guard line.byteCount >= 12, Spelling.prefix(line.word(at: 7), 5) == 0x52_4f52_5245 else { return nil }
        if Spelling.prefix(word, 7) == 0x5f_544e_4549_4c43 { return .clientError }
        if Spelling.prefix(word, 7) == 0x5f_5245_5652_4553 { return .serverError }
        return nil
    }

    /// From where to look for the end of a line that may echo a key with newlines in it; nil while too little is there.
    ///
    /// The node echoes such a key either encoded, which is longer and has no newline, or as it is. So a newline in as
    /// many bytes as the key has, behind the place where the echo begins, tells which.
    static func echoedKeyEnd(_ bytes: RawSpan, _ verb: Verb, _ keyLength: Int) -> Int? {
        guard bytes.byteCount >= 3 else { return nil }
        var start = 3
        if verb != .metaDebug {
            guard let found = keyFlag(bytes) else { return 0 }
            start = found
        } else if bytes.word(at: 0) & 0xff_ffff != 0x20_454d {
            return 0
        }
        let end = start + keyLength
        guard let newline = bytes.firstNewline(from: start) else { return 0 }  // none yet: the caller waits for one
        if newline >= end { return 0 }
        return end <= bytes.byteCount ? end : nil
    }

    /// Behind the first ` k` of the first line, the reply's key flag: no flag before it can hold a space.
    private static func keyFlag(_ bytes: RawSpan) -> Int? {
        for index in 0..<bytes.byteCount {
            let byte = bytes.byte(at: index)
            if byte == ASCII.newline { return nil }
            if byte == 0x6b, index > 0, bytes.byte(at: index - 1) == ASCII.space { return index + 1 }
        }
        return nil
    }
}
