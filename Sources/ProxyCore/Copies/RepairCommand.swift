internal import Bytes
public import MemcacheProtocol

/// One command of a repair or a back-fill, for one copy.
public struct RepairCommand: BitwiseCopyable, Sendable, Equatable {
    enum Kind: UInt8, BitwiseCopyable, Sendable {
        /// mg, with or without the value, that leaves the item's place in the LRU alone.
        case look, lookAndFetch
        /// ms: what the source has, where the copy still has what it was seen to have.
        case store
        /// ms E: what the source has, where the copy has nothing; the answer tells its number there.
        case add
        /// md, likewise.
        case delete
        /// md I: makes a stored item stale, as the source's is.
        case invalidate
        /// mg N: makes a stub.
        case vivify
        /// md I, which gives back a right to replace the item that came with a look.
        case giveBack
    }

    /// Index of the copy, in the order that the plan was given.
    public let copy: Int
    let kind: Kind
    /// What the source has.
    let item: StoredItem
    /// What the copy was seen to have.
    let seen: StoredItem

    /// The header is followed by the source's value and CR LF, of `bodyLength` bytes together.
    public var carriesValue: Bool { kind == .store || kind == .add }

    /// Bytes behind the header line: 0, or the value and its CR LF.
    public var bodyLength: Int { carriesValue ? Int(item.size) + 2 : 0 }

    /// The command is a mg, whose reply may be a VA with a data block; else it is a ms or md.
    public var isGet: Bool { kind == .look || kind == .lookAndFetch || kind == .vivify }
    public var isSet: Bool { carriesValue }
    /// What the node is asked.
    public var verb: Verb { isGet ? .metaGet : isSet ? .metaSet : .metaDelete }
    /// The copy is to become what the source was seen to be.
    public var isCorrection: Bool { kind != .look && kind != .lookAndFetch && kind != .giveBack }
    public var isDelete: Bool { !isGet && !isSet }

    /// The command line with its CR LF.
    ///
    /// - Parameters:
    ///   - key: as spelled on the wire, 1 to 250 bytes.
    ///   - unixTime: seconds, for times to live that memcached takes for a date (over 30 days).
    ///   - keepsCAS: the node knows `E`: what is given back keeps the CAS number that clients may have seen.
    public func line(key: RawSpan, isBase64: Bool, unixTime: Int64, keepsCAS: Bool) -> RepairLine {
        var line = RepairLine()
        line.append(isGet ? "mg " : isSet ? "ms " : "md ")
        line.append(key)
        if isSet { line.append(number: UInt64(item.size), after: " ") }
        if isBase64 { line.append(" b") }
        switch kind {
        case .look: line.append(" f t s c u")
        case .lookAndFetch: line.append(" f t s c u v")
        case .store:
            if item.flags != 0 { line.append(number: UInt64(item.flags), after: " F") }
            line.append(number: item.expiry(unixTime: unixTime), after: " T")
            appendGuard(to: &line)
            // Its number guards the mark that follows.
            if item.kind == .stale { line.append(" c") }
        case .add:
            if item.flags != 0 { line.append(number: UInt64(item.flags), after: " F") }
            line.append(number: item.expiry(unixTime: unixTime), after: " T")
            line.append(" ME c")
        case .delete: appendGuard(to: &line)
        case .invalidate:
            line.append(" I")
            appendGuard(to: &line)
        case .vivify: line.append(number: item.expiry(unixTime: unixTime), after: " N")
        case .giveBack:
            line.append(" I")
            appendGuard(to: &line)
            if keepsCAS, seen.cas != 0 { line.append(number: seen.cas, after: " E") }
        }
        line.append("\r\n")
        return line
    }

    /// So that nothing newer is overwritten, which another proxy may have stored.
    private func appendGuard(to line: inout RepairLine) {
        if seen.kind == .missing {
            if isSet { line.append(" ME") }
        } else if seen.cas != 0 {
            line.append(number: seen.cas, after: " C")
        }
    }
}

/// The bytes of a command line.
public struct RepairLine: BitwiseCopyable, Sendable {
    /// Room for every command: a key of 250 bytes, and five numbers.
    private var bytes = InlineArray<384, UInt8>(repeating: 0)
    public private(set) var count = 0

    public func withBytes<Result>(_ body: (RawSpan) -> Result) -> Result {
        unsafe body(bytes.span.bytes.extracting(0..<count))
    }

    mutating func append(_ text: RawSpan) {
        for index in 0..<text.byteCount { append(text.byte(at: index)) }
    }

    mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { buffer in
            for index in 0..<buffer.count { append(unsafe buffer[index]) }
        }
    }

    mutating func append(number: UInt64, after text: StaticString) {
        append(text)
        var divisor: UInt64 = 1
        while number / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            append(ASCII.zero + UInt8(number / divisor % 10))
            divisor /= 10
        }
    }

    private mutating func append(_ byte: UInt8) {
        bytes[count] = byte
        count += 1
    }
}
