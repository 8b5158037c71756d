internal import Bytes

/// How far a node's keys are on their way from it and home again, for all proxies of its pool: see `HomePlan`.
///
/// Of two that were said at once, by proxies that did not tell the same nodes first, the later in this list counts. That
/// a return is called off (`away`) comes before each of its steps but the last (`home`): behind that one it cannot be.
public enum HomePhase: UInt8, CaseIterable, Sendable {
    /// Others decide, and the node is written.
    case joining
    /// The node counts as full as well.
    case proven
    /// It decides, and the others are written.
    case leading
    /// Nobody uses the node, nor yet those that will stand in for it.
    case held
    /// Those do.
    case away
    /// The node alone is used, and the others still hold what stood in.
    case home
    /// Nothing is to be known any more.
    case clean

    fileprivate static let letters: [UInt8] = Array("jplhasc".utf8)

    /// Its keys are in two places.
    public var isReturning: Bool {
        switch self {
        case .joining, .proven, .leading: true
        case .held, .away, .home, .clean: false
        }
    }

    /// What is on the node counts.
    var isAtHome: Bool { self == .home || self == .clean }
}

/// What the other nodes keep about one: how far its keys are. Each change has a higher version than what it was made
/// from, and is stored by compare-and-set over nothing newer.
public struct HomeRecord: Equatable, Comparable, Sendable {
    public var version: UInt64
    public var phase: HomePhase
    /// Who said it: of the same said at once one counts.
    public var owner: Token

    public init(version: UInt64, phase: HomePhase, owner: Token) {
        (self.version, self.phase, self.owner) = (version, phase, owner)
    }

    public static func < (left: HomeRecord, right: HomeRecord) -> Bool {
        (left.version, left.phase.rawValue, left.owner.number) < (
            right.version, right.phase.rawValue, right.owner.number
        )
    }

    public init?(text: RawSpan) {
        guard text.byteCount == 37, text.isEqual(to: "1 ", at: 0), text.byte(at: 18) == ASCII.space,
            text.byte(at: 20) == ASCII.space, let version = MarkerText.number(in: text, at: 2),
            let phase = HomePhase.letters.firstIndex(of: text.byte(at: 19)),
            let owner = MarkerText.number(in: text, at: 21).flatMap(Token.init)
        else { return nil }
        self.init(version: version, phase: HomePhase.allCases[phase], owner: owner)
    }

    public var text: [UInt8] {
        var bytes = MarkerText.text("1 ", version)
        bytes += [ASCII.space, HomePhase.letters[Int(phase.rawValue)]]
        return bytes + MarkerText.text(" ", owner.number)
    }
}

/// What one proxy knows of such records, by the place of the node that each is about.
public struct HomeRecords: Sendable {
    public private(set) var known: [HomeRecord?]

    public init(nodes: Int) { known = Array(repeating: nil, count: nodes) }

    /// False: it is no news.
    public mutating func hear(_ record: HomeRecord, of place: Int) -> Bool {
        if let before = known[place], before >= record { return false }
        known[place] = record
        return true
    }

    /// Another has said it, and this proxy does not know.
    public func isNews(_ record: HomeRecord?, of place: Int, besides owner: Token) -> Bool {
        guard let record, record.owner != owner else { return false }
        return known[place].map { $0 < record } ?? true
    }

    /// What a node that keeps this about the place has to be told.
    public func answer(to record: HomeRecord?, of place: Int) -> HomeRecord? {
        guard let mine = known[place] else { return nil }
        // What is over may be forgotten, but not mistaken.
        guard let record else { return mine.phase == .clean ? nil : mine }
        return record < mine ? mine : nil
    }

    /// - Parameter first: the version where nothing is known. Others may remember what is no longer kept: the time is later
    ///   than that.
    public func next(_ phase: HomePhase, of place: Int, by owner: Token, first: UInt64 = 1) -> HomeRecord {
        HomeRecord(version: known[place].map { $0.version + 1 } ?? first, phase: phase, owner: owner)
    }

    /// At the start: what was found, by the node that it is about and the one that keeps it. One whose keys are elsewhere
    /// holds what was known when it went: others are believed rather than it.
    public mutating func begin(with found: [(record: HomeRecord, place: Int, keeper: Int)]) {
        for (record, place, _) in found { _ = hear(record, of: place) }
        let isAway = known.map { $0.map { !$0.phase.isAtHome } ?? false }
        guard isAway.contains(false) else { return }
        known = known.map { _ in nil }
        for (record, place, keeper) in found where !isAway[keeper] { _ = hear(record, of: place) }
    }
}

/// Tells one node how far another's keys are: told each reply, it says what to send next.
public struct HomeChange: Sendable {
    public enum Outcome: Equatable, Sendable {
        case done
        /// Newer, or as new and said by another.
        case seen(HomeRecord)
        /// The node answers, and cannot keep it.
        case unable
        case failed
    }

    private enum Step { case read, reading, store(MarkerCommand.Condition), storing, undo, undoing }

    static let tryLimit = 16

    public let place: Int
    public let keeper: Int
    public let record: HomeRecord
    /// What it is made from: it takes the place of nothing newer. Nil: of nothing that is as new as itself.
    private let origin: HomeRecord??
    private let life: UInt64
    private var step = Step.read
    private var tries = 0
    public private(set) var outcome: Outcome?

    /// - Parameters:
    ///   - place: whose keys it is about.
    ///   - life: seconds for which it is kept when it says that all is over.
    public init(_ record: HomeRecord, of place: Int, on keeper: Int, from origin: HomeRecord??, life: UInt64) {
        (self.record, self.place, self.keeper, self.origin) = (record, place, keeper, origin)
        self.life = record.phase == .clean ? life : 0
    }

    public mutating func nextCommand() -> MarkerCommand? {
        guard outcome == nil else { return nil }
        switch step {
        case .read:
            step = .reading
            return MarkerCommand(node: keeper, item: .away(of: place), .read)
        case .store(let condition):
            step = .storing
            return MarkerCommand(node: keeper, item: .away(of: place), .store(record.text, condition), life: life)
        case .undo:
            step = .undoing
            return MarkerCommand(node: keeper, item: .away(of: place), .delete)
        case .reading, .storing, .undoing: return nil
        }
    }

    /// - Parameter isOpen: the connection is.
    public mutating func received(_ reply: MarkerReply, isOpen: Bool) {
        switch (step, reply) {
        // Without CAS numbers nobody can tell whether it takes the place of something newer.
        case (.reading, .value(_, cas: 0)): outcome = .unable
        case (.storing, .done(cas: 0)): step = .undo
        case (.reading, .value(let text, let cas)): decide(unsafe HomeRecord(text: text.span.bytes), .ifSame(cas))
        case (.reading, .missing): decide(nil, .ifMissing)
        case (.storing, .done): outcome = .done
        case (.storing, .refused):
            tries += 1
            if tries == Self.tryLimit { outcome = .failed } else { step = .read }
        default: outcome = isOpen ? .unable : .failed
        }
    }

    private mutating func decide(_ existing: HomeRecord?, _ condition: MarkerCommand.Condition) {
        guard let existing else { return step = .store(condition) }
        let isOlder =
            switch origin {
            case nil: existing < record
            case .some(let origin): origin.map { existing <= $0 } ?? false
            }
        if isOlder {
            step = .store(condition)
        } else {
            outcome = existing == record ? .done : .seen(existing)
        }
    }
}
