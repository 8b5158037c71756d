public import MemcacheProtocol

/// What the other copies of a key get after its acting primary has answered a command whose result depends on what is
/// stored.
public enum CopyEffect: BitwiseCopyable, Equatable, Sendable {
    /// Nothing has changed.
    case nothing
    /// The value that the request holds, by a set: `CopyLine.sameValue`.
    case sameValue
    /// The same change: `CopyLine.sameCommand`. With `compare`, a copy that does not answer alike is repaired.
    case sameCommand(compare: Bool)
    /// What the primary has now, read from there: the answer does not tell what happened.
    case repair
}

extension CopyEffect {
    /// After the primary's answer `decided`. For a gat of several keys once for each: `.value` or `.end`.
    ///
    /// An answer must have come from the node: if none came, nothing is known, and the key has to be repaired.
    public init(of verb: Verb, _ options: RequestOptions, _ decided: CopyReply) {
        let code = decided.code
        switch verb {
        case .add, .replace, .cas:
            // An item that is too large leaves the old one in place, unlike with set and ms.
            self = code == .stored ? .sameValue : .nothing
        case .append, .prepend:
            self = code == .stored ? .sameCommand(compare: true) : .nothing
        case .incr, .decr:
            self = code == .number ? .sameCommand(compare: true) : .nothing
        case .touch:
            self = code == .touched ? .sameCommand(compare: true) : .nothing
        case .gat, .gats:
            // Where there was no memory for the answer, the item may be touched all the same.
            self = code == .value ? .sameCommand(compare: true) : code == .serverError ? .repair : .nothing
        case .set:
            self = code == .stored ? .sameValue : code == .serverError ? .repair : .nothing
        case .delete:
            // A copy is rid of the key whether it had it or not, and whether the primary had it or not.
            self = code.isError ? .nothing : .sameCommand(compare: false)
        case .metaGet: self = Self.ofGet(options, decided)
        case .metaSet: self = Self.ofSet(options, code)
        case .metaDelete: self = Self.ofDelete(options, code)
        case .metaArithmetic: self = Self.ofArithmetic(options, code)
        case .get, .gets, .metaNoop, .metaDebug, .flushAll, .version, .verbosity, .stats, .quit:
            self = .nothing
        }
    }

    private static func ofGet(_ options: RequestOptions, _ decided: CopyReply) -> CopyEffect {
        switch decided.code {
        case .hd, .value:
            let hasWon = decided.marks.contains(.won)
            let mayCreate = hasWon && options.contains(.vivifies)
            // Won by N, that is created, or by R: the answer is the same.
            if mayCreate, options.contains(.recaches), !decided.marks.contains(.stale) { return .repair }
            if mayCreate || options.contains(.touches) { return .sameCommand(compare: true) }
            // The one right to recache should not be handed out again after a failover; but a copy whose time to live
            // is off by a second, and which therefore does not hand it out, is none the worse for it.
            return hasWon ? .sameCommand(compare: false) : .nothing
        case .serverError:
            return options.isDisjoint(with: [.touches, .vivifies]) ? .nothing : .repair
        default:
            return .nothing
        }
    }

    private static func ofSet(_ options: RequestOptions, _ code: ReplyCode) -> CopyEffect {
        // Too large or no memory: the node has dropped the old item.
        if code == .serverError { return .repair }
        guard code == .hd else { return .nothing }
        if options.contains(.extends) {
            // Appended, or created: the answer is the same.
            return options.contains(.vivifies) ? .repair : .sameCommand(compare: true)
        }
        // Stored as it is, or as a stale item that kept its old time to live: again the same answer.
        return options.isSuperset(of: [.invalidates, .comparesCAS]) ? .repair : .sameValue
    }

    private static func ofDelete(_ options: RequestOptions, _ code: ReplyCode) -> CopyEffect {
        switch code {
        case .hd: .sameCommand(compare: !options.isDisjoint(with: [.invalidates, .leavesItem]))
        // As with delete; but a condition or a mark is for an item that is there.
        case .nf where options.isDisjoint(with: [.invalidates, .leavesItem, .comparesCAS]): .sameCommand(compare: false)
        default: .nothing
        }
    }

    private static func ofArithmetic(_ options: RequestOptions, _ code: ReplyCode) -> CopyEffect {
        switch code {
        case .value: .sameCommand(compare: true)
        // Counted, or created with another value and time to live: only the value would tell.
        case .hd: options.contains(.vivifies) ? .repair : .sameCommand(compare: true)
        default: .nothing
        }
    }
}

extension CopyEffect {
    /// Whether a copy's answer to what this effect sent it says that it now has what the primary has. False also for an
    /// error; then the copy is to be repaired.
    /// - Parameter decided: the primary's answer to the client's command.
    public func agrees(_ copy: CopyReply, with decided: CopyReply, to verb: Verb, _ options: RequestOptions) -> Bool {
        switch self {
        case .nothing: true
        case .sameValue: copy.code == .stored || copy.code == .hd
        case .sameCommand(compare: false): !copy.code.isError
        case .sameCommand(compare: true): Self.alike(copy, decided, verb, options)
        case .repair: false
        }
    }

    private static func alike(
        _ copy: CopyReply, _ decided: CopyReply, _ verb: Verb, _ options: RequestOptions
    ) -> Bool {
        switch verb {
        case .gat, .gats:
            return copy.code == .touched
        case .metaGet:
            // Without `v` a hit is a HD. Who has won, if not with a stale item, has created one.
            let isHit = copy.code == .hd || copy.code == .value
            return isHit && (!options.contains(.vivifies) || Self.winner(copy) == Self.winner(decided))
        default:
            return copy.code == decided.code && copy.number == decided.number
        }
    }

    private static func winner(_ reply: CopyReply) -> RecacheMarks {
        reply.marks.contains(.won) ? reply.marks.subtracting(.sent) : []
    }
}
