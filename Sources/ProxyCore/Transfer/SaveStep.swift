/// Reads one item for a backup: told what its node answers, it says what to send next.
///
/// The value's bytes stay with the caller.
public struct SaveStep: BitwiseCopyable, Sendable {
    public enum Outcome: BitwiseCopyable, Sendable, Equatable {
        case saved(StoredItem)
        case gone
        case skipped(SkipReason)
        case failed
    }

    private var isSent = false
    /// The look has won the right to replace the item, which is a client's: under this CAS number it goes back.
    private var won: UInt64?
    public private(set) var outcome: Outcome?

    public init() {}

    public mutating func nextCommand() -> ItemCommand? {
        guard !isSent, outcome == nil else { return nil }
        isSent = true
        return won.map { ItemCommand(.giveBack, .source, cas: $0) } ?? ItemCommand(.fetch, .source)
    }

    public mutating func received(_ reply: ItemReply) {
        guard isSent, outcome == nil else { return }
        isSent = false
        if won != nil {
            outcome = reply == .failed ? .failed : .skipped(.stale)
            return
        }
        switch reply {
        case .missing: outcome = .gone
        case .item(let item):
            switch item.kind {
            case .missing: outcome = .gone
            case .stale where item.isWon: won = item.cas
            case .stale: outcome = .skipped(.stale)
            case .stub: outcome = .skipped(.stub)
            case .fresh where item.ttl == 0: outcome = .skipped(.expiring)
            case .fresh: outcome = .saved(item)
            }
        default: outcome = .failed
        }
    }
}
