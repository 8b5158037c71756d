internal import Logging
internal import MemcacheProtocol
internal import ProxyCore
internal import Reactor

/// What the control thread does about the nodes of a pool with one copy of each key so that proxies move its keys
/// together: it reads and keeps the items on the nodes that `PoolKeeper` does where markers are kept. While nothing moves
/// it objects to what others move of which this proxy was not told.
///
/// A write that was missed where its key is to be is acknowledged only when the other proxies have been told, by an
/// objection, and none of them has offered to move reads there: who offers looks for objections behind his offer, on the
/// same nodes, so that one of the two sees the other.
///
/// Nodes go by their place in the pool.
final class MoveKeeper {
    private struct Polling {
        var due: UInt64 = 0
        var isUnderWay = false
        var reconnectAt: UInt64 = 0
    }

    /// Tokens of its connections have this bit and the node's number.
    static let token: UInt64 = 1 << 42
    /// For so long an objection is good for further writes; it lives longer.
    private static let objectionPause: UInt64 = 2_000_000_000

    unowned let control: Control
    private let pool: Int
    /// The pool's first node among all nodes.
    let first: Int
    /// Its nodes among all nodes.
    let numbers: Range<Int>
    let settings: PoolSettings
    private let placed: Pool
    private let names: [String]
    private let interval: UInt64
    private var polling: [Polling]
    /// To each server.
    private(set) var links: [MarkerLink] = []
    private(set) var readings: MoveReadings
    /// Writes that were missed where their keys are to be.
    private(set) var misses: UInt64 = 0
    private var objectedAt: UInt64?
    /// Who waits for the objection under way.
    private var objecting: [(Bool) -> Void] = []
    private var isLatecomer = false
    /// The pool's settings have changed. This one serves those who still work by the ones before.
    private var isRetired = false

    init(_ control: Control, pool: Int) {
        self.control = control
        self.pool = pool
        let topology = control.topology.pools[pool]
        (first, settings, numbers) = (topology.firstNode, topology.settings, topology.nodes)
        placed = topology
        names = settings.servers.map(\.ringName)
        interval = max(settings.poll / 2, 1)
        polling = Array(repeating: Polling(), count: names.count)
        readings = MoveReadings(nodes: names.count)
        for place in names.indices {
            links.append(
                MarkerLink(
                    node: first + place, on: control.loop, timeout: settings.timeout,
                    connectTimeout: settings.connectTimeout, token: Self.token | UInt64(first + place),
                    lost: { [unowned self] _ in lost(place) }))
        }
    }

    private var now: UInt64 { control.loop.now }

    func retire() { isRetired = true }

    // MARK: In each turn of the loop

    func work() {
        for place in links.indices {
            links[place].expire(now: now)
            if !isRetired { attend(place) }
            links[place].flush()
        }
    }

    private func attend(_ place: Int) {
        if links[place].state == .closed, now >= polling[place].reconnectAt, control.isUp(first + place),
            let address = control.addresses[first + place]
        {
            links[place].connect(to: address)
        }
        if links[place].state == .open, !polling[place].isUnderWay, now >= polling[place].due { poll(place) }
    }

    /// When `work` has something to do although nothing is ready.
    var nextTime: UInt64 {
        var next = UInt64.max
        for place in links.indices {
            next = min(next, links[place].deadline)
            guard !isRetired else { continue }
            switch links[place].state {
            case .closed:
                if control.isUp(first + place), control.addresses[first + place] != nil {
                    next = min(next, polling[place].reconnectAt)
                }
            case .connecting: break
            case .open: if !polling[place].isUnderWay { next = min(next, polling[place].due) }
            }
        }
        return next
    }

    private func lost(_ place: Int) {
        polling[place].isUnderWay = false
        polling[place].reconnectAt = now + interval
        readings.lost(place)
    }

    /// The node is at another address now.
    func moved(_ place: Int) { links[place].fail() }

    // MARK: Polls

    /// The answer to the last question completes the reading.
    private func poll(_ place: Int) {
        (polling[place].isUnderWay, polling[place].due) = (true, now + interval)
        var reading = MoveReading()
        if settings.moving != nil {
            read(.moved, on: place) { reading.moved = $0 }
            links[place].send(MarkerCommand(node: place, item: .objection, .read), names: names) {
                if case .value = $0 { reading.hasObjection = true }
            }
        }
        links[place].send(MarkerCommand(node: place, item: .moving, .read), names: names) { [unowned self] reply in
            polling[place].isUnderWay = false
            if reply == .failed { return }
            if case .value(let text, _) = reply { reading.moving = unsafe MarkerText.token(in: text.span.bytes) }
            readings.read(place, reading)
            answer(reading, on: place)
        }
    }

    private func read(_ item: MarkerItem, on place: Int, _ found: @escaping (Token?) -> Void) {
        links[place].send(MarkerCommand(node: place, item: item, .read), names: names) { reply in
            guard case .value(let text, _) = reply else { return found(nil) }
            found(unsafe MarkerText.token(in: text.span.bytes))
        }
    }

