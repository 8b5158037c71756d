import Bytes

/// What the flags of one meta command say, as far as a proxy has to know.
struct MetaFlags {
    /// memcached takes no more tokens in a meta command, its terminal one counted.
    static let tokenLimit = 20
    /// Bytes of an opaque token, its `O` counted.
    static let opaqueLimit = 32

    /// One bit for each flag character seen, 0 to 127.
    private var low: UInt64 = 0
    private var high: UInt64 = 0
    var isBase64 = false
    var opaqueTooLong = false
    /// The mode's character, 0 if none is given.
    var mode: UInt8 = 0
    var quiet = ByteRange.empty
    /// C's number.
    var cas = ByteRange.empty
    /// What the letters alone say.
    var options: RequestOptions = []

    func has(_ letter: UInt8) -> Bool {
        (letter < 64 ? low >> UInt64(letter) : high >> UInt64(letter - 64)) & 1 != 0
    }

    mutating func note(_ letter: UInt8) {
        if letter < 64 { low |= 1 << UInt64(letter) } else { high |= 1 << UInt64(letter - 64) }
    }

    /// E add, A append, P prepend, R replace, S set.
    var isStorageMode: Bool {
        switch mode {
        case 0, 0x45, 0x41, 0x50, 0x52, 0x53: true
        default: false
        }
    }

    /// I or + increments, D or - decrements.
    var isArithmeticMode: Bool {
        switch mode {
        case 0, 0x49, 0x2b, 0x44, 0x2d: true
        default: false
        }
    }

    /// N vivifies, T touches, R may hand out the one right to recache, E names a CAS number.
    var changesItem: Bool { has(0x4e) || has(0x54) || has(0x52) || has(0x45) }

    /// A ms with mode A or P.
    var extends: Bool { mode == 0x41 || mode == 0x50 }

    /// The result of a ms depends on what is stored: a mode other than set, or a CAS number to compare.
    var dependsOnStored: Bool { mode != 0 && mode != 0x53 || has(0x43) }
}

extension RequestParser {
    /// Reads the flags from token `first` on, as memcached's `_meta_flag_preparse`: an unknown or repeated flag ends
    /// it at once, of other errors the last one is told. A `b` decodes the key.
    mutating func readFlags(_ bytes: RawSpan, from first: Int, into flags: inout MetaFlags) -> ReplyText? {
        var failed = false
        var error = ReplyText.badCommandLine
        for index in first..<max(first, tokenCount) {
            let token = tokens.span[index]
            let letter = bytes.byte(at: token.start)
            guard letter < 127, !flags.has(letter) else { return .duplicateFlag }
            flags.note(letter)
            switch letter {
            case 0x62:  // b
                flags.isBase64 = true
                if !decodeKey(bytes) { (failed, error) = (true, .undecodableKey) }
            case 0x4e, 0x54, 0x52:  // N T R
                flags.options.insert(letter == 0x54 ? .touches : letter == 0x4e ? .vivifies : .recaches)
                if CNumber.signed(bytes, token, skipping: 1) == nil { (failed, error) = (true, .badToken) }
            case 0x43, 0x45:  // C E
                flags.options.insert(letter == 0x45 ? .choosesCAS : .comparesCAS)
                if letter == 0x43 { flags.cas = ByteRange(offset: token.start + 1, length: token.count - 1) }
                if CNumber.unsigned(bytes, token, skipping: 1) == nil { (failed, error) = (true, .badToken) }
            case 0x46:  // F: memcached forgets to name this one's error
                if CNumber.unsigned(bytes, token, skipping: 1) == nil { failed = true }
            case 0x4d:  // M
                if token.count == 2 {
                    flags.mode = bytes.byte(at: token.start + 1)
                } else {
                    (failed, error) = (true, .modeLength)
                }
            case 0x4a:  // J
                if CNumber.unsigned(bytes, token, skipping: 1) == nil { (failed, error) = (true, .invalidInitial) }
            case 0x44:  // D
                if CNumber.unsigned(bytes, token, skipping: 1) == nil { (failed, error) = (true, .invalidDelta) }
            case 0x4f:  // O
                if token.count > MetaFlags.opaqueLimit { flags.opaqueTooLong = true }
            case 0x71:  // q
                flags.quiet = token
            case 0x63:  // c
                flags.options.insert(flags.has(0x6b) ? [.wantsCAS, .casBehindKey] : .wantsCAS)
            case 0x76: flags.options.insert(.wantsValue)  // v
            case 0x49: flags.options.insert(.invalidates)  // I
            case 0x78: flags.options.insert(.leavesItem)  // x
            case 0x50, 0x4c, 0x6c, 0x6b, 0x73, 0x74, 0x66, 0x68, 0x75:
                break  // P L l k s t f h u
            default:
                return .invalidFlag
            }
        }
        return failed ? error : nil
    }
}
