internal import ProxyCore
internal import Reactor
internal import Sockets

/// What a proxy says on the nodes of a pool with one copy of each key about those whose keys are elsewhere, and what it
/// hears there of the others.
///
/// Whoever takes a node out says so, and looks then whether another proxy is there (`here`); who is started says that he
/// is there, and looks then whether a node is out. It is the same nodes, so one of the two sees the other.
///
/// Nodes go by their place in the pool.
final class HomeTalk {
    /// Tokens of its connections have this bit and the node's number.
    static let token: UInt64 = 1 << 43
    /// For so long a proxy counts as being there, in seconds.
    private static let presence: UInt64 = 10
    /// Before a lease is asked for again that another has.
    static let leasePause: UInt64 = 500_000_000
    /// What is known is good for so long when nobody else is there to change it: less than `presence`.
    private static let aloneSpan: UInt64 = 8_000_000_000

    private struct Telling {
        let phase: HomePhase
        let mayBeAlone: Bool
        let done: (HomeTelling) -> Void
    }

    private unowned let control: Control
    private let settings: PoolSettings
    let names: [String]
    let polls: NodePolls
    let owner: Token
    private(set) var records: HomeRecords
    /// Nodes that were read altogether since they were connected, and what their change item said then.
    private var hasRead: [Bool]
    private var changes: [Token?]
    private var hasFailed: [Bool]
    /// It answers, and can keep no items.
    private(set) var isUnable: [Bool]
    /// At the start: what the nodes keep.
    private var found: [(record: HomeRecord, place: Int, keeper: Int)]? = []
    private var othersUntil: UInt64 = 0
    /// What is known of the nodes is good until then.
    private(set) var goodUntil: UInt64 = 0
    private var tellings: [Int: [Telling]] = [:]
    var lease: Lease?
    var leaseGoodUntil: UInt64 = 0
    var leaseDue: UInt64 = 0

    /// What the node keeps counts, and it is told.
    var believes: (Int) -> Bool = { _ in true }
    /// Another proxy has said so.
    var heard: (Int, HomeRecord) -> Void = { _, _ in }
    /// The node answers, or no longer.
    var hears: (Int, Bool) -> Void = { _, _ in }

    /// - Parameter earlier: that of the settings before.
    init(_ control: Control, of pool: Pool, after earlier: HomeTalk?) {
        (self.control, settings) = (control, pool.settings)
        names = pool.settings.nodes.map(\.ringName)
        polls = NodePolls(control, of: pool, token: Self.token)
        owner = earlier?.owner ?? Token(using: &control.generator)
        othersUntil = earlier?.othersUntil ?? 0
        records = HomeRecords(nodes: names.count)
        let none = names.map { _ in false }
        (hasRead, hasFailed, isUnable) = (none, none, none)
        changes = names.map { _ in nil }
        polls.lost = { [unowned self] place, _ in lost(place) }
    }

    var links: [MarkerLink] { polls.links }
    var now: UInt64 { control.loop.now }

    private func lost(_ place: Int) {
        (hasRead[place], hasFailed[place]) = (false, true)
        if lease?.node == place { lease = nil }
        hears(place, false)
    }

    func close() { for link in links { link.fail() } }

    // MARK: The start

    var isInformed: Bool { names.indices.allSatisfy { hasRead[$0] || hasFailed[$0] } }

    /// What was found counts from here on.
    func begin() {
        records.begin(with: found ?? [])
        found = nil
    }

    /// Instead of that: what another knew of the nodes.
    func begin(with known: [HomeRecord?]) {
        found = nil
        for (place, record) in known.enumerated() { if let record { _ = records.hear(record, of: place) } }
    }

    // MARK: In each turn of the loop

    func work() {
        polls.work(poll)
        renewLease()
        polls.flush()
    }

    var nextTime: UInt64 { min(polls.nextTime, lease?.renewalTime ?? .max) }

    func send(_ command: MarkerCommand, _ answered: @escaping (MarkerReply) -> Void) {
        links[command.node].send(command, names: names, answered)
    }

    // MARK: Polls

    private func poll(_ place: Int) {
        let began = now
        send(MarkerCommand(node: place, item: .here, .read)) { [unowned self] reply in
            guard links[place].state == .open else { return }
            // One that is new here is not to be overlooked.
            let isNew = !hasRead[place]
            isUnable[place] = reply == .failed
            switch reply {
            case .value(let text, let cas):
                if unsafe MarkerText.token(in: text.span.bytes) != owner { sawOthers() }
                sayHere(on: place, isNew ? .always : .ifSame(cas))
            case .missing: sayHere(on: place, isNew ? .always : .ifMissing)
            default: break
            }
            send(MarkerCommand(node: place, item: .homes, .read)) { [unowned self] reply in
                var change: Token?
                if case .value(let text, _) = reply { change = unsafe MarkerText.token(in: text.span.bytes) }
                readRecords(on: place, change, began)
            }
        }
    }

    private func sayHere(on place: Int, _ condition: MarkerCommand.Condition) {
        let action = MarkerCommand.Action.store(MarkerText.token(owner), condition)
        send(MarkerCommand(node: place, item: .here, action, life: Self.presence)) { [unowned self] reply in
            if reply == .refused { sawOthers() }
            if reply == .failed { isUnable[place] = links[place].state == .open }
        }
    }

