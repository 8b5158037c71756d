internal import Bytes

/// What a node holds for a key, as far as a `mg` with `f t s c` tells.
public struct StoredItem: BitwiseCopyable, Sendable, Equatable {
    public enum Kind: UInt8, BitwiseCopyable, Sendable {
        case missing
        case fresh
        /// Marked by `md I`: it may be read, and is to be replaced.
        case stale
        /// Made by a `mg N`, empty until its maker sets the value.
        case stub
    }

    public internal(set) var kind = Kind.missing
    /// Bytes of the value.
    public internal(set) var size: UInt32 = 0
    public internal(set) var flags: UInt32 = 0
    /// Seconds; -1 is for ever.
    public internal(set) var ttl: Int64 = -1
    /// 0 where the node keeps no such numbers.
    public internal(set) var cas: UInt64 = 0
    /// The right to replace the item came with this answer: memcached gives it to one reader, whatever he asked for.
    var isWon = false

    /// Nothing.
    public static let missing = StoredItem()

    private init() {}

    /// What a node's dump says of an item.
    ///
    /// - Parameter unixTime: the node's, in seconds.
    public init(_ dumped: DumpedItem, unixTime: Int64) {
        kind = .fresh
        cas = dumped.cas
        ttl = dumped.expiry < 0 ? -1 : max(0, dumped.expiry - max(unixTime, 0))
    }

    /// Reads the line of a hit: `HD f5 t-1 s3 c7` or `VA 3 f5 t-1 s3 c7`, in any order, with W, X and Z where they
    /// apply; its CR LF may be there. Nil if it is no such line or says less.
    public init?(line: RawSpan) {
        var seen: (flags: Bool, ttl: Bool, size: Bool, cas: Bool) = (false, false, false, false)
        var (isStale, hasToken) = (false, false)
        var length: UInt64?
        guard line.isEqual(to: "HD ", at: 0) || line.isEqual(to: "VA ", at: 0) else { return nil }
        var index = 3
        while index < line.byteCount {
            let end = Self.tokenEnd(in: line, from: index)
            let start = index
            let token = line.extracting(start..<end)
            index = end + 1
            guard !token.isEmpty else { continue }
            switch token.byte(at: 0) {
            case 0x66:  // f
                guard let number = Self.number(token), number <= UInt32.max else { return nil }
                flags = UInt32(number)
                seen.flags = true
            case 0x74:  // t
                if token.isEqual(to: "t-1", at: 0), token.byteCount == 3 {
                    ttl = -1
                } else {
                    guard let number = Self.number(token), number <= Int32.max else { return nil }
                    ttl = Int64(number)
                }
                seen.ttl = true
            case 0x73:  // s
                guard let number = Self.number(token), number <= Int32.max else { return nil }
                size = UInt32(number)
                seen.size = true
            case 0x63:  // c
                guard let number = Self.number(token) else { return nil }
                cas = number
                seen.cas = true
            case 0x57: (isWon, hasToken) = (true, true)  // W
            case 0x58: isStale = true  // X
            case 0x5a: hasToken = true  // Z
            case 0x30...0x39:  // the length behind VA
                guard let number = Self.number(line.extracting((start - 1)..<end)) else { return nil }
                length = number
            default: break
            }
        }
        guard seen.flags, seen.ttl, seen.size, seen.cas else { return nil }
        // The length that the value is sent on with has to be the one that it was read with.
        if line.byte(at: 0) == 0x56, length != UInt64(size) { return nil }
        // A token without X is also on an item that is about to expire and is being replaced; such an item has a value.
        kind = isStale ? .stale : hasToken && size == 0 && flags == 0 ? .stub : .fresh
    }

    /// There is a value to copy.
    var hasValue: Bool { kind == .fresh || kind == .stale }

    /// Nothing but the value's bytes can differ. The two were read at different times: a second is no difference.
    func agrees(with other: StoredItem, seconds: Int64 = 1) -> Bool {
        guard kind == other.kind else { return false }
        if kind == .missing { return true }
        return size == other.size && flags == other.flags && hasTTL(of: other, within: seconds)
    }

    /// Nobody has changed the item since `earlier`.
    func isUnchanged(since earlier: StoredItem) -> Bool {
        agrees(with: earlier) && cas == earlier.cas
    }

    func hasTTL(of other: StoredItem, within seconds: Int64) -> Bool {
        if ttl < 0 || other.ttl < 0 { return ttl == other.ttl }
        return abs(ttl - other.ttl) <= seconds
    }

    /// The time to live as a command takes it.
    func expiry(unixTime: Int64) -> UInt64 {
        if ttl < 0 { return 0 }
        // 0 would be for ever; beyond 30 days memcached reads a date, of 31 bits.
        if ttl <= 2_592_000 { return UInt64(max(ttl, 1)) }
        let (date, isTooLate) = ttl.addingReportingOverflow(max(unixTime, 0))
        return isTooLate ? UInt64(Int32.max) : UInt64(min(date, Int64(Int32.max)))
    }

    /// The end of the token: at a byte below 0x21, or at the end of the line.
    private static func tokenEnd(in line: RawSpan, from start: Int) -> Int {
        var index = start
        while index < line.byteCount {
            let hits = ASCII.controlOrSpace(in: line.word(at: index))
            if hits != 0 { return min(index + hits.trailingZeroBitCount / 8, line.byteCount) }
            index += 8
        }
        return line.byteCount
    }

    /// The decimal number behind the token's letter; nil if it is none, or beyond 64 bits.
    private static func number(_ token: RawSpan) -> UInt64? {
        guard let number = token.decimal(at: 1), number.end == token.byteCount else { return nil }
        return number.value
    }
}
