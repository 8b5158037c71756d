internal import Logging
internal import MemcacheProtocol
internal import ProxyCore
internal import Reactor
internal import Sockets

/// What a proxy says on the nodes of a pool with one copy of each key about those whose keys are elsewhere, and what it
/// hears there of the others. While all keys are at home it says nothing.
///
/// Nodes go by their place in the pool.
final class HomeTalk {
    /// Tokens of its connections have this bit and the node's number.
    static let token: UInt64 = 1 << 43
    /// Before a lease is asked for again that another has.
    static let leasePause: UInt64 = 500_000_000
    /// For so long other proxies are told that all is over, in seconds: one that did not reach the nodes meanwhile would
    /// bring back what it knew before.
    private static let overLife: UInt64 = 86400

    private struct Telling {
        let phase: HomePhase
        let mayBeAlone: Bool
        let done: (HomeTelling) -> Void
    }

    unowned let control: Control
    /// The pool's first node among all nodes.
    private let first: Int
    private let settings: PoolSettings
    let names: [String]
    /// Places by their names, which is the same for all proxies: who is told first, and has the lease.
    let order: [Int]
    let polls: NodePolls
    let owner: Token
    private(set) var records: HomeRecords
    /// When a node was last read altogether, since it was connected, and what its change item said then.
    private var readAt: [UInt64?]
    private var changes: [Token?]
    /// When all that it said was last heard; and whether something was not, of what is being read.
    private var heardAt: [UInt64?]
    private var isPartial: [Bool]
    private var hasFailed: [Bool]
    /// Its items have no CAS numbers.
    private var lacksCAS: [Bool]
    /// At the start: what the nodes keep.
    private var found: [(record: HomeRecord, place: Int, keeper: Int)]? = []
    /// Another proxy has been heard of.
    private var hasCompany: Bool
    /// Another has taken its place, or will in this turn.
    var isRetired = false
    /// What was read is good until then.
    private(set) var readUntil: UInt64
    private var tellings: [Int: [Telling]] = [:]
    var lease: Lease?
    /// While it is asked for elsewhere.
    var formerLease: Lease?
    var leaseGoodUntil: UInt64 = 0
    var leaseDue: UInt64 = 0

    /// What the node keeps counts, and it is told.
    var believes: (Int) -> Bool = { _ in true }
    /// When what is known was true, of when each node was heard.
    var readTime: ([UInt64?]) -> UInt64? = { _ in nil }
    /// Where the lease belongs; nil as long as that is not known.
    var leasePlace: () -> Int? = { nil }
    /// Another proxy has said so.
    var heard: (Int, HomeRecord) -> Void = { _, _ in }
    /// The node answers, or no longer.
    var hears: (Int, Bool) -> Void = { _, _ in }

    /// - Parameter earlier: that of the settings before.
    init(_ control: Control, of pool: Pool, after earlier: HomeTalk?) {
        (self.control, first, settings) = (control, pool.firstNode, pool.settings)
        let names = pool.settings.nodes.map(\.ringName)
        self.names = names
        order = names.indices.sorted { names[$0] < names[$1] }
        polls = NodePolls(control, of: pool, token: Self.token)
        owner = earlier?.owner ?? Token(using: &control.generator)
        (hasCompany, readUntil) = (earlier?.hasCompany ?? false, earlier?.readUntil ?? 0)
        records = HomeRecords(nodes: names.count)
        let none = names.map { _ in false }
        readAt = names.map { _ in nil }
        changes = names.map { _ in nil }
        heardAt = names.map { _ in nil }
        (hasFailed, lacksCAS, isPartial) = (none, none, none)
        polls.lost = { [unowned self] in lost($0, $1) }
    }

    var links: [MarkerLink] { polls.links }
    var now: UInt64 { control.loop.now }

    private func lost(_ place: Int, _ loss: MarkerLink.Loss) {
        (readAt[place], hasFailed[place], lacksCAS[place]) = (nil, true, false)
        if lease?.node == place { lease = nil }
        polls.hurry(place, to: now)
        hears(place, false)
        // As long as it is neither read nor out, too little may be known for workers to ask anything: they do not find out.
        // But who reads no other node has lost its network.
        let isReading = names.indices.contains { $0 != place && hasRead($0) && believes($0) }
        guard isAccompanied, loss != .unwanted, isReading, !isRetired else { return }
        control.apply(.failed, to: first + place, because: "items")
    }

    func close() { for link in links { link.fail() } }

    func hasRead(_ place: Int) -> Bool { links[place].state == .open && readAt[place] != nil }

