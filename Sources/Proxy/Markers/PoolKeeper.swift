internal import Logging
internal import MemcacheProtocol
internal import ProxyCore
internal import Reactor

/// What the control thread does about the nodes of one pool with copies: it reads their markers, says which of them may
/// be read, publishes what they missed, and has them filled. Decisions are `PoolMarkers`' and the plans'; here are the
/// connections and the clock.
///
/// Nodes go by their place in the pool.
final class PoolKeeper {
    /// From one poll to the next while it is open whether all nodes were flushed.
    private static let lossPause: UInt64 = 100_000_000

    unowned let control: Control
    let pool: Int
    /// The pool's first node among all nodes.
    let first: Int
    /// Its nodes among all nodes.
    let numbers: Range<Int>
    /// What it is the keeper of.
    let placed: Pool
    let names: [String]
    let settings: PoolSettings
    private let polls: NodePolls
    /// By place: when it last let the time of a request run out, if it has answered nobody since.
    private var silentSince: [UInt64?]
    let talk: MoveTalk
    var links: [MarkerLink] { polls.links }
    var interval: UInt64 { polls.interval }
    var markers: PoolMarkers
    /// Something was read, lost or published, so that other things may follow from the markers.
    var isChanged = false
    var revocations: [RunningRevocation?]
    /// Who waits for the revocation after the one under way.
    var waiting: [WaitingRevocation?]
    /// (node, peer) of those that are published anew.
    var republishing: Set<[Int]> = []
    let owner: Token
    var adoption: Adoption?
    var filling: FillingRun?
    /// Jobs of operators' that are to be fillings of these nodes.
    var wanted: [Int: Job] = [:]
    /// Nodes whose filling an operator has cancelled: they wait until they come back once more, or he says so.
    var heldOff: Set<Int> = []
    var verifying: VerifyRun?
    /// Nil where it is off.
    private(set) var scrub: ScrubRun?
    /// When to look for an adoption or a filling to begin: after something has changed, and not too often.
    var workDue: UInt64 = 0
    var workPause: UInt64 = 0
    /// What the workers were told last that the markers are good for.
    private var trusted: UInt64 = 0

    /// The pool's nodes have changed, and another keeper is there. This one serves those who still work by the nodes
    /// before, and begins nothing.
    var isRetired: Bool { talk.isRetired }

    /// - Parameter earlier: that of the pool's nodes before.
    init(_ control: Control, pool: Int, after earlier: PoolKeeper? = nil) {
        self.control = control
        self.pool = pool
        let topology = control.topology.pools[pool]
        (first, settings, numbers) = (topology.firstNode, topology.settings, topology.nodes)
        placed = topology
        names = settings.servers.map(\.ringName)
        polls = NodePolls(control, of: topology)
        talk = MoveTalk(control, settings, over: polls, after: earlier?.talk)
        let count = names.count
        markers = PoolMarkers(nodes: count, poll: settings.poll, timeout: settings.timeout)
        revocations = Array(repeating: nil, count: count)
        silentSince = Array(repeating: nil, count: count)
        waiting = Array(repeating: nil, count: count)
        owner = Token(using: &control.generator)
        for place in names.indices {
            guard let earlier, let origin = topology.origins[place] else { continue }
            markers.inherit(place, from: origin - earlier.first, of: earlier.markers)
        }
        polls.lost = { [unowned self] in lost($0, $1) }
        if settings.sync.scrub > 0 { scrub = ScrubRun(of: self) }
    }

    /// Until then who has written elsewhere may have said so again, since an objection was last seen.
    var calmAt: UInt64 = 0
    /// It has said that it came while keys move.
    var isLatecomer = false
    /// For those who are started while keys move: until reads have moved.
    private(set) lazy var former = FormerPlaces(of: settings)?.text

    /// Another keeper is there.
    func retire() {
        talk.isRetired = true
        stopWork()
        for job in wanted.values { job.end("the pool's nodes have changed", isDone: false, now: now) }
        wanted = [:]
    }

