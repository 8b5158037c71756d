internal import Bytes
public import MemcacheProtocol

/// What a node's reply says, for those who sent a command of a transfer.
extension ItemReply {
    /// - Parameter line: the reply's first line, with its CR LF or without.
    public init(_ code: ReplyCode, line: RawSpan) {
        switch code {
        case .hd:
            // A look is answered with flags f, t, s and c; an ms with c alone; a md with nothing.
            self = StoredItem(line: line).map(ItemReply.item) ?? .done(cas: MarkerReply.cas(in: line))
        case .value: self = StoredItem(line: line).map(ItemReply.item) ?? .failed
        case .en, .nf: self = .missing
        case .ns, .ex: self = .refused
        case .serverError: self = Self.hasNoRoom(line) ? .tooLarge : .failed
        default: self = .failed
        }
    }

    private static func hasNoRoom(_ line: RawSpan) -> Bool {
        // The second where nothing of that size can be evicted just now.
        line.isEqual(to: "SERVER_ERROR object too large", at: 0)
            || line.isEqual(to: "SERVER_ERROR out of memory storing", at: 0)
    }
}

extension MarkerReply {
    /// - Parameters:
    ///   - line: the reply's first line.
    ///   - value: what follows a VA, without its CR LF. A marker has at most `MarkerText.limit` bytes; of a larger value
    ///     none need be kept.
    public init(_ code: ReplyCode, to action: MarkerCommand.Action, line: RawSpan, value: [UInt8]) {
        switch (code, action) {
        case (.value, .read): self = .value(value, cas: Self.cas(in: line))
        case (.en, .read), (.nf, .delete), (.nf, .deleteSame): self = .missing
        case (.hd, .store), (.hd, .delete), (.hd, .deleteSame): self = .done(cas: Self.cas(in: line))
        case (.ns, .store), (.ex, .store), (.nf, .store), (.ex, .deleteSame): self = .refused
        default: self = .failed
        }
    }

    /// The number of the flag c; 0 if there is none.
    static func cas(in line: RawSpan) -> UInt64 {
        var index = 0
        while index + 2 < line.byteCount {
            if line.byte(at: index) == ASCII.space, line.byte(at: index + 1) == 0x63 {
                return line.decimal(at: index + 2)?.value ?? 0
            }
            index += 1
        }
        return 0
    }
}