    // MARK: What nodes can do

    private func isTooOld(_ place: Int) -> Bool {
        links[place].version != .unknown && links[place].version.lacksMetaSet
    }

    /// It cannot keep what others have to know.
    func isUnable(_ place: Int) -> Bool { isTooOld(place) || lacksCAS[place] }

    func send(_ command: MarkerCommand, _ answered: @escaping (MarkerReply) -> Void) {
        let place = command.node
        links[place].send(command, names: names) { [unowned self] reply in
            switch (command.action, reply) {
            case (.read, .value(_, cas: 0)), (.store, .done(cas: 0)): lacksCAS[place] = true
            default: break
            }
            answered(reply)
        }
    }

    // MARK: The start

    var isInformed: Bool {
        names.indices.allSatisfy { readAt[$0] != nil || hasFailed[$0] || control.addresses[first + $0] == nil }
    }

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

    // MARK: Other proxies

    /// Others use the nodes: they are given time to hear of each step.
    var isAccompanied: Bool { settings.proxies == .several || hasCompany }

    /// Whose config says nothing of others goes on with what it knows: what it has heard of may have ended.
    var goodUntil: UInt64 { settings.proxies == .several ? readUntil : .max }

    /// - Parameter isOld: it may have stood there since before this proxy's start.
    /// - Returns: it is news.
    private func hear(_ record: HomeRecord, of place: Int, isOld: Bool = false) -> Bool {
        guard records.hear(record, of: place) else { return false }
        if record.owner != owner, !isOld, !isAccompanied {
            hasCompany = true
            control.logger.warning(
                "another proxy uses the pool's nodes: write proxies: several in the config of each",
                metadata: ["pool": "\(settings.name)"])
        }
        return true
    }

    // MARK: In each turn of the loop

    func work() {
        polls.work(poll)
        renewLease()
        moveLease()
        polls.flush()
    }

    var nextTime: UInt64 { min(polls.nextTime, lease?.renewalTime ?? .max) }

    // MARK: Polls

    private func poll(_ place: Int) {
        let began = now
        guard !isTooOld(place) else { return finish(place, began) }
        let others = names.indices.filter { $0 != place }
        // What its change item has said may have expired since.
        let isUnread = isPartial[place] || readAt[place].map { began - $0 > changeLife * 500_000_000 } ?? true
        isPartial[place] = false
        let wanted = others.filter { isUnread || records.known[$0].map { $0.phase != .clean } ?? false }
        var isNews = false
        func goOn() {
            read(isNews ? others.filter { !wanted.contains($0) } : [], on: place) { [unowned self] in
                finish(place, began)
            }
        }
        send(MarkerCommand(node: place, item: .homes, .read)) { [unowned self] reply in
            guard reply != .failed else { return links[place].fail(.badReply) }
            var change: Token?
            if case .value(let text, _) = reply { change = unsafe MarkerText.token(in: text.span.bytes) }
            isNews = changes[place] != change
            changes[place] = change
            if wanted.isEmpty { goOn() }
        }
        if !wanted.isEmpty { read(wanted, on: place) { goOn() } }
    }

    private func read(_ others: [Int], on place: Int, _ done: @escaping () -> Void) {
        guard links[place].state == .open, let last = others.last else { return done() }
        for other in others {
            send(MarkerCommand(node: place, item: .away(of: other), .read)) { [unowned self] reply in
                guard links[place].state == .open else { return }
                switch reply {
                case .value(_, cas: 0): break
                case .value(let text, _): take(unsafe HomeRecord(text: text.span.bytes), of: other, from: place)
                case .missing: take(nil, of: other, from: place)
                default: return links[place].fail(.badReply)
                }
                if other == last { done() }
            }
        }
    }

    private func finish(_ place: Int, _ began: UInt64) {
        guard links[place].state == .open else { return }
        let hadFailed = polls.answered(place)
        readAt[place] = began
        hears(place, true)
        if !isPartial[place] { heardAt[place] = began }
        renewTrust()
        if hadFailed, isAccompanied { control.apply(.succeeded, to: first + place, because: "items") }
    }

    /// A node was read, or is out and need not be.
    func renewTrust() { if let time = readTime(heardAt) { readUntil = max(readUntil, time + settings.poll) } }

    private func take(_ record: HomeRecord?, of other: Int, from place: Int) {
        if found != nil {
            if let record { found?.append((record, other, place)) }
            return
        }
        guard believes(place) else { return }
        // Of what is being said just now the answers tell.
        if tellings[other] != nil {
            if records.isNews(record, of: other, besides: owner) { isPartial[place] = true }
            return
        }
        if let record, hear(record, of: other, isOld: readAt[place] == nil) { return heard(other, record) }
        if let answer = records.answer(to: record, of: other) { mention(answer, of: other, on: place, from: nil) }
    }

