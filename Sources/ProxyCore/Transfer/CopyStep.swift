/// Why an item is not copied.
public enum SkipReason: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    /// Marked stale: its copy would be fresh.
    case stale
    /// Made by a mg N, without a value yet.
    case stub
    /// The target would not take it, and would delete what it has.
    case tooLarge
    /// It ends within this second, and a copy would live for ever.
    case expiring
}

/// Copies one item, so that what comes of it is right whatever clients do meanwhile: told what the nodes answer, it
/// says what to send next.
///
///     fetch from the source ──▶ add to the target ──▶ look at the source again ──▶ take back, if it has changed
///
/// An add never overwrites what a client has set on the target; and since every write goes to the source first, one
/// that came between the fetch and the add shows at the second look. The copy is taken back by its CAS number: what a
/// client has set on it stays.
///
/// The value's bytes stay with the caller, who puts them behind the add.
public struct CopyStep: BitwiseCopyable, Sendable {
    public enum Outcome: BitwiseCopyable, Sendable, Equatable {
        case copied
        /// The target has the key already.
        case present
        /// The source has it no more.
        case gone
        case skipped(SkipReason)
        /// It changed meanwhile; the next pass will find it.
        case takenBack
        /// A node did not answer: the target may hold an unproven copy, and may not be read.
        case failed
    }

    private enum State: UInt8, BitwiseCopyable {
        case fetch, add, confirm, takeBack, giveBack, over
    }

    private var state = State.fetch
    private var isSent = false
    private var item = StoredItem.missing
    private var copyCAS: UInt64 = 0
    private let room: Int
    public private(set) var outcome: Outcome?

    /// - Parameter room: bytes of the largest value that the target takes with this key.
    public init(room: Int) { self.room = room }

    /// Bytes of the largest value that a node takes: its `item_size_max` without key and header.
    public static func room(itemSizeMax: Int, keyLength: Int) -> Int { itemSizeMax - keyLength - 58 }

    public mutating func nextCommand() -> ItemCommand? {
        guard !isSent, outcome == nil else { return nil }
        isSent = true
        switch state {
        case .fetch: return ItemCommand(.fetch, .source)
        case .add: return ItemCommand(.add, .target, item: item)
        case .confirm: return ItemCommand(.look, .source)
        case .takeBack: return ItemCommand(.takeBack, .target, cas: copyCAS)
        case .giveBack: return ItemCommand(.giveBack, .source, cas: item.cas)
        case .over: return nil
        }
    }

    public mutating func received(_ reply: ItemReply) {
        guard isSent, outcome == nil else { return }
        isSent = false
        switch state {
        case .fetch: fetched(reply)
        case .add: added(reply)
        case .confirm:
            // Whatever else was answered, the copy is not proven.
            if case .item(let now) = reply, now.isSame(as: item) { outcome = .copied } else { state = .takeBack }
        case .takeBack: outcome = reply == .failed ? .failed : .takenBack
        case .giveBack: outcome = .skipped(.stale)
        case .over: break
        }
    }

    private mutating func fetched(_ reply: ItemReply) {
        switch reply {
        case .item(let found):
            item = found
            switch found.kind {
            case .missing: outcome = .gone
            case .stale where found.isWon: state = .giveBack
            case .stale: outcome = .skipped(.stale)
            case .stub: outcome = .skipped(.stub)
            case .fresh where found.ttl == 0: outcome = .skipped(.expiring)
            case .fresh where Int(found.size) > room: outcome = .skipped(.tooLarge)
            case .fresh: state = .add
            }
        case .missing: outcome = .gone
        default: outcome = .failed
        }
    }

    private mutating func added(_ reply: ItemReply) {
        switch reply {
        // Without CAS numbers nothing could be taken back.
        case .done(let cas) where cas > 0:
            copyCAS = cas
            state = .confirm
        case .refused: outcome = .present
        case .tooLarge: outcome = .skipped(.tooLarge)
        default: outcome = .failed
        }
    }
}
