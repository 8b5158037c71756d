internal import Bytes

/// One command of a transfer on one item, for its source or its target.
public struct ItemCommand: BitwiseCopyable, Sendable, Equatable {
    public enum Kind: UInt8, BitwiseCopyable, Sendable {
        /// mg, with or without the value; the item's place in the LRU stays.
        case look, fetch
        /// ms ME: what the source has, where the target has nothing. The value follows.
        case add
        /// ms: whatever the target has.
        case put
        /// md C: the copy that was added, or that is stale, as long as nobody has changed it.
        case takeBack
        /// md I C: gives back the right to replace a stale item, which came with a look and belongs to a client.
        case giveBack
    }

    public enum Side: UInt8, BitwiseCopyable, Sendable { case source, target }

    public let kind: Kind
    public let side: Side
    /// add: what the source has.
    public var item = StoredItem.missing
    /// takeBack, giveBack: of the item as it was seen.
    public var cas: UInt64 = 0

    init(_ kind: Kind, _ side: Side, item: StoredItem = .missing, cas: UInt64 = 0) {
        self.kind = kind
        self.side = side
        self.item = item
        self.cas = cas
    }

    /// Bytes behind the line: 0, or the value and its CR LF.
    public var bodyLength: Int { kind == .add || kind == .put ? Int(item.size) + 2 : 0 }

    /// The command line with its CR LF.
    ///
    /// - Parameters:
    ///   - key: as spelled on the wire, 1 to 250 bytes.
    ///   - unixTime: the target's, in seconds.
    public func line(key: RawSpan, isBase64: Bool, unixTime: Int64) -> RepairLine {
        var line = RepairLine()
        switch kind {
        case .look, .fetch: line.append("mg ")
        case .add, .put: line.append("ms ")
        case .takeBack, .giveBack: line.append("md ")
        }
        line.append(key)
        if bodyLength > 0 { line.append(number: UInt64(item.size), after: " ") }
        if isBase64 { line.append(" b") }
        switch kind {
        case .look: line.append(" f t s c u")
        case .fetch: line.append(" f t s c u v")
        case .add, .put:
            line.append(kind == .add ? " c ME" : " c")
            if item.flags != 0 { line.append(number: UInt64(item.flags), after: " F") }
            line.append(number: item.expiry(unixTime: unixTime), after: " T")
        case .takeBack: line.append(number: cas, after: " C")
        case .giveBack:
            line.append(" I")
            line.append(number: cas, after: " C")
        }
        line.append("\r\n")
        return line
    }
}

/// What a node answered to such a command.
public enum ItemReply: BitwiseCopyable, Sendable, Equatable {
    /// HD or VA to a look or a fetch.
    case item(StoredItem)
    /// EN, or NF.
    case missing
    /// HD to an ms with its CAS number, or to a md.
    case done(cas: UInt64)
    /// NS or EX: there is something else.
    case refused
    /// SERVER_ERROR object too large for cache, or out of memory storing object. (The ms has deleted what was there,
    /// whoever had set it.)
    case tooLarge
    /// No answer, or none that fits.
    case failed
}

extension StoredItem {
    /// Nobody has changed or touched it between two looks that are at most two seconds apart.
    func isSame(as other: StoredItem) -> Bool {
        kind == other.kind && cas == other.cas && hasTTL(of: other, within: 2)
    }
}
