internal import Bytes
public import MemcacheProtocol

/// How the copies of one key are made to agree: pure, told what each copy answers, and telling what to send next.
///
///     look at the source ──▶ look at the others ──▶ store, or delete, where they disagree ──▶ look at the source again
///
/// The source is the first copy, in the order given, that answers: the acting primary. Where all agree, which is nearly
/// always, that is one small command a copy and changes nothing: no item's place in the LRU, no CAS number. The others
/// send their value along, to be compared, only up to `compareLimit`; a larger one is rather stored than held twice.
///
/// Nothing newer is overwritten: a copy is changed only while it has the CAS number that was seen, or is still missing;
/// and when it was changed, the source is looked at again, because another proxy may have written meanwhile. Then the
/// repair has to be done once more.
///
/// Stale items and stubs are made again as such, so that a failover shows the same. Who looks at a stale item gets the
/// right to replace it, which belongs to a client: it is given back.
///
/// A check only looks, and tells whether the copies agree. It compares values up to `compareLimit` and of larger ones
/// all else, and grants the times to live another second: copies that agree to a second, on nodes whose clocks tick at
/// different moments, look two apart for a part of each.
///
/// The value's bytes stay with the caller: he keeps the source's, and puts them behind each header that asks for them.
public struct RepairPlan: BitwiseCopyable, Sendable {
    public static let copyLimit = 8

    enum Step: UInt8, BitwiseCopyable, Sendable {
        case idle, look, compare, store, mark, confirm, giveBack, settled, failed
    }

    struct Copy: BitwiseCopyable, Sendable {
        var step = Step.idle
        /// The command of the step is under way.
        var isSent = false
        var item = StoredItem.missing
    }

    var copies = InlineArray<8, Copy>(repeating: Copy())
    let count: Int
    /// How many of them can be the source.
    let sources: Int
    let compareLimit: UInt32
    let isCheck: Bool
    /// The check's `witness`, which is still to be compared with what the copies have.
    var expected: UInt64?
    /// Of a check: the source's item has been seen, so that it is known whether to fetch its value.
    var isSized = false
    /// Of a check.
    var hasDifference = false
    var source = 0
    var hasMoved = false
    /// The source has been looked at again.
    var isConfirmed = false
    /// Some copy was told to become what the source was: whatever comes of it has to be looked at.
    public var hasCorrected = false
    var isOver = false
    /// Copies that were given the source's item.
    public internal(set) var written = 0

    /// - Parameters:
    ///   - copies: that live, 1 to 8.
    ///   - sources: of them, the first ones, that may be what the others are corrected from; nil is all.
    ///   - compareLimit: bytes of a value that is fetched from every copy to be compared.
    ///   - isCheck: nothing is to be changed.
    ///   - expected: the `witness` of the check that alone asks for the repair: it only goes on if the copies still have
    ///     what that saw.
    public init(
        copies count: Int, sources: Int? = nil, compareLimit: UInt32 = 16_384, isCheck: Bool = false,
        expected: UInt64? = nil
    ) {
        precondition(count > 0 && count <= Self.copyLimit)
        self.count = count
        self.sources = sources ?? count
        self.compareLimit = compareLimit
        self.isCheck = isCheck
        self.expected = expected
        copies[0].step = .look
        isOver = count == 1
    }

    /// How it ended; nil while replies are awaited.
    public var outcome: Outcome? {
        guard isOver else { return nil }
        if (0..<count).contains(where: { copies[$0].step == .failed }) { return .copyFailed }
        if hasDifference { return .differed }
        return hasMoved ? .moved : .agreed
    }

    /// The source has the item.
    public var isFound: Bool { copies[source].item.kind != .missing }

    public enum Outcome: Sendable {
        /// All copies hold the same. (The repair's own overlap with a write is for `WriteTable.end` to tell.)
        case agreed
        /// One did not answer, or not with what was asked.
        case copyFailed
        /// Someone else changed the key meanwhile.
        case moved
        /// Of a check: they do not hold the same.
        case differed
    }