    /// Nobody waits for it.
    var isAtRest: Bool {
        filling == nil && verifying == nil && revocations.allSatisfy { $0 == nil } && waiting.allSatisfy { $0 == nil }
    }

    var now: UInt64 { control.loop.now }

    // MARK: In each turn of the loop

    func work() {
        polls.work(poll)
        if now >= markers.patienceEnds, markers.endPatience(now: now) { isChanged = true }
        if isChanged {
            isChanged = false
            workDue = min(workDue, workPause)
            restore()
            republish()
            control.publish()
            trust()
        }
        verifying?.work()
        scrub?.work()
        startWork()
        polls.flush()
    }

    /// When `work` has something to do although nothing is ready.
    var nextTime: UInt64 {
        min(workTime, scrub?.nextTime ?? .max, markers.patienceEnds, polls.nextTime)
    }

    // MARK: Polls

    /// What has come of one poll.
    private final class Poll {
        var reading: MarkerReading

        init(count: Int) {
            reading = MarkerReading(ready: nil, filling: nil, standings: Array(repeating: nil, count: count), cas: 0)
        }
    }

    /// Asks for all markers on the node; the answer to the last question completes the reading.
    private func poll(_ place: Int) {
        let asked = now
        talk.withdraw(on: place)
        let poll = Poll(count: names.count)
        read(.ready, on: place) { poll.reading.ready = unsafe MarkerText.token(in: $0.span.bytes) }
        read(.moving, on: place) { poll.reading.moving = unsafe MarkerText.token(in: $0.span.bytes) }
        read(.moved, on: place) { poll.reading.moved = unsafe MarkerText.token(in: $0.span.bytes) }
        read(.former, on: place) { poll.reading.former = $0 }
        read(.objection, on: place) { _ in poll.reading.hasObjection = true }
        read(.filling, on: place) { poll.reading.filling = unsafe Filling(text: $0.span.bytes) }
        for other in names.indices where other != place {
            read(.standing(of: other), on: place) {
                poll.reading.standings[other] = unsafe Standing(text: $0.span.bytes)
            }
        }
        links[place].ask(MarkerItem.tickCommand, .metaArithmetic) { [unowned self] answer in
            guard let answer else { return }
            poll.reading.cas = unsafe MarkerItem.tickCAS(answer.code, line: answer.line.span.bytes)
            took(poll.reading, from: place, asked: asked)
        }
    }

    private func read(_ item: MarkerItem, on place: Int, _ found: @escaping ([UInt8]) -> Void) {
        links[place].send(MarkerCommand(node: place, item: item, .read), names: names) { [unowned self] reply in
            switch reply {
            case .value(let text, _): found(text)
            case .missing: break
            // Nothing can be concluded from a node that does not say what it has.
            default: links[place].fail(.badReply)
            }
        }
    }

    private func took(_ reading: MarkerReading, from place: Int, asked: UInt64) {
        if polls.answered(place), !isRetired { control.apply(.succeeded, to: first + place, because: "markers") }
        heard(place, at: asked)
        markers.read(place, reading, asked: asked, now: now)
        isChanged = true
        announce(on: place, reading)
    }

    /// A worker has lost a connection to the node: it wants a proof that is later than that.
    func doubt(_ place: Int) { polls.hurry(place, to: now) }

    func doubtAll() { for place in names.indices { doubt(place) } }

    /// It gave a worker no answer in time. Others need not find that out for themselves, each in a time of its own.
    func isSilent(_ place: Int, since time: UInt64) {
        silentSince[place] = max(time, silentSince[place] ?? 0)
        isChanged = true
    }

    /// It has answered what was asked then.
    func heard(_ place: Int, at time: UInt64) {
        guard let since = silentSince[place], time > since else { return }
        silentSince[place] = nil
        isChanged = true
    }

