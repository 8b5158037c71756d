/// Decides whether an item that a node held when it was cut off may stay: told what the source answers, it says what to
/// send next.
///
///     look at the source ──▶ take back from the target, unless the source has had the same since before the outage
///
/// What the source has with a CAS number up to the watermark was there before the first write that the target missed.
/// A delete shows as missing, a touch by the time to live. (What the source has evicted goes, too: that is a miss.)
public struct CleanStep: BitwiseCopyable, Sendable {
    public enum Outcome: BitwiseCopyable, Sendable, Equatable { case kept, dropped, failed }

    private enum State: UInt8, BitwiseCopyable { case look, takeBack, giveBack }

    private let target: StoredItem
    private let watermark: UInt64
    private var state: State
    private var isSent = false
    private var wonCAS: UInt64?
    public private(set) var outcome: Outcome?

    /// - Parameters:
    ///   - target: CAS number and remaining life of the target's item, from its dump.
    ///   - watermark: of the source; 0 drops the item unseen.
    public init(target: StoredItem, watermark: UInt64) {
        self.target = target
        self.watermark = watermark
        state = watermark == 0 ? .takeBack : .look
    }

    public mutating func nextCommand() -> ItemCommand? {
        guard !isSent, outcome == nil else { return nil }
        isSent = true
        switch state {
        case .look: return ItemCommand(.look, .source)
        case .takeBack: return ItemCommand(.takeBack, .target, cas: target.cas)
        case .giveBack: return ItemCommand(.giveBack, .source, cas: wonCAS ?? 0)
        }
    }

    public mutating func received(_ reply: ItemReply) {
        guard isSent, outcome == nil else { return }
        isSent = false
        switch (state, reply) {
        case (.look, .item(let found)):
            let mayStay = found.kind == .fresh && found.cas <= watermark && found.hasTTL(of: target, within: 3)
            if mayStay { outcome = .kept } else { state = .takeBack }
            if found.kind == .stale, found.isWon { wonCAS = found.cas }
        case (.look, .missing): state = .takeBack
        case (.look, _), (.takeBack, .failed): outcome = .failed
        // Refused: a client has set it since the dump.
        case (.takeBack, _): if wonCAS == nil { outcome = .dropped } else { state = .giveBack }
        case (.giveBack, _): outcome = .dropped
        }
    }
}
