/// Compares one item of a node that was filled with its source, and drops what differs: told what the nodes answer, it
/// says what to send next.
///
///     fetch from the source ──▶ fetch from the target ──▶ they differ: look at the source again ──▶ take back
///
/// What is dropped is copied again by the next pass. A stray, which was found on the target, begins with a look at the
/// source and ends there when that has it.
public struct VerifyStep: BitwiseCopyable, Sendable {
    public enum Outcome: BitwiseCopyable, Sendable, Equatable {
        case agreed
        /// The target lacks it: a miss.
        case absent
        /// They differed, and the target's was dropped.
        case diverged
        /// A client wrote meanwhile, to both.
        case moved
        case failed
    }

    private enum State: UInt8, BitwiseCopyable { case survey, source, target, compare, confirm, takeBack, giveBack }

    private var state = State.source
    private var isSent = false
    private var source = StoredItem.missing
    private var target = StoredItem.missing
    /// How it will have ended when the source has got back what the look won.
    private var pending = Outcome.agreed
    public private(set) var outcome: Outcome?

    private let takesBack: Bool

    /// - Parameters:
    ///   - isStray: the item was found on the target: what the source has as well is left to the step that begins there.
    ///   - takesBack: what differs is dropped; else it is only told.
    public init(isStray: Bool = false, takesBack: Bool = true) {
        if isStray { state = .survey }
        self.takesBack = takesBack
    }

    public mutating func nextCommand() -> ItemCommand? {
        guard !isSent, outcome == nil, state != .compare else { return nil }
        isSent = true
        switch state {
        case .survey: return ItemCommand(.look, .source)
        case .source: return ItemCommand(.fetch, .source)
        case .target: return ItemCommand(.fetch, .target)
        case .confirm: return ItemCommand(.look, .source)
        case .takeBack: return ItemCommand(.takeBack, .target, cas: target.cas)
        case .giveBack: return ItemCommand(.giveBack, .source, cas: source.cas)
        case .compare: return nil
        }
    }

    /// - Returns: the values that came with this reply and the one before are to be compared; then `compared` is called.
    public mutating func received(_ reply: ItemReply) -> Bool {
        guard isSent, outcome == nil else { return false }
        isSent = false
        let item: StoredItem
        switch reply {
        case .item(let found): item = found
        case .missing: item = .missing
        case .failed:
            outcome = .failed
            return false
        default: item = .missing
        }
        switch state {
        case .survey where item.kind == .fresh: outcome = .agreed
        // What is not fresh there has no value to compare.
        case .survey, .source:
            source = item
            state = .target
        case .target:
            target = item
            return targetSeen()
        case .confirm where !item.isSame(as: source): finish(.moved)
        case .confirm: if takesBack { state = .takeBack } else { finish(.diverged) }
        case .takeBack: finish(reply == .refused ? .moved : .diverged)
        case .giveBack: outcome = pending
        case .compare: break
        }
        return false
    }

    private mutating func targetSeen() -> Bool {
        if target.kind == .missing {
            finish(source.kind == .fresh ? .absent : .agreed)
            return false
        }
        let agrees = source.kind == .fresh && source.flags == target.flags && source.hasTTL(of: target, within: 3)
        guard agrees, source.size == target.size else {
            state = .confirm
            return false
        }
        state = .compare
        return true
    }

    public mutating func compared(isEqual: Bool) {
        guard state == .compare else { return }
        if isEqual { finish(.agreed) } else { state = .confirm }
    }

    private mutating func finish(_ outcome: Outcome) {
        guard source.kind == .stale, source.isWon else { return self.outcome = outcome }
        pending = outcome
        state = .giveBack
    }
}
