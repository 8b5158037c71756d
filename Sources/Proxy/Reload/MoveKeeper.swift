internal import Logging
internal import MemcacheProtocol
internal import ProxyCore
internal import Reactor

/// What the control thread does about the nodes of a pool with one copy of each key so that proxies move its keys
/// together: it reads and keeps the items on the nodes that `PoolKeeper` does where markers are kept. While nothing moves
/// it objects to what others move of which this proxy was not told.
///
/// A write that was missed where its key is to be is acknowledged only when the other proxies can know of it, and none of
/// them has offered to move reads there: who offers looks behind his offer, on the same nodes, for what he does not know
/// of yet, so that one of the two sees the other.
///
/// Nodes go by their place in the pool.
final class MoveKeeper {
    /// Tokens of its connections have this bit and the node's number.
    static let token: UInt64 = 1 << 42
    /// For so long what the others were told of one missed write is good for further ones.
    private static let missPause: UInt64 = 500_000_000

    unowned let control: Control
    let pool: Int
    /// The pool's first node among all nodes.
    let first: Int
    /// Its nodes among all nodes.
    let numbers: Range<Int>
    let settings: PoolSettings
    private let placed: Pool
    private let names: [String]
    private let polls: NodePolls
    let talk: MoveTalk
    private(set) var readings: MoveReadings
    /// Writes that were missed where their keys are to be.
    private(set) var misses: UInt64 = 0
    private let missTold = SharedWord(goodFor: MoveKeeper.missPause)
    private var isLatecomer = false

    /// - Parameter earlier: that of the settings before.
    init(_ control: Control, pool: Int, after earlier: MoveKeeper?) {
        self.control = control
        self.pool = pool
        let topology = control.topology.pools[pool]
        (first, settings, numbers) = (topology.firstNode, topology.settings, topology.nodes)
        placed = topology
        names = settings.servers.map(\.ringName)
        polls = NodePolls(control, of: topology, token: Self.token)
        talk = MoveTalk(control, settings, over: polls, after: earlier?.talk)
        let quietTime = PoolMarkers.quietTime(poll: settings.poll, timeout: settings.timeout)
        readings = MoveReadings(nodes: names.count, calm: quietTime.addingSaturated(Self.missPause))
        polls.lost = { [unowned self] place, _ in readings.lost(place) }
    }

    var now: UInt64 { control.loop.now }
    /// To each server.
    var links: [MarkerLink] { polls.links }

    /// The pool's settings have changed. This one serves those who still work by the ones before.
    func retire() { talk.isRetired = true }

    // MARK: In each turn of the loop

    func work() {
        if talk.isRetired { polls.finish() } else { polls.work(poll) }
        polls.flush()
    }

    /// When `work` has something to do although nothing is ready.
    var nextTime: UInt64 { talk.isRetired ? polls.deadline : polls.nextTime }

    /// The node is at another address now.
    func moved(_ place: Int) { links[place].fail() }

    // MARK: Polls

    /// The answer to the last question completes the reading.
    private func poll(_ place: Int) {
        talk.withdraw(on: place)
        var reading = MoveReading()
        if settings.moving != nil {
            talk.read(.moved, on: place) { reading.moved = $0 }
            talk.read(.missed, on: place) { reading.missed = $0 }
            links[place].send(MarkerCommand(node: place, item: .objection, .read), names: names) {
                if case .value = $0 { reading.hasObjection = true }
            }
        }
        links[place].send(MarkerCommand(node: place, item: .moving, .read), names: names) { [unowned self] reply in
            guard reply != .failed else { return links[place].fail(.badReply) }
            _ = polls.answered(place)
            if case .value(let text, _) = reply { reading.moving = unsafe MarkerText.token(in: text.span.bytes) }
            readings.read(place, reading, now: now)
            answer(reading, on: place)
        }
    }

    private func answer(_ reading: MoveReading, on place: Int) {
        guard talk.isSpeaking, !talk.isOutdated(on: place) else { return }
        if let (item, places) = reading.answer(of: settings, at: talk.places) { talk.store(item, places, on: place) }
        if reading.moving == talk.places, settings.moving == nil { tellLatecomer() }
    }

    /// Keys still move to where this proxy has written them since its start.
    private func tellLatecomer() {
        guard !isLatecomer, !control.unswept.contains(pool) else { return }
        isLatecomer = true
        control.logger.error(
            "another proxy still reads keys where they were before: what is written here it does not see; wait until it has moved them",
            metadata: ["pool": "\(settings.name)"])
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
        guard !missTold.stands(at: now) else { return answer(true) }
        let silent = placed.server(of: number) - first
        missTold.say(at: now, answer) { talk.declare([.missed], besides: silent, $0) }
    }
}
