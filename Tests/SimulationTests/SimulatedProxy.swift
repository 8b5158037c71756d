import DroverTesting

@testable import ProxyCore

/// A proxy in memory: the core with as thin a shell as will do.
final class SimulatedProxy {
    unowned let world: Simulation
    /// Its place; who takes it after a death is another.
    let index: Int
    let number: Int
    let owner: Token
    var isAlive = true
    /// What is to be done once it runs again; nil while it runs.
    var stopped: [() -> Void]?
    var markers: PoolMarkers
    /// To each node: for clients, and for markers and transfers.
    var dataLinks: [SimulatedConnection?]
    var markerLinks: [SimulatedConnection?]
    var filling: FillingRun?
    var adoption: Adoption?
    var nextTry: UInt64 = 0
    /// With one rule broken: nodes that this proxy has revoked once.
    var revokedOnce: Set<Int> = []
    private var isLooking = false
    /// Where it finds keys, and what moves them.
    var ways: KeyWays
    var move: SimulatedMove?
    var start = StartPhase.learning
    /// Requests of clients under way; other ways that it goes over to when there are none, and what is then to be done.
    var underWay = 0
    var nextWays: (ways: KeyWays, done: () -> Void)?
    /// Of the last one in its place that served.
    var before: KeyWays?
    /// When it last went over to others.
    var turnedAt: UInt64 = 0

    /// - Parameter list: by which it is configured.
    init(world: Simulation, index: Int, list: Int = 0) {
        self.world = world
        self.index = index
        world.nextNumber += 1
        number = world.nextNumber
        ways = KeyWays(reads: list)
        owner = Token(using: &world.generator)
        markers = PoolMarkers(nodes: world.nodes.count, poll: Simulation.poll, timeout: Simulation.timeout)
        dataLinks = world.nodes.map { _ in nil }
        markerLinks = dataLinks
        for node in world.nodes.indices { connect(node) }
    }

    func connections(to node: Int) -> [SimulatedConnection] {
        [dataLinks[node], markerLinks[node]].compactMap { $0 }
    }

    private func connect(_ node: Int) {
        let start = world.nodes[node].starts
        dataLinks[node] = SimulatedConnection(owner: self, node: node, start: start, now: world.now)
        markerLinks[node] = SimulatedConnection(owner: self, node: node, start: start, now: world.now)
        poll(node)
    }

    /// Gives the node's connections up, and tries again later.
    func lose(_ node: Int, mayBeNew: Bool) {
        let old = connections(to: node)
        guard old.contains(where: \.isOpen) else { return }
        markers.lost(node, mayBeNew: mayBeNew)
        awaitSilence()
        for connection in old { world.close(connection) }
        if filling?.plan.target == node { filling?.disturb() }
        filling?.review()
        adoption?.disturbed()
        move?.work()
        world.at(world.now + 300 * Simulation.millisecond, of: self) { [unowned self] in connect(node) }
    }

    /// A node that is not heard again is given up.
    private func awaitSilence() {
        let time = markers.patienceEnds
        guard time != .max else { return }
        world.at(max(time, world.now), of: self) { [unowned self] in
            if markers.endPatience(now: world.now) { filling?.review() }
        }
    }

    // MARK: Markers

    private func poll(_ node: Int) {
        guard let connection = markerLinks[node], connection.isOpen else { return }
        ask(node)
        world.at(world.now + Simulation.poll, of: self) { [unowned self] in
            if connection.isOpen { poll(node) }
        }
    }

    func ask(_ node: Int) {
        guard let connection = markerLinks[node], connection.isOpen else { return }
        let asked = world.now
        world.send(.poll, on: connection) { [unowned self] reply in
            guard case .reading(let reading) = reply else { return }
            markers.read(node, reading, asked: asked, now: world.now)
            for node in revokedOnce where markers.access(node, now: world.now) == .full { revokedOnce.remove(node) }
            let republishes = world.broken != .noRevocation && world.broken != .revokingOnce
            for (missing, peer) in republishes ? markers.missingRevocations(now: world.now) : [] {
                run(StandingChange(.revoke(known: markers.token(of: missing), .unknown), of: missing, on: peer)) { _ in
                }
            }
            restore()
            filling?.review()
            announce(on: node, reading)
            learnWays()
            move?.work()
            startWork()
        }
    }

