import Bytes

extension RequestParser {
    /// Tells commands apart in memcached's order, since its refusals depend on it.
    mutating func command(_ bytes: RawSpan, limits: borrowing ProtocolLimits) -> RequestStep {
        guard tokenCount > 0, tokens[0].count >= 2 else { return refuse(.error) }
        let name = tokens[0]
        let word = Spelling.prefix(bytes.word(at: name.start), name.count)
        switch name.count {
        case 2 where word & 0xff == 0x6d: return meta(bytes, letter: UInt8(word >> 8), limits: limits)
        case 3:
            if word == Spelling.get { return retrieval(.get, bytes, limits: limits) }
            if word == Spelling.set { return storage(.set, bytes, limits: limits) }
            if word == Spelling.add { return storage(.add, bytes, limits: limits) }
            if word == Spelling.cas { return storage(.cas, bytes, limits: limits) }
            if word == Spelling.gat { return retrieval(.gat, bytes, limits: limits) }
        case 4:
            if word == Spelling.gets { return retrieval(.gets, bytes, limits: limits) }
            if word == Spelling.gats { return retrieval(.gats, bytes, limits: limits) }
            if word == Spelling.incr { return arithmetic(.incr, bytes, limits: limits) }
            if word == Spelling.decr { return arithmetic(.decr, bytes, limits: limits) }
            if word == Spelling.bget { return retrieval(.get, bytes, limits: limits) }
            if word == Spelling.quit { return .request(RequestHead(verb: .quit, lineLength: UInt32(lineLength))) }
        case 5:
            if word == Spelling.touch { return touch(bytes, limits: limits) }
            if word == Spelling.stats { return stats() }
        case 6:
            if word == Spelling.delete { return delete(bytes, limits: limits) }
            if word == Spelling.append { return storage(.append, bytes, limits: limits) }
        case 7:
            if word == Spelling.replace { return storage(.replace, bytes, limits: limits) }
            if word == Spelling.prepend { return storage(.prepend, bytes, limits: limits) }
            if word == Spelling.version { return .request(RequestHead(verb: .version, lineLength: UInt32(lineLength))) }
        case 9:
            let ninth = bytes.byte(at: name.start + 8)
            if word == Spelling.flushAl, ninth == 0x6c { return flushAll(bytes) }
            if word == Spelling.verbosit, ninth == 0x79 { return verbosity(bytes) }
        default: break
        }
        return unknown(bytes)
    }

    /// Not a command, or one that Drover does not serve. memcached hangs up on what looks like HTTP, but only where
    /// the first letter is not one that its own commands begin with.
    private func unknown(_ bytes: RawSpan) -> RequestStep {
        let last = lastToken
        if last.count >= 5, Spelling.prefix(bytes.word(at: last.start), 5) == Spelling.http {
            switch bytes.byte(at: tokens[0].start) {
            case 0x61, 0x63, 0x64, 0x67, 0x69, 0x73, 0x74: break  // a c d g i s t
            default: return refuse(.error, .close, silent: true)
            }
        }
        return refuse(.error)
    }

    func refuse(
        _ reply: ReplyText, _ aftermath: Refusal.Aftermath = .proceed, silent: Bool = false
    ) -> RequestStep {
        .refused(Refusal(reply: reply, consumed: lineLength, aftermath: aftermath, silent: silent))
    }

    /// The head of a valid command; `quiet` says that its last token is `noreply`.
    func head(_ verb: Verb, _ bytes: RawSpan, quiet: Bool) -> RequestHead {
        var head = RequestHead(verb: verb, lineLength: UInt32(lineLength))
        if quiet {
            head.options.insert(.quiet)
            head.quiet = removable(bytes, lastToken)
        }
        return head
    }

    /// The token with the space before it. That space stays where a CR stands before it, which belongs to the token
    /// before and would become part of the line's end.
    func removable(_ bytes: RawSpan, _ token: ByteRange) -> ByteRange {
        let space = token.start - 1
        if space > 0, bytes.byte(at: space - 1) != ASCII.carriageReturn {
            return ByteRange(offset: space, length: token.count + 1)
        }
        return token
    }

    /// The last token is `noreply`.
    func endsQuiet(_ bytes: RawSpan) -> Bool {
        let last = lastToken
        return last.count == 7 && Spelling.prefix(bytes.word(at: last.start), 7) == Spelling.noreply
    }

    /// The key begins with `__drover:`, under which the proxies keep their own items.
    func isReserved(_ bytes: RawSpan, _ key: ByteRange) -> Bool {
        guard key.count >= 9, bytes.byte(at: key.start) == 0x5f else { return false }
        return bytes.word(at: key.start) == Spelling.reserved && bytes.byte(at: key.start + 8) == 0x3a
    }
}
