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

    init(_ record: HomeRecord, _ outcomes: [HomeChange.Outcome]) {
        var newest: HomeRecord?
        for case .seen(let seen) in outcomes { newest = max(newest ?? seen, seen) }
        let isKept = outcomes.contains(.done)
        if let newest, !isKept || newest > record {
            self = .refused(newest)
        } else if isKept, !outcomes.contains(.failed) {
            self = .told
        } else {
            self = outcomes.contains(.unable) && !outcomes.contains(.failed) ? .unable : .failed
        }
    }
}

/// Tells all nodes that keep it how far a node's keys are.
///
/// The first of the nodes decides what counts of two things that are said at once: the others are told what it has taken,
/// so that nobody hears of what comes to nothing. And all have to take it: whoever reads any of them hears of it.
public struct HomeNews: Sendable {
    private let record: HomeRecord
    private var waiting: [Int]
    private var underWay = 0
    private var outcomes: [HomeChange.Outcome] = []
    public private(set) var result: HomeTelling?

    /// - Parameter keepers: some, in an order that is the same for all proxies.
    public init(_ record: HomeRecord, to keepers: [Int]) {
        (self.record, waiting) = (record, keepers)
    }

    /// Who is to be told now; `answered` is called for each.
    public mutating func nextKeepers() -> [Int] {
        guard result == nil else { return [] }
        var next = waiting
        if !outcomes.contains(.done) { next = underWay == 0 ? Array(waiting.prefix(1)) : [] }
        waiting.removeFirst(next.count)
        underWay += next.count
        return next
    }

    public mutating func answered(_ outcome: HomeChange.Outcome) {
        guard result == nil else { return }
        underWay -= 1
        let isDecided = outcomes.contains(.done)
        outcomes.append(outcome)
        let isRefused =
            switch outcome {
            case .seen, .failed: !isDecided
            case .done, .unable: false
            }
        if isRefused || underWay == 0 && waiting.isEmpty { result = HomeTelling(record, outcomes) }
    }
}
