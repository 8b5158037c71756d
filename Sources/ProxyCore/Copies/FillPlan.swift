internal import Bytes
public import MemcacheProtocol

/// How copies that lack a key get it back from one that has it: pure, told what each copy answers, and telling what to
/// send next.
///
///     look at the source ──▶ add where the key was missing ──▶ look at the source again ──▶ keep, or take back
///
/// An add never replaces anything, but it can come too late: behind a delete that the source has heard of too. So the
/// source is looked at again. Where its item is not the same any more, or where this process has begun to write the
/// key since, each copy that took the item drops it, unless it has another by then.
///
/// A stale item or a stub is not handed on: it belongs to whoever replaces it.
public struct FillPlan: BitwiseCopyable, Sendable {
    enum Step: UInt8, BitwiseCopyable, Sendable {
        case look, add, confirm, takeBack, giveBack, over
    }

    /// Copies as bits, in the key's order.
    public struct Outcome: BitwiseCopyable, Sendable, Equatable {
        /// They have the source's item.
        public internal(set) var filled: UInt8 = 0
        /// They had it for a moment.
        public internal(set) var takenBack: UInt8 = 0
        /// They did not answer, and may have it or not.
        public internal(set) var unsure: UInt8 = 0
    }

    private(set) var step = Step.look
    let source: Int
    /// Commands of the step that are to be sent, and that are under way.
    private var unsent: UInt8
    private var awaited: UInt8 = 0
    private let targets: UInt8
    private var item = StoredItem.missing
    /// Of the item on each copy that took it.
    private var numbers = InlineArray<8, UInt64>(repeating: 0)
    private var result = Outcome()

    /// - Parameters:
    ///   - source: the copy that has the key, 0 to 7.
    ///   - targets: those that lack it, as bits, without the source.
    public init(source: Int, targets: UInt8) {
        precondition((0..<8).contains(source) && targets & 1 << UInt8(source) == 0)
        self.source = source
        self.targets = targets
        unsent = 1 << UInt8(source)
    }

    /// Nil while replies are awaited.
    public var outcome: Outcome? { step == .over ? result : nil }

    /// The next command to be sent; nil when there is none for now. To be called until then, at first and after each
    /// reply.
    public mutating func nextCommand() -> RepairCommand? {
        guard unsent != 0 else { return nil }
        let copy = unsent.trailingZeroBitCount
        unsent &= unsent &- 1
        awaited |= 1 << UInt8(copy)
        var seen = item
        seen.cas = copy == source ? item.cas : numbers[copy]
        let kind: RepairCommand.Kind =
            switch step {
            case .look: .lookAndFetch
            case .add: .add
            case .confirm, .over: .look
            case .takeBack: .delete
            case .giveBack: .giveBack
            }
        return RepairCommand(copy: copy, kind: kind, item: item, seen: seen)
    }

    /// A copy has answered its command, data block included.
    ///
    /// - Parameters:
    ///   - line: the reply's first line.
    ///   - isDisturbed: this process has begun to write the key, or is to repair it: see `WriteTable.isDisturbed`.
    /// - Returns: whether the data block is the value, to be kept until the plan is over.
    public mutating func received(_ code: ReplyCode, line: RawSpan, from copy: Int, isDisturbed: Bool) -> Bool {
        guard isAwaited(copy) else { return false }
        switch step {
        case .look:
            guard code == .value, let found = RepairPlan.item(code, line) else { break }
            item = found
            // Without a number of its own nothing could be taken back.
            guard found.kind == .fresh, found.cas != 0, !isDisturbed else { break }
            begin(.add, targets)
            return true
        case .add: added(code, line, copy)
        case .confirm:
            let found = code == .hd ? RepairPlan.item(code, line) : nil
            // A touch changes no number: then the value is the same.
            let isSame = found?.kind == .fresh && found?.cas == item.cas
            if let found, found.isWon { item = found }
            if isSame, !isDisturbed { end() } else { takeBack() }
            return false
        case .takeBack:
            if code == .hd || code == .nf || code == .ex { result.takenBack |= 1 << UInt8(copy) } else { doubt(copy) }
        case .giveBack, .over: break
        }
        proceed()
        return false
    }

    /// A copy did not answer its command: its connection died, its time ran out, or it could not be sent.
    public mutating func failed(_ copy: Int) {
        guard isAwaited(copy) else { return }
        switch step {
        case .add, .takeBack: doubt(copy)
        case .confirm:
            takeBack()
            return
        case .look, .giveBack, .over: break
        }
        proceed()
    }

    /// Bytes of the value's data block, its CR LF counted.
    public var blockLength: Int { Int(item.size) + 2 }

    /// The value could not be kept: nothing is added.
    public mutating func giveUp() {
        guard step == .add, awaited == 0 else { return }
        unsent = 0
        proceed()
    }

    private mutating func isAwaited(_ copy: Int) -> Bool {
        guard (0..<8).contains(copy), awaited & 1 << UInt8(copy) != 0 else { return false }
        awaited &= ~(1 << UInt8(copy))
        return true
    }

    private mutating func added(_ code: ReplyCode, _ line: RawSpan, _ copy: Int) {
        switch code {
        case .hd:
            numbers[copy] = ReplyParser.casNumber(in: line, to: .metaSet, .wantsCAS)?.number ?? 0
            if numbers[copy] == 0 { doubt(copy) } else { result.filled |= 1 << UInt8(copy) }
        // Something newer is there, or no room.
        case .ns, .serverError: break
        default: doubt(copy)
        }
    }

    private mutating func doubt(_ copy: Int) { result.unsure |= 1 << UInt8(copy) }

    private mutating func begin(_ next: Step, _ copies: UInt8) {
        step = next
        unsent = copies
        if copies == 0 { proceed() }
    }

    private mutating func takeBack() {
        let copies = result.filled
        result.filled = 0
        begin(.takeBack, copies)
    }

    /// The step is over when all have answered.
    private mutating func proceed() {
        guard unsent == 0, awaited == 0 else { return }
        if step == .add, result.filled != 0 { begin(.confirm, 1 << UInt8(source)) } else { end() }
    }

    private mutating func end() {
        guard item.isWon, step != .giveBack else {
            step = .over
            return
        }
        // The right to replace a stale item, which came with a look, belongs to a client.
        begin(.giveBack, 1 << UInt8(source))
    }
}
