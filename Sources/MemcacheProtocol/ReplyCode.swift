/// What a reply line says, classic and meta.
public enum ReplyCode: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    case stored, notStored, exists, notFound, deleted, touched, ok, number, version, reset
    /// The classic END, and what a `value` completes when it is a meta VA.
    case end, value
    case hd, en, nf, ns, ex, mn, me
    case error, clientError, serverError

    /// ERROR, CLIENT_ERROR or SERVER_ERROR.
    @inlinable public var isError: Bool { self.rawValue >= ReplyCode.error.rawValue }

    /// The line that says this and nothing else, for codes that always come with the same word; nil for others. A reply
    /// with this code and of this length is this line.
    @inlinable public var line: StaticString? {
        switch self {
        case .stored: "STORED\r\n"
        case .notStored: "NOT_STORED\r\n"
        case .exists: "EXISTS\r\n"
        case .notFound: "NOT_FOUND\r\n"
        case .deleted: "DELETED\r\n"
        case .touched: "TOUCHED\r\n"
        case .hd: "HD\r\n"
        case .nf: "NF\r\n"
        case .ns: "NS\r\n"
        case .ex: "EX\r\n"
        default: nil
        }
    }

    /// memcached 1.6.38 would not have sent this reply had the command carried its `noreply` or `q`.
    ///
    /// `noreply` hides everything, errors too. `q` hides only what the client expects: a miss of mg, a success of ms,
    /// md and ma. (A ma that creates its item is told even so; from outside it looks like one that found it.)
    public static func quietHides(_ verb: Verb, _ code: ReplyCode) -> Bool {
        switch verb {
        case .metaGet: code == .en
        case .metaSet, .metaDelete: code == .hd
        case .metaArithmetic: code == .hd || code == .value
        case .metaNoop, .metaDebug: false
        default: true
        }
    }
}
