import Bytes

/// The classic commands. Token counts here are without memcached's terminal one: its `ntokens` is `tokenCount` + 1.
extension RequestParser {
    /// get, gets, gat, gats.
    mutating func retrieval(_ verb: Verb, _ bytes: RawSpan, limits: borrowing ProtocolLimits) -> RequestStep {
        guard tokenCount >= 2 else { return refuse(.error) }
        var head = RequestHead(verb: verb, lineLength: UInt32(lineLength))
        var first = 1
        if verb == .gat || verb == .gats {
            guard CNumber.signed(bytes, tokens[1]) != nil else { return refuse(.invalidExptime) }
            guard tokenCount >= 3 else { return refuse(.end) }  // no key at all: nothing found
            head.argument = tokens[1]
            first = 2
        }
        head.key = tokens[first]
        if tokenCount > first + 1 { return manyKeys(bytes, head, from: first, limits: limits) }
        guard head.key.count <= limits.key else { return refuse(.keyTooLong) }
        guard !isReserved(bytes, head.key) else { return refuse(.reservedKey) }
        head.keyCount = 1
        return .request(head)
    }

    /// Fills the key list, behind memcached's limit on tokens too.
    private mutating func manyKeys(
        _ bytes: RawSpan, _ head: RequestHead, from first: Int, limits: borrowing ProtocolLimits
    ) -> RequestStep {
        var head = head
        var reserved = false
        forgetKeys()
        for index in first..<tokenCount { keys.push(tokens.span[index]) }
        if tokenCount == Self.tokenLimit {
            var index = rest
            while let token = Self.nextToken(bytes, from: &index, end: contentEnd) { keys.push(token) }
        }
        for index in 0..<keys.count {
            let key = keys[index]
            guard key.count <= limits.key else { return refuse(.keyTooLong) }
            if isReserved(bytes, key) { reserved = true }
        }
        guard !reserved else { return refuse(.reservedKey) }
        head.keyCount = UInt32(keys.count)
        return .request(head)
    }

    /// Empties the key list. One giant multi-get must not hold its memory for ever.
    mutating func forgetKeys() {
        if keys.capacity > 1 << 14 { keys = Stack() }
        keys.removeAll()
    }

    /// set, add, replace, append, prepend, cas. A line refused before its length is believed leaves the data block to
    /// be read as commands, as memcached does.
    func storage(_ verb: Verb, _ bytes: RawSpan, limits: borrowing ProtocolLimits) -> RequestStep {
        let needed = verb == .cas ? 6 : 5
        guard tokenCount == needed || tokenCount == needed + 1 else { return refuse(.error) }
        let quiet = endsQuiet(bytes)
        guard tokens[1].count <= limits.key else { return refuse(.keyTooLong, silent: quiet) }
        guard CNumber.unsigned(bytes, tokens[2]) != nil,
            CNumber.signed(bytes, tokens[3]) != nil,
            let length = CNumber.signed(bytes, tokens[4]),
            verb != .cas || CNumber.unsigned(bytes, tokens[5]) != nil,
            length >= 0, length <= Int32.max - 2
        else { return refuse(.badCommandLine, silent: quiet) }
        let block = UInt64(length) + 2
        if isReserved(bytes, tokens[1]) { return refuse(.reservedKey, .swallow(block), silent: quiet) }
        guard Int(length) <= limits.value else {
            var refusal = Refusal(
                reply: .tooLarge, consumed: lineLength, aftermath: .swallow(block), silent: quiet)
            if verb == .set { refusal.drops = tokens[1] }
            return .refused(refusal)
        }
        var head = head(verb, bytes, quiet: quiet)
        head.key = tokens[1]
        head.keyCount = 1
        head.bodyLength = UInt32(length)
        if verb == .cas {
            head.argument = tokens[5]
            head.options.insert(.comparesCAS)
        }
        return .request(head)
    }

