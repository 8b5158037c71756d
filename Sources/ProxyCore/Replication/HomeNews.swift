/// What has come of telling the nodes that keep it how far a node's keys are.
public enum HomeTelling: Equatable, Sendable {
    case told
    /// This counts instead.
    case refused(HomeRecord)
    /// None of them can keep it: each proxy goes by itself.
    case unable
    /// Some may keep it, and others not.
    case failed
    /// Nobody has been told.
    case unsaid

    init(_ record: HomeRecord, _ outcomes: [HomeChange.Outcome], needsAll: Bool) {
        var newest: HomeRecord?
        for case .seen(let seen) in outcomes { newest = max(newest ?? seen, seen) }
        let isKept = outcomes.contains(.done)
        if let newest, !isKept || newest > record {
            self = .refused(newest)
        } else if isKept, !needsAll || !outcomes.contains(.failed) {
            self = .told
        } else {
            self = outcomes.contains(.unable) && !outcomes.contains(.failed) ? .unable : .failed
        }
    }
}

/// Tells all nodes that keep it how far a node's keys are.
///
/// Among several proxies the first of the nodes decides what counts of two things that are said at once: the others are
/// told what it has taken, so that nobody hears of what comes to nothing. And all have to take it: whoever reads any of
/// them hears of it. Who is alone asks all at once, for one that is started later, and one answer is enough.
public struct HomeNews: Sendable {
    private let record: HomeRecord
    private let needsAll: Bool
    private var waiting: [Int]
    private var underWay = 0
    private var outcomes: [HomeChange.Outcome] = []
    public private(set) var result: HomeTelling?

    /// - Parameter keepers: some, in an order that is the same for all proxies.
    public init(_ record: HomeRecord, to keepers: [Int], needsAll: Bool) {
        (self.record, self.needsAll, waiting) = (record, needsAll, keepers)
    }

    /// Who is to be told now; `answered` is called for each.
    public mutating func nextKeepers() -> [Int] {
        guard result == nil else { return [] }
        var next = waiting
        if needsAll, !outcomes.contains(.done) { next = underWay == 0 ? Array(waiting.prefix(1)) : [] }
        waiting.removeFirst(next.count)
        underWay += next.count
        return next
    }

    public mutating func answered(_ outcome: HomeChange.Outcome) {
        guard result == nil else { return }
        underWay -= 1
        let isDecided = outcomes.contains(.done)
        outcomes.append(outcome)
        switch outcome {
        case .done where !needsAll && !outcomes.contains(where: \.isSeen): result = .told
        case .seen where needsAll && !isDecided, .failed where needsAll && !isDecided:
            result = HomeTelling(record, outcomes, needsAll: true)
        default:
            let isOver = underWay == 0 && waiting.isEmpty
            if isOver { result = HomeTelling(record, outcomes, needsAll: needsAll) }
        }
    }
}

extension HomeChange.Outcome {
    fileprivate var isSeen: Bool { if case .seen = self { true } else { false } }
}