    private func answer(_ reading: MoveReading, on place: Int) {
        guard !isRetired, control.change == nil, !control.isDraining else { return }
        if let (item, places) = reading.answer(of: settings) { store(item, places, on: place) }
        if reading.moving == settings.placesToken, settings.moving == nil { tellLatecomer() }
    }

    private func store(
        _ item: MarkerItem, _ places: Token, on place: Int, _ done: @escaping (MarkerReply) -> Void = { _ in }
    ) {
        let text = MarkerText.token(places)
        links[place].send(
            MarkerCommand(node: place, item: item, .store(text, .always), life: settings.moveItemLife), names: names,
            done
        )
    }

    /// Keys still move to where this proxy has written them since its start.
    private func tellLatecomer() {
        guard !isLatecomer, !control.unswept.contains(pool) else { return }
        isLatecomer = true
        control.logger.error(
            "another proxy still reads keys where they were before: what is written here it does not see; wait until it has moved them",
            metadata: ["pool": "\(settings.name)"])
    }

    // MARK: Offers and objections

    /// What has come of asking all nodes at once.
    private final class Round {
        var left = 0
        var stored = 0
        var isContested = false
    }

    /// - Parameters:
    ///   - silent: a server that is not waited for.
    ///   - done: told whether some node keeps it, and no proxy has moved or offers to.
    func object(besides silent: Int? = nil, _ done: @escaping (Bool) -> Void) {
        objecting.append(done)
        guard objecting.count == 1 else { return }
        let began = now
        let places = settings.placesToken
        ask(
            besides: silent,
            { [unowned self] place, round, answered in
                store(.objection, places, on: place) { if case .done = $0 { round.stored += 1 } }
                read(.offer, on: place) { if $0 == places { round.isContested = true } }
                read(.moved, on: place) {
                    if $0 == places { round.isContested = true }
                    answered()
                }
            }
        ) { [unowned self] round in
            let isKept = round.stored > 0 && !round.isContested
            objectedAt = isKept ? began : nil
            let waiting = objecting
            objecting = []
            for done in waiting { done(isKept) }
        }
    }

    /// One has stood lately, and others may still find it.
    var hasObjected: Bool {
        objectedAt.map { now < $0.addingSaturated((settings.moveItemLife + 1) * 1_000_000_000) } ?? false
    }

    /// An objection of this proxy stands: nobody moves reads.
    var isObjecting: Bool { objectedAt.map { now < $0.addingSaturated(Self.objectionPause) } ?? false }

    /// This proxy is to read keys where they are to be.
    ///
    /// - Parameter done: told whether all nodes have heard that, and none an objection.
    func offer(_ done: @escaping (Bool) -> Void) {
        let places = settings.placesToken
        ask({ [unowned self] place, round, answered in
            store(.offer, places, on: place) { if case .done = $0 { round.stored += 1 } }
            links[place].send(MarkerCommand(node: place, item: .objection, .read), names: names) {
                if $0 != .missing { round.isContested = true }
                answered()
            }
        }) { [unowned self] round in done(round.stored == links.count && !round.isContested) }
    }

    /// Asks every node that is connected.
    private func ask(
        besides silent: Int? = nil, _ question: (Int, Round, @escaping () -> Void) -> Void,
        _ done: @escaping (Round) -> Void
    ) {
        let round = Round()
        let open = links.indices.filter { links[$0].state == .open && $0 != silent }
        guard !open.isEmpty else { return done(round) }
        round.left = open.count
        for place in open {
            question(place, round) {
                round.left -= 1
                if round.left == 0 { done(round) }
            }
        }
        for place in open { links[place].flush() }
    }

    // MARK: What workers do

    /// Keys are read there.
    func leads(_ place: Int) -> Bool { place < settings.moving?.freshServers.lowerBound ?? names.count }

    func verdict(onNumber number: Int, isUp: Bool) -> NodeVerdict {
        let isLeading = leads(number - first)
        var verdict = NodeVerdict(!isUp ? .none : isLeading ? .full : .syncing)
        (verdict.follows, verdict.hasContents) = (!isLeading, isLeading)
        // Where reads have moved, nobody reads for long what is missed here.
        verdict.isCovered = isLeading || settings.moving?.hasMoved == true
        return verdict
    }

    /// A write was missed, or may have been done by one node alone.
    ///
    /// - Parameters:
    ///   - number: the node's that missed it, among all nodes.
    ///   - answer: told whether it may be acknowledged.
    func missedWrite(_ number: Int, _ answer: @escaping (Bool) -> Void) {
        guard let moving = settings.moving, !moving.hasMoved else { return answer(true) }
        misses &+= 1
        if isObjecting { answer(true) } else { object(besides: placed.server(of: number) - first, answer) }
    }
}
