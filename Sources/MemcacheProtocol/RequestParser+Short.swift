import Bytes

/// The two commands that make most of a cache's traffic, in their plainest spelling, read in one pass without looking
/// for the newline first. Whatever is not spelled like that is left to the general parser, which comes to the same
/// verdict on these (the fuzzer compares them).
extension RequestParser {
    /// `get <key>\r\n`, whole, with a key that is neither too long nor reserved.
    @inline(__always)
    static func shortGet(_ bytes: RawSpan, limit: Int) -> RequestHead? {
        guard let keyEnd = shortKey(bytes, limit: limit), bytes.hasNewline(at: keyEnd) else { return nil }
        var head = RequestHead(verb: .get, lineLength: UInt32(truncatingIfNeeded: keyEnd &+ 2))
        head.key = ByteRange(offset: 4, length: keyEnd &- 4)
        head.keyCount = 1
        return head
    }

    /// `get <key> <key>...\r\n`, whole, with single spaces and no key that is too long or perhaps reserved. The keys go
    /// to the key list as they are found.
    mutating func shortMultiget(_ bytes: RawSpan, limits: borrowing ProtocolLimits) -> RequestHead? {
        forgetKeys()
        let longest = UInt(limits.key)
        var start = 4
        var index = 4
        while index < bytes.byteCount {
            let word = bytes.word(at: index)
            var hits = ASCII.controlsAndSpaces(in: word)
            while hits != 0 {
                let bit = hits.trailingZeroBitCount
                let end = index &+ bit &>> 3
                guard UInt(bitPattern: end &- start &- 1) < longest, unsafe bytes.byte(known: start) != 0x5f else {
                    return nil
                }
                keys.push(ByteRange(start, upTo: end))
                // Past the end of the window there are zeros: no space.
                guard word &>> UInt64(truncatingIfNeeded: bit &- 7) & 0xff == 0x20 else {
                    return endOfShortMultiget(bytes, at: end, limits: limits)
                }
                start = end &+ 1
                hits &= hits &- 1
            }
            index &+= 8
        }
        return nil
    }

    private func endOfShortMultiget(_ bytes: RawSpan, at end: Int, limits: borrowing ProtocolLimits) -> RequestHead? {
        guard bytes.word(at: end) & 0xffff == 0x0a0d, keys.count > 1, end &+ 2 <= limits.multigetLine else {
            return nil
        }
        var head = RequestHead(verb: .get, lineLength: UInt32(truncatingIfNeeded: end &+ 2))
        head.key = keys[0]
        head.keyCount = UInt32(truncatingIfNeeded: keys.count)
        return head
    }

    /// `set <key> <flags> <exptime> <length>[ noreply]\r\n`, whole, with single spaces and numbers of one to seven digits.
    @inline(__always)
    static func shortSet(_ bytes: RawSpan, limits: borrowing ProtocolLimits) -> RequestHead? {
        guard let keyEnd = shortKey(bytes, limit: limits.key) else { return nil }
        let behind = bytes.word(at: keyEnd)
        if behind & 0xffff == 0x3020, let length = ASCII.usualLength(bytes.word(at: keyEnd &+ 2)),
            length <= limits.value
        {
            return setHead(keyEnd: keyEnd, lineLength: keyEnd &+ 10, bodyLength: length)
        }
        var index = keyEnd
        if behind & 0xff_ffff_ffff == 0x20_3020_3020 {
            index &+= 4  // ` 0 0 `, as most of the world writes it
        } else {
            guard shortNumber(bytes, &index) != nil, shortNumber(bytes, &index) != nil else { return nil }
        }
        guard let length = shortNumber(bytes, &index), length <= limits.value else { return nil }
        let numbersEnd = index
        var last = bytes.word(at: index)
        if last == Spelling.spaceNoreply {
            index &+= 8
            last = bytes.word(at: index)
        }
        guard last & 0xffff == 0x0a0d else { return nil }
        var head = setHead(keyEnd: keyEnd, lineLength: index &+ 2, bodyLength: length)
        if index > numbersEnd {
            head.options = .quiet
            head.quiet = ByteRange(offset: numbersEnd, length: 8)
        }
        return head
    }

    @inline(__always)
    private static func setHead(keyEnd: Int, lineLength: Int, bodyLength: Int) -> RequestHead {
        var head = RequestHead(verb: .set, lineLength: UInt32(truncatingIfNeeded: lineLength))
        head.key = ByteRange(offset: 4, length: keyEnd &- 4)
        head.keyCount = 1
        head.bodyLength = UInt32(truncatingIfNeeded: bodyLength)
        return head
    }

    /// Where the key that starts at byte 4 ends, before the first control character or space; nil if there is no such
    /// key here.
    @inline(__always)
    private static func shortKey(_ bytes: RawSpan, limit: Int) -> Int? {
        var index = 4
        var word = bytes.word(at: index)
        if word & 0xff == 0x5f { return nil }  // `_`: perhaps reserved
        var hits = ASCII.controlOrSpace(in: word)
        while hits == 0 {
            index &+= 8
            if index > 4 &+ limit { return nil }
            word = bytes.word(at: index)
            hits = ASCII.controlOrSpace(in: word)
        }
        index &+= hits.trailingZeroBitCount &>> 3
        return index > 4 && index <= 4 &+ limit ? index : nil
    }

    /// A space and a number at `index`, which moves behind them.
    @inline(__always)
    private static func shortNumber(_ bytes: RawSpan, _ index: inout Int) -> Int? {
        guard index < bytes.byteCount, bytes.byte(at: index) == ASCII.space else { return nil }
        let (value, count) = ASCII.decimal(bytes.word(at: index &+ 1))
        guard count > 0 else { return nil }
        index &+= 1 &+ count
        return Int(truncatingIfNeeded: value)
    }
}