    /// A look is under way at the source, or has got the right to replace a stale item that is not given back yet.
    public var mayHoldRight: Bool {
        let step = copies[source].step
        return step == .look || step == .confirm || step == .giveBack || copies[source].item.isWon
    }

    /// What the caller does with the data block of a reply.
    public enum Use: Sendable {
        case discard
        /// It is the source's value, with its CR LF: kept until the plan is over.
        case keep
        /// To be compared with the kept one; then `compared` is called.
        case compare
    }

    /// The next command to be sent; nil when there is none for now. To be called until then, at first and after each
    /// reply.
    public mutating func nextCommand() -> RepairCommand? {
        guard !isOver else { return nil }
        for index in 0..<count where !copies[index].isSent {
            guard let kind = command(of: index) else { continue }
            copies[index].isSent = true
            return RepairCommand(copy: index, kind: kind, item: copies[source].item, seen: copies[index].item)
        }
        return nil
    }

    private func command(of index: Int) -> RepairCommand.Kind? {
        let wanted = copies[source].item
        switch copies[index].step {
        case .idle, .compare, .settled, .failed: return nil
        case .look: return fetches(index) ? .lookAndFetch : .look
        case .store where expected != nil: return nil
        case .store:
            if wanted.hasValue { return .store }
            // A stub is made where there is nothing.
            return wanted.kind == .stub && copies[index].item.kind == .missing ? .vivify : .delete
        case .mark: return wanted.kind == .stub ? .vivify : .invalidate
        case .confirm: return .look
        case .giveBack: return .giveBack
        }
    }

    /// Whether a copy is first looked at together with its value.
    func fetches(_ index: Int) -> Bool {
        index == source && !isCheck || isComparable && (isSized || !isCheck)
    }

    /// The source's value is worth fetching from every copy.
    private var isComparable: Bool {
        let wanted = copies[source].item
        return wanted.hasValue && wanted.size > 0 && wanted.size <= compareLimit
    }

    /// A copy has answered its command, data block included.
    ///
    /// - Parameter line: the reply's first line.
    public mutating func received(_ code: ReplyCode, line: RawSpan, from copy: Int) -> Use {
        guard isExpected(copy) else { return .discard }
        copies[copy].isSent = false
        var use = Use.discard
        switch copies[copy].step {
        case .look: use = looked(code, line, at: copy)
        case .confirm:
            if code != .value, let item = Self.item(code, line) {
                if !item.isUnchanged(since: copies[copy].item) { hasMoved = true }
                copies[copy].item.isWon = copies[copy].item.isWon || item.isWon
                // The right is that of the item as it is now.
                if item.isWon { copies[copy].item.cas = item.cas }
                copies[copy].step = .settled
            } else {
                fail(copy)
            }
        case .store: stored(code, line, at: copy)
        case .mark: marked(code, line, at: copy)
        // Whatever the answer: if the item is another now, there is no right to give back.
        case .giveBack: copies[copy].step = .settled
        case .idle, .compare, .settled, .failed: break
        }
        advance()
        return use
    }

    /// A copy did not answer its command: its connection died, its time ran out, or it could not be sent.
    public mutating func failed(_ copy: Int) {
        guard isExpected(copy) else { return }
        copies[copy].isSent = false
        fail(copy)
        advance()
    }

    /// The command was not sent, because a write has begun since the source was looked at: it may be done and answered
    /// by now, and then the source's item is older than what the copy has.
    public mutating func overtaken(_ copy: Int) {
        guard isExpected(copy) else { return }
        copies[copy].isSent = false
        move(copy)
        advance()
    }

    /// Whether the value that came with the last reply of this copy equals the kept one.
    public mutating func compared(_ copy: Int, isEqual: Bool) {
        guard copy >= 0, copy < count, copies[copy].step == .compare else { return }
        if isEqual { copies[copy].step = .settled } else { differs(copy) }
        advance()
    }

    private func isExpected(_ copy: Int) -> Bool { copy >= 0 && copy < count && !isOver && copies[copy].isSent }
}