    /// Nobody waits for what comes of it.
    private func mention(_ record: HomeRecord, of place: Int, on keeper: Int, from origin: HomeRecord??) {
        carry(HomeChange(record, of: place, on: keeper, from: origin, life: recordLife)) { [unowned self] outcome in
            guard case .seen(let seen) = outcome, tellings[place] == nil, hear(seen, of: place) else { return }
            heard(place, seen)
        }
    }

    // MARK: Telling

    /// Seconds in which all who reach the nodes have looked several times.
    private var changeLife: UInt64 { 3 + settings.poll / 500_000_000 }

    /// Seconds for which a record is kept that says that all is over.
    private var recordLife: UInt64 { isAccompanied ? Self.overLife : changeLife }

    /// Says it on the nodes whose keys are at home: see `HomeNews`.
    ///
    /// - Parameter mayBeAlone: there is nobody who could be told.
    func tell(_ place: Int, _ phase: HomePhase, mayBeAlone: Bool, _ done: @escaping (HomeTelling) -> Void) {
        guard isAccompanied else { return note(place, phase, done) }
        tellings[place, default: []].append(Telling(phase: phase, mayBeAlone: mayBeAlone, done: done))
        if tellings[place]?.count == 1 { tellNext(of: place) }
    }

    func isTelling(_ place: Int) -> Bool { tellings[place] != nil }

    /// Who is alone waits for nobody: it is kept for one that is started later. Nodes that miss it are told when they are
    /// read.
    private func note(_ place: Int, _ phase: HomePhase, _ done: (HomeTelling) -> Void) {
        let (from, record) = (records.known[place], nextRecord(phase, of: place))
        _ = records.hear(record, of: place)
        for keeper in possibleKeepers(of: place) where !isUnable(keeper) && links[keeper].state == .open {
            mention(record, of: place, on: keeper, from: .some(from))
        }
        polls.flush()
        done(.told)
    }

    private func nextRecord(_ phase: HomePhase, of place: Int) -> HomeRecord {
        records.next(phase, of: place, by: owner, first: Self.unixMilliseconds)
    }

    private func possibleKeepers(of place: Int) -> [Int] {
        order.filter { $0 != place && believes($0) && control.isUp(first + $0) }
    }

    private func tellNext(of place: Int) {
        guard let telling = tellings[place]?.first else { return tellings[place] = nil }
        let (from, record) = (records.known[place], nextRecord(telling.phase, of: place))
        let others = possibleKeepers(of: place)
        let able = others.filter { !isUnable($0) }
        if able.isEmpty, telling.mayBeAlone || !others.isEmpty { return conclude(place, record, .unable) }
        let keepers = able.filter { links[$0].state == .open }
        // Whoever reads only one that has not heard of it would not know.
        if keepers.isEmpty || keepers.count < able.count { return conclude(place, record, .unsaid) }
        var news = HomeNews(record, to: keepers)
        func goOn() {
            for keeper in news.nextKeepers() {
                carry(HomeChange(record, of: place, on: keeper, from: .some(from), life: recordLife)) {
                    [unowned self] outcome in
                    guard news.result == nil else { return }
                    news.answered(outcome)
                    if let result = news.result { conclude(place, record, result) } else { goOn() }
                }
            }
        }
        goOn()
        polls.flush()
    }

    private func conclude(_ place: Int, _ record: HomeRecord, _ result: HomeTelling) {
        switch result {
        case .told, .unable: _ = records.hear(record, of: place)
        case .refused(let seen): _ = hear(seen, of: place)
        case .failed, .unsaid: break
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
        // By now it has told its version.
        if case .store = command.action, isUnable(change.keeper) { return done(.unable) }
        send(command) { [unowned self] reply in
            change.received(reply, isOpen: links[change.keeper].state == .open)
            if change.outcome == .done { announce(on: change.keeper, done) } else { carry(change, done) }
        }
    }

    /// Who has read the records before looks at them again only if this has changed.
    private func announce(on keeper: Int, _ done: @escaping (HomeChange.Outcome) -> Void) {
        let action = MarkerCommand.Action.store(MarkerText.token(Token(using: &control.generator)), .always)
        send(MarkerCommand(node: keeper, item: .homes, action, life: changeLife)) { reply in
            if case .done = reply { done(.done) } else { done(.failed) }
        }
    }
}
