@testable import ProxyCore

/// Where a proxy reads and writes keys: by which list of nodes, and by which other one it writes them, too.
struct KeyWays: Equatable {
    var reads: Int
    var writes: Int?
    /// They are read where they are to be.
    var hasMoved = false

    /// Where they are to be in the end.
    var goal: Int { hasMoved ? reads : writes ?? reads }
    /// What stands for that.
    var token: Token { Token(UInt64(2000 + goal))! }

    /// What another config makes of them.
    func next(towards list: Int) -> KeyWays {
        if list == goal { return self }
        if list == reads { return KeyWays(reads: reads) }
        return KeyWays(reads: reads, writes: list)
    }

    /// Who goes by these writes what is read by others.
    func covers(_ others: KeyWays) -> Bool { others.reads == reads || others.reads == writes }

    var handedOver: KeyWays { KeyWays(reads: writes ?? reads, writes: reads, hasMoved: true) }
    var settled: KeyWays { KeyWays(reads: goal) }

    /// What its proxy leaves on the nodes for those that are started later: the list is the first node's weight.
    var former: [UInt8]? {
        guard writes != nil, !hasMoved else { return nil }
        return MarkerText.token(token) + Array(" ketama 2 2\n\(reads + 1) 1 h a \n1 1 h b \n".utf8)
    }

    init(reads: Int, writes: Int? = nil, hasMoved: Bool = false) {
        (self.reads, self.writes, self.hasMoved) = (reads, writes, hasMoved)
    }

    init(from former: FormerPlaces, to list: Int) {
        self.init(reads: former.places.nodes[0].weight - 1, writes: list)
    }
}

/// A proxy serves when it knows where keys are.
enum StartPhase: Equatable {
    case learning
    /// It has said where it reads them, and looks once more where others do.
    case announcing(since: UInt64)
    /// Others move keys elsewhere, and hear first that it does not.
    case objecting(until: UInt64)
    case serving
}

extension Simulation {
    /// Two nodes, by each list others: of three nodes one stays, of four none.
    func copies(of key: Int, in list: Int) -> [Int] {
        let first = key + list * (nodes.count - 2)
        return [first % nodes.count, (first + 1) % nodes.count]
    }

    /// By each list by which some proxy reads.
    func readCopies(of key: Int) -> [[Int]] {
        Set(proxies.filter(\.isAlive).map(\.ways.reads) + told).sorted().map { copies(of: key, in: $0) }
    }

    /// Where somebody reads or writes it.
    func everyCopy(of key: Int) -> Set<Int> {
        let others = proxies.filter(\.isAlive).compactMap(\.ways.writes).flatMap { copies(of: key, in: $0) }
        return Set(readCopies(of: key).flatMap(\.self) + others)
    }

    /// By which list a proxy may be started in the place of one that has died: by that of its config, if the others read
    /// by it, or say where keys are that go there. Else who starts it has to give it that by which the others go, and
    /// tell it then; or to wait. Nil: not now.
    func listAtStart(of index: Int) -> Int? {
        let others = proxies.filter { $0.isAlive && $0.index != index }
        let choices = [told[index]] + others.flatMap { [$0.ways.goal, $0.ways.reads] }
        return choices.first { mayStart(by: $0, besides: others) }
    }

    private func mayStart(by list: Int, besides others: [SimulatedProxy]) -> Bool {
        if (others.isEmpty ? proxies : others).allSatisfy({ $0.ways.reads == list }) { return true }
        let proven = nodes.filter { $0.isAlive && $0.ready(second) != nil }
        let isLeft = proven.allSatisfy { node in
            node.former(second).map { FormerPlaces.leads($0, to: KeyWays(reads: list).token) } == true
        }
        return isLeft && !proven.isEmpty
    }

    /// A proxy serves from now on. Each has to write where another reads: but who saw no node that is proven while keys
    /// moved may do otherwise, and then nothing is promised.
    func begins(_ proxy: SimulatedProxy) {
        guard broken != .startingBlind else { return }
        let others = proxies.filter { $0.isAlive && $0 !== proxy && $0.start == .serving }
        let isAgreed = others.allSatisfy { proxy.ways.covers($0.ways) && $0.ways.covers(proxy.ways) }
        if !isAgreed, !nodes.indices.contains(where: { proxy.markers.access($0, now: now) == .full }) {
            voided("proxy \(proxy.index) is started by \(proxy.ways), and sees no node that is proven")
        }
        if !isAgreed, proxy.markers.hasMoved(besides: proxy.ways.token) {
            voided("proxy \(proxy.index) is started by \(proxy.ways), when others had just gone over")
        }
        // What was left says so until those who have turned have been heard.
        let isOnTheWay = proxy.ways.writes != nil && !proxy.ways.hasMoved
        if isOnTheWay, wasTurned, let before = proxy.before, before.reads != proxy.ways.reads {
            voided("proxy \(proxy.index) is started by \(proxy.ways), which it had left for \(before)")
        }
        if isOnTheWay, others.contains(where: { $0.ways.writes == proxy.ways.reads && !$0.ways.hasMoved }) {
            voided("proxy \(proxy.index) is started by \(proxy.ways), from where others come back")
        }
    }

    func voided(_ reason: String) {
        note("void: \(reason)")
        isVoid = true
    }