    /// What a flush has taken; and soon it is looked who else was flushed.
    private func restore() {
        if world.broken == .takingLossesForFlushes { markers.flushed(now: world.now) }
        for command in markers.restoration(now: world.now) { send(command) { _ in } }
        guard markers.hasLosses, !isLooking else { return }
        isLooking = true
        world.at(world.now + 100 * Simulation.millisecond, of: self) { [unowned self] in
            isLooking = false
            for node in world.nodes.indices { ask(node) }
        }
    }

    func request(_ request: NodeRequest, _ node: Int, _ handler: @escaping (NodeReply?) -> Void) {
        guard let connection = markerLinks[node] else { return handler(nil) }
        world.send(request, on: connection, handler)
    }

    /// Sends a command on a marker.
    func send(_ command: MarkerCommand, _ handler: @escaping (MarkerReply) -> Void) {
        guard let connection = markerLinks[command.node] else { return handler(.failed) }
        let request: NodeRequest
        switch command.action {
        case .read: request = .get(command.item.name, bumps: true)
        case .delete: request = .delete(command.item.name, cas: nil)
        case .deleteSame(let cas): request = .delete(command.item.name, cas: cas)
        case .store(let text, let condition):
            let expiry = command.life == 0 ? nil : world.second + Int64(command.life)
            request = .set(command.item.name, SimulatedItem(text: text, expiry: expiry), condition)
        }
        world.send(request, on: connection) { reply in
            switch reply {
            case .item(let item): handler(.value(item.text, cas: item.cas))
            case .missing: handler(.missing)
            case .done(let cas, _): handler(.done(cas: cas))
            case .refused: handler(.refused)
            default: handler(.failed)
            }
        }
    }

    func run(_ change: StandingChange, _ finished: @escaping (StandingChange.Outcome) -> Void) {
        var change = change
        guard let command = change.nextCommand() else { return finished(change.outcome ?? .failed) }
        send(command) { [unowned self] reply in
            change.received(reply)
            if let outcome = change.outcome {
                if case .done(let standing?) = outcome {
                    markers.published(standing, of: change.node, on: change.keeper)
                }
                finished(outcome)
            } else {
                run(change, finished)
            }
        }
    }

    /// Publishes that a node missed a write.
    func revoke(_ node: Int, sent: UInt64, _ finished: @escaping (Bool) -> Void) {
        world.becameUnsound(node)
        if world.broken == .revokingOnce, !revokedOnce.insert(node).inserted { return finished(true) }
        markers.missedWrite(node)
        if world.broken == .noRevocation { return finished(true) }
        let revocation = RunningRevocation(
            revocation: Revocation(
                of: node, by: markers, sent: world.broken == .lateWatermark ? .max : sent, now: world.now),
            finished: finished)
        proceed(revocation)
        if revocation.revocation.isOver { revocation.end() }
    }

    private func proceed(_ running: RunningRevocation) {
        while let (index, command) = running.revocation.nextCommand() {
            send(command) { [unowned self] reply in
                running.revocation.received(reply, for: index)
                let change = running.revocation.changes[index]
                if case .done(let standing?) = change.outcome {
                    markers.published(standing, of: change.node, on: change.keeper)
                }
                proceed(running)
                if running.revocation.isOver { running.end() }
            }
        }
    }

    private final class RunningRevocation {
        var revocation: Revocation
        private var finished: ((Bool) -> Void)?

        init(revocation: Revocation, finished: @escaping (Bool) -> Void) {
            self.revocation = revocation
            self.finished = finished
        }

        func end() {
            finished?(revocation.isPublished)
            finished = nil
        }
    }

    // MARK: Work

    private func startWork() {
        let now = world.now
        guard filling == nil, adoption == nil, nextWays == nil, now >= nextTry else { return }
        nextTry = now + UInt64(200 + world.generator.random(below: 800)) * Simulation.millisecond
        let adoptable = markers.adoptable(now: now)
        if !adoptable.isEmpty {
            adoption = Adoption(of: adoptable, markers: markers, owner: owner, using: &world.generator)
            adopt()
        } else if let target = markers.fillable(now: now) {
            world.note("proxy \(index) begins to fill node \(target)")
            filling = FillingRun(of: target, by: self)
            filling?.proceed()
        }
    }

    private func adopt() {
        guard let command = adoption?.nextCommand() else {
            adoption = nil
            return
        }
        send(command) { [unowned self] reply in
            adoption?.received(reply, now: world.now)
            adopt()
        }
    }
}