    private func sawOthers() { othersUntil = now + Self.presence * 1_000_000_000 }

    var isAccompanied: Bool { now < othersUntil }

    private func readRecords(on place: Int, _ change: Token?, _ began: UInt64) {
        let isNews = !hasRead[place] || changes[place] != change
        let wanted = names.indices.filter {
            $0 != place && (isNews || records.known[$0].map { $0.phase != .clean } ?? false)
        }
        changes[place] = change
        guard !wanted.isEmpty else { return finish(place, began) }
        for other in wanted {
            send(MarkerCommand(node: place, item: .away(of: other), .read)) { [unowned self] reply in
                guard links[place].state == .open else { return }
                switch reply {
                case .value(let text, _): take(unsafe HomeRecord(text: text.span.bytes), of: other, from: place)
                case .missing: take(nil, of: other, from: place)
                default: break
                }
                if other == wanted.last { finish(place, began) }
            }
        }
    }

    private func finish(_ place: Int, _ began: UInt64) {
        guard links[place].state == .open else { return }
        _ = polls.answered(place)
        hasRead[place] = true
        hears(place, true)
        goodUntil = max(goodUntil, began + (isAccompanied ? settings.poll : max(settings.poll, Self.aloneSpan)))
    }

    private func take(_ record: HomeRecord?, of other: Int, from place: Int) {
        if found != nil {
            if let record { found?.append((record, other, place)) }
            return
        }
        // Of what is being said just now the answers tell.
        guard believes(place), tellings[other] == nil else { return }
        if let record, records.hear(record, of: other) { return heard(other, record) }
        guard let answer = records.answer(to: record, of: other) else { return }
        carry(HomeChange(answer, of: other, on: place, from: nil, life: recordLife)) { [unowned self] outcome in
            guard case .seen(let seen) = outcome, tellings[other] == nil, records.hear(seen, of: other) else { return }
            heard(other, seen)
        }
    }

    // MARK: Telling

    /// Seconds in which all have seen what is over.
    private var recordLife: UInt64 { 3 + settings.poll / 500_000_000 }

    /// Says it on every node that is connected.
    ///
    /// - Parameter mayBeAlone: there is nobody who could be told.
    func tell(_ place: Int, _ phase: HomePhase, mayBeAlone: Bool, _ done: @escaping (HomeTelling) -> Void) {
        tellings[place, default: []].append(Telling(phase: phase, mayBeAlone: mayBeAlone, done: done))
        if tellings[place]?.count == 1 { tellNext(of: place) }
    }

    func isTelling(_ place: Int) -> Bool { tellings[place] != nil }

    private func tellNext(of place: Int) {
        guard let telling = tellings[place]?.first else { return tellings[place] = nil }
        let (from, record) = (records.known[place], records.next(telling.phase, of: place, by: owner))
        let keepers = names.indices.filter { $0 != place && believes($0) && links[$0].state == .open }
        guard !keepers.isEmpty else { return conclude(place, record, telling.mayBeAlone ? .unable : .failed) }
        var outcomes: [HomeChange.Outcome] = []
        for keeper in keepers {
            let change = HomeChange(record, of: place, on: keeper, from: .some(from), life: recordLife)
            carry(change) { [unowned self] outcome in
                outcomes.append(outcome)
                guard outcomes.count == keepers.count else { return }
                let result = HomeTelling(record, outcomes)
                guard telling.phase == .held, result == .told else { return conclude(place, record, result) }
                look(keepers) { [unowned self] in conclude(place, record, result) }
            }
        }
        polls.flush()
    }

    /// Whether another proxy is there.
    private func look(_ keepers: [Int], _ done: @escaping () -> Void) {
        var left = keepers.count
        for keeper in keepers {
            send(MarkerCommand(node: keeper, item: .here, .read)) { [unowned self] reply in
                if case .value(let text, _) = reply, unsafe MarkerText.token(in: text.span.bytes) != owner {
                    sawOthers()
                }
                left -= 1
                if left == 0 { done() }
            }
        }
    }

    private func conclude(_ place: Int, _ record: HomeRecord, _ result: HomeTelling) {
        switch result {
        case .told, .unable: _ = records.hear(record, of: place)
        case .refused(let seen): _ = records.hear(seen, of: place)
        case .failed: break
        }
        let telling = tellings[place]?.removeFirst()
        let isMore = tellings[place]?.isEmpty == false
        if !isMore { tellings[place] = nil }
        telling?.done(result)
        if isMore { tellNext(of: place) }
    }

    private func carry(_ change: HomeChange, _ done: @escaping (HomeChange.Outcome) -> Void) {
        var change = change
        guard let command = change.nextCommand() else { return done(change.outcome ?? .failed) }
        send(command) { [unowned self] reply in
            change.received(reply, isOpen: links[change.keeper].state == .open)
            if change.outcome == .done {
                let action = MarkerCommand.Action.store(MarkerText.token(Token(using: &control.generator)), .always)
                send(MarkerCommand(node: change.keeper, item: .homes, action)) { _ in }
            }
            carry(change, done)
        }
    }
}