    /// Some proxy has no copy of it left to rely on.
    func isGroundless(_ key: Int) -> Bool {
        if proxies.isEmpty { return copies(of: key, in: 0).allSatisfy { unsound.contains($0) } }
        return readCopies(of: key).contains { $0.allSatisfy { unsound.contains($0) } }
    }
}

extension SimulatedProxy {
    func copies(of key: Int) -> [Int] { world.copies(of: key, in: ways.reads) }

    /// Where it is written besides.
    func targets(of key: Int) -> [Int] {
        guard let list = ways.writes else { return [] }
        let copies = copies(of: key)
        return world.copies(of: key, in: list).filter { !copies.contains($0) }
    }

    // MARK: From one to the other

    /// Where keys are that are to go by a list: what another has gone over to is not taken back, and where it comes back
    /// from that, it says so.
    private func known(towards list: Int) -> KeyWays {
        guard ways.writes != nil, !ways.hasMoved else { return ways }
        if markers.hasMoved(to: ways.token) { return ways.handedOver }
        guard list != ways.goal, let former = markers.origin(ofKeysTo: KeyWays(reads: list).token) else { return ways }
        return KeyWays(reads: KeyWays(from: former, to: list).reads)
    }

    /// Keys that it does not read elsewhere yet can be left where they are: nobody else is about to.
    func mayTurnBack(to list: Int) -> Bool {
        // What it has gone over to the others have to have heard.
        if ways.hasMoved, list != ways.goal, world.now < turnedAt + markers.quietTime { return false }
        return known(towards: list).next(towards: list).writes != nil || ways.writes == nil
            || world.proxies.allSatisfy {
                $0 === self || !$0.isAlive
                    || $0.ways.reads == list && ($0.ways.token != ways.token || ($0.move.map(\.isHeldBack) ?? true))
            }
    }

    /// The config has changed.
    func tell(_ list: Int) {
        let next = known(towards: list).next(towards: list)
        guard next != ways else { return }
        if ways.writes != nil { world.wasTurned = true }
        move?.end()
        change(to: next) { [unowned self] in
            guard ways.writes != nil else { return }
            move = SimulatedMove(by: self)
            move?.work()
        }
    }

    /// When nothing is under way by those that it has.
    func change(to next: KeyWays, _ done: @escaping () -> Void) {
        nextWays = (next, done)
        goOver()
    }

    func goOver() {
        guard underWay == 0, let (next, done) = nextWays else { return }
        nextWays = nil
        world.note("proxy \(index) goes over to \(next)")
        ways = next
        turnedAt = world.now
        filling?.disturb()
        for node in world.nodes.indices { ask(node) }
        done()
        world.turned(self)
    }

    // MARK: Markers

    private var life: UInt64 {
        4 + (3 * Simulation.poll + 500 * Simulation.millisecond + 3 * Simulation.timeout) / 1_000_000_000 + 3
    }

    private func store(_ item: MarkerItem, _ text: [UInt8], on node: Int, life: UInt64) {
        send(MarkerCommand(node: node, item: item, .store(text, .always), life: life)) { _ in }
    }

    /// As a keeper does after each poll.
    func announce(on node: Int, _ reading: MarkerReading) {
        guard nextWays == nil else { return }
        let own = ways.token
        if let other = reading.moving, other != own {
            return store(.objection, MarkerText.token(other), on: node, life: life)
        }
        let isLeft = reading.former.map { FormerPlaces.leads($0, to: own) } ?? false
        guard ways.writes != nil else {
            if start == .serving, reading.moving == nil, isLeft {
                send(MarkerCommand(node: node, item: .former, .delete)) { _ in }
            }
            return
        }
        if let former = ways.former, reading.former != former { store(.former, former, on: node, life: 0) }
        store(ways.hasMoved ? .moved : .moving, MarkerText.token(own), on: node, life: life)
    }

    func forgetFormer(_ done: @escaping () -> Void) {
        var awaited = world.nodes.count
        for node in world.nodes.indices {
            send(MarkerCommand(node: node, item: .former, .delete)) { _ in
                awaited -= 1
                if awaited == 0 { done() }
            }
        }
    }

    /// Before it serves.
    func learnWays() {
        switch start {
        case .learning where markers.isInformed:
            guard world.broken != .startingBlind, let former = markers.former(to: ways.token) else {
                if markers.isMoving(besides: ways.token), world.broken != .startingUnheard {
                    start = .objecting(until: world.now + markers.quietTime)
                } else {
                    serve()
                }
                return
            }
            ways = KeyWays(from: former, to: ways.reads)
            if markers.hasMoved(to: ways.token) { ways = ways.handedOver }
            start = .announcing(since: world.now)
        case .announcing(let since):
            let isRead = world.nodes.indices.allSatisfy {
                !markers.isReachable($0, now: world.now) || markers.provenAt($0) > since + Simulation.poll
            }
            guard isRead || world.now > since + 2 * (Simulation.poll + Simulation.timeout) else { return }
            if markers.hasMoved(to: ways.token), !ways.hasMoved { ways = ways.handedOver }
            world.note("proxy \(index) goes on with \(ways)")
            serve()
            move = SimulatedMove(by: self)
        case .objecting(let until): if world.now >= until { serve() }
        case .learning, .serving: break
        }
    }

    private func serve() {
        start = .serving
        world.begins(self)
    }
}
