import Bytes

/// The meta commands. Errors of theirs are never silent: `q` hides only what a client expects.
extension RequestParser {
    mutating func meta(_ bytes: RawSpan, letter: UInt8, limits: borrowing ProtocolLimits) -> RequestStep {
        switch letter {
        case 0x67: return metaPlain(.metaGet, bytes, limits: limits)
        case 0x73: return metaSet(bytes, limits: limits)
        case 0x64: return metaPlain(.metaDelete, bytes, limits: limits)
        case 0x61: return metaPlain(.metaArithmetic, bytes, limits: limits)
        case 0x6e: return .request(RequestHead(verb: .metaNoop, lineLength: UInt32(lineLength)))
        case 0x65: return metaDebug(bytes, limits: limits)
        default: return refuse(.error)
        }
    }

    /// mg, md, ma: `<key> [flags]`.
    private mutating func metaPlain(
        _ verb: Verb, _ bytes: RawSpan, limits: borrowing ProtocolLimits
    ) -> RequestStep {
        guard tokenCount >= 2 else { return refuse(.error) }
        guard tokens[1].count <= limits.key else { return refuse(.keyTooLong) }
        guard tokenCount < MetaFlags.tokenLimit else {
            return refuse(verb == .metaGet ? .optionsAreTooLong : .optionsTooLong)
        }
        var flags = MetaFlags()
        if let error = readFlags(bytes, from: 2, into: &flags) {
            return refuse(verb == .metaGet ? error : .invalidOrDuplicateFlag)
        }
        if verb == .metaArithmetic, !flags.isArithmeticMode { return refuse(.invalidModeForArithmetic) }
        if flags.opaqueTooLong { return refuse(.opaqueTooLong) }
        guard !isReservedMeta(bytes, flags) else { return refuse(.reservedKey) }
        var head = metaHead(verb, bytes, flags)
        if verb == .metaGet {
            if !flags.changesItem { head.options.insert(.pureRead) }
            if flags.has(0x6b) { head.rawKeyLength = rawKeyLength(flags) }
        }
        return .request(head)
    }

    /// `ms <key> <datalen> [flags]`. Once the length is believed, the data block of a refused line is thrown away.
    private mutating func metaSet(_ bytes: RawSpan, limits: borrowing ProtocolLimits) -> RequestStep {
        guard tokenCount >= 2 else { return refuse(.error) }
        guard tokens[1].count <= limits.key else { return refuse(.keyTooLong) }
        guard tokenCount >= 3 else { return refuse(.badCommandLine) }
        guard tokenCount < MetaFlags.tokenLimit else { return refuse(.optionsTooLong) }
        guard let length = CNumber.signed(bytes, tokens[2]), length >= 0, length <= Int32.max - 2 else {
            return refuse(.badCommandLine)
        }
        let block = UInt64(length) + 2
        var flags = MetaFlags()
        if let error = readFlags(bytes, from: 3, into: &flags) { return refuse(error, .swallow(block)) }
        guard flags.isStorageMode else { return refuse(.invalidModeForSet, .swallow(block)) }
        if flags.opaqueTooLong { return refuse(.opaqueTooLong, .swallow(block)) }
        guard !isReservedMeta(bytes, flags) else { return refuse(.reservedKey, .swallow(block)) }
        guard Int(length) <= limits.value else {
            var refusal = Refusal(reply: .tooLarge, consumed: lineLength, aftermath: .swallow(block))
            refusal.drops = tokens[1]
            refusal.dropsBase64 = flags.isBase64
            return .refused(refusal)
        }
        var head = metaHead(.metaSet, bytes, flags)
        head.bodyLength = UInt32(length)
        if flags.dependsOnStored { head.options.insert(.readModifyWrite) }
        if flags.extends { head.options.insert(.extends) }
        return .request(head)
    }

    /// `me <key> [b]`; all else is ignored, and `b` counts only right behind the key.
    private mutating func metaDebug(_ bytes: RawSpan, limits: borrowing ProtocolLimits) -> RequestStep {
        guard tokenCount >= 2 else { return refuse(.badCommandLine) }
        guard tokens[1].count <= limits.key else { return refuse(.keyTooLong) }
        var flags = MetaFlags()
        if tokenCount >= 3, tokens[2].count == 1, bytes.byte(at: tokens[2].start) == 0x62 {
            flags.isBase64 = true
            guard decodeKey(bytes) else { return refuse(.badCommandLine) }
        }
        guard !isReservedMeta(bytes, flags) else { return refuse(.reservedKey) }
        var head = metaHead(.metaDebug, bytes, flags)
        head.rawKeyLength = rawKeyLength(flags)
        return .request(head)
    }

    private func metaHead(_ verb: Verb, _ bytes: RawSpan, _ flags: MetaFlags) -> RequestHead {
        var head = RequestHead(verb: verb, lineLength: UInt32(lineLength))
        head.key = tokens[1]
        head.keyCount = 1
        head.options = flags.options
        head.argument = flags.cas
        if flags.isBase64 { head.options.insert(.base64Key) }
        if !flags.quiet.isEmpty {
            head.options.insert(.quiet)
            head.quiet = removable(bytes, flags.quiet)
        }
        return head
    }

    /// Decodes the key token into `decodedKey`.
    mutating func decodeKey(_ bytes: RawSpan) -> Bool {
        let text = bytes.extracting(tokens[1].start..<tokens[1].end)
        decodedLength = Base64.decode(text, into: &decodedKey)
        return decodedLength > 0
    }

    private func isReservedMeta(_ bytes: RawSpan, _ flags: MetaFlags) -> Bool {
        guard flags.isBase64 else { return isReserved(bytes, tokens[1]) }
        guard decodedLength >= 9, decodedKey[0] == 0x5f else { return false }
        var word: UInt64 = 0
        for index in 0..<8 { word |= UInt64(decodedKey[index]) << UInt64(8 * index) }
        return word == Spelling.reserved && decodedKey[8] == 0x3a
    }

    /// A node may know a base64 key as a plain one (after mg N, an append, or an incr that made it longer), and then
    /// echoes it decoded.
    private func rawKeyLength(_ flags: MetaFlags) -> UInt8 {
        guard flags.isBase64 else { return 0 }
        for index in 0..<decodedLength where decodedKey[index] == ASCII.newline { return UInt8(decodedLength) }
        return 0
    }
}