    /// `delete <key> [0] [noreply]`.
    func delete(_ bytes: RawSpan, limits: borrowing ProtocolLimits) -> RequestStep {
        guard (2...4).contains(tokenCount) else { return refuse(.error) }
        var quiet = false
        if tokenCount > 2 {
            let noHold = tokens[2].count == 1 && bytes.byte(at: tokens[2].start) == ASCII.zero
            quiet = endsQuiet(bytes)
            let valid = tokenCount == 3 ? noHold || quiet : noHold && quiet
            guard valid else { return refuse(.deleteUsage, silent: quiet) }
        }
        return oneKey(.delete, bytes, quiet: quiet, limits: limits)
    }

    /// `incr <key> <delta> [noreply]`, and decr. Anything else in the place of `noreply` is ignored.
    func arithmetic(_ verb: Verb, _ bytes: RawSpan, limits: borrowing ProtocolLimits) -> RequestStep {
        guard tokenCount == 3 || tokenCount == 4 else { return refuse(.error) }
        let quiet = endsQuiet(bytes)
        guard tokens[1].count <= limits.key else { return refuse(.keyTooLong, silent: quiet) }
        guard CNumber.unsigned(bytes, tokens[2]) != nil else { return refuse(.invalidNumericDelta, silent: quiet) }
        return oneKey(verb, bytes, quiet: quiet, limits: limits)
    }

    /// `touch <key> <exptime> [noreply]`.
    func touch(_ bytes: RawSpan, limits: borrowing ProtocolLimits) -> RequestStep {
        guard tokenCount == 3 || tokenCount == 4 else { return refuse(.error) }
        let quiet = endsQuiet(bytes)
        guard tokens[1].count <= limits.key else { return refuse(.keyTooLong, silent: quiet) }
        guard CNumber.signed(bytes, tokens[2]) != nil else { return refuse(.invalidExptime, silent: quiet) }
        return oneKey(.touch, bytes, quiet: quiet, limits: limits)
    }

    private func oneKey(
        _ verb: Verb, _ bytes: RawSpan, quiet: Bool, limits: borrowing ProtocolLimits
    ) -> RequestStep {
        guard tokens[1].count <= limits.key else { return refuse(.keyTooLong, silent: quiet) }
        guard !isReserved(bytes, tokens[1]) else { return refuse(.reservedKey, silent: quiet) }
        var head = head(verb, bytes, quiet: quiet)
        head.key = tokens[1]
        head.keyCount = 1
        return .request(head)
    }

    /// `flush_all [delay] [noreply]`.
    func flushAll(_ bytes: RawSpan) -> RequestStep {
        guard tokenCount <= 3 else { return refuse(.error) }
        let quiet = endsQuiet(bytes)
        var head = head(.flushAll, bytes, quiet: quiet)
        if tokenCount != (quiet ? 2 : 1) {
            guard CNumber.signed(bytes, tokens[1]) != nil else { return refuse(.invalidExptime, silent: quiet) }
            head.argument = tokens[1]
        }
        return .request(head)
    }

    /// `verbosity <level> [noreply]`.
    func verbosity(_ bytes: RawSpan) -> RequestStep {
        guard tokenCount == 2 || tokenCount == 3 else { return refuse(.error) }
        let quiet = endsQuiet(bytes)
        guard CNumber.unsigned(bytes, tokens[1]) != nil else { return refuse(.badCommandLine, silent: quiet) }
        var head = head(.verbosity, bytes, quiet: quiet)
        head.argument = tokens[1]
        return .request(head)
    }

    /// `stats [anything]`: what the arguments mean is the caller's to say.
    func stats() -> RequestStep {
        var head = RequestHead(verb: .stats, lineLength: UInt32(lineLength))
        if tokenCount > 1 {
            let start = tokens[1].start
            head.argument = ByteRange(offset: start, length: lastToken.end - start)
        }
        return .request(head)
    }
}