    private func lost(_ place: Int, _ loss: MarkerLink.Loss) {
        if loss != .unwanted {
            control.logger.debug(
                "markers of node cannot be read",
                metadata: control.describe(first + place, ["cause": "\(loss.rawValue)"]))
        }
        if loss.isSilence { silentSince[place] = now }
        // When it answers again it is written at once.
        if silentSince[place] != nil { polls.hurry(place, to: now) }
        markers.lost(place, mayBeNew: loss.isEnd)
        disturbed(place)
        isChanged = true
        if !isRetired { control.apply(.failed, to: first + place, because: "markers") }
    }

    /// The verdict on the node has changed.
    func judged(_ place: Int, isUp: Bool) {
        heldOff.remove(place)
        if isUp {
            polls.reconnect(place)
            silentSince[place] = nil
        } else {
            links[place].fail()
            markers.lost(place, mayBeNew: true)
        }
        isChanged = true
    }

    /// A client has flushed all nodes.
    func flushed() {
        markers.flushed(now: now)
        doubtAll()
    }

    /// Puts back what a flush has taken.
    private func restore() {
        for command in markers.restoration(now: now) {
            links[command.node].send(command, names: names) { [unowned self] reply in
                switch reply {
                case .done, .refused: break
                // It keeps none.
                default: links[command.node].fail(.badReply)
                }
            }
        }
        guard markers.hasLosses else { return }
        for place in names.indices { polls.hurry(place, to: now + Self.lossPause) }
    }

    // MARK: What workers are told

    /// All nodes have answered, or failed, once.
    var isInformed: Bool { markers.isInformed }

    /// And there is nothing to be adopted, and nothing of that to be read.
    var isSettled: Bool { isAcquainted && !polls.areUnderWay }

    /// What the nodes' markers say is known, and they have some.
    var isAcquainted: Bool { isInformed && adoption == nil && markers.adoptable(now: now).isEmpty }

    /// A node that says nothing is given up for now.
    func giveUpUnknown() {
        for place in links.indices where !markers.isKnown(place) {
            links[place].fail()
            markers.lost(place, mayBeNew: false)
        }
        isChanged = true
    }

    /// The node is at another address now.
    func moved(_ place: Int) {
        links[place].fail()
        markers.lost(place, mayBeNew: true)
        isChanged = true
    }

    /// The place, by which markers go, of the node with this number: its server's.
    func place(of number: Int) -> Int { placed.server(of: number) - first }

    func isFull(_ place: Int) -> Bool { place < names.count && markers.access(place, now: now) == .full }

    var fullNodes: [Bool] { names.indices.map { markers.access($0, now: now) == .full } }

    /// - Parameter number: among all nodes. A target is being filled, whatever its server is; see `MovingKeys`.
    func verdict(onNumber number: Int, isUp: Bool) -> NodeVerdict {
        var verdict = verdict(on: place(of: number), isUp: isUp)
        guard number >= placed.servers.upperBound else { return verdict }
        if verdict.access == .full { verdict.access = .syncing }
        (verdict.provenAt, verdict.token, verdict.lastWhole) = (0, 0, 0)
        (verdict.hasContents, verdict.isUnheard) = (false, false)
        return verdict
    }

    func verdict(on place: Int, isUp: Bool) -> NodeVerdict {
        guard isUp else { return NodeVerdict(.none, isCovered: markers.isCovered(place, now: now)) }
        let isFull = markers.access(place, now: now) == .full
        var verdict = NodeVerdict(
            isFull ? .full : .syncing, provenAt: isFull ? markers.provenAt(place) : 0,
            isCovered: markers.isCovered(place, now: now), token: isFull ? markers.token(of: place)?.number ?? 0 : 0)
        verdict.hasContents = isFull || markers.hasContents(place)
        verdict.lastWhole = isFull ? 0 : markers.lastWhole(place)
        verdict.isUnheard = !isFull && markers.isUnheard(place)
        verdict.isSilent = !isFull && !verdict.isUnheard && silentSince[place] != nil
        return verdict
    }

    /// Until when what was read is good.
    private func trust() {
        let time = markers.goodUntil
        guard time != trusted, control.keeperInCharge(ofPool: pool) === self else { return }
        trusted = time
        for worker in control.workers { worker.send(.trusted(pool: pool, until: time)) }
    }
}
