import DroverTesting

@testable import ProxyCore

/// Keys of a proxy on their way to other nodes, as a shell would have them move.
final class SimulatedMove {
    private unowned let proxy: SimulatedProxy
    private var world: Simulation { proxy.world }
    private var plan: MovePlan
    /// While they move, and are read where they were.
    private let moving: KeyWays
    private var pass: SimulatedPass?
    private var isBusy = false
    private(set) var isOver = false
    private var pausedUntil: UInt64 = 0

    init(by proxy: SimulatedProxy) {
        self.proxy = proxy
        let (world, ways) = (proxy.world, proxy.ways)
        moving = ways
        let count = world.nodes.count
        plan = MovePlan(
            quietUntil: world.broken == .noMoveQuiet ? world.now : world.now + proxy.markers.quietTime,
            targets: world.broken == .movingUncopied ? 0 : count, drops: count,
            verifies: world.broken != .movingUnverified, hasMoved: ways.hasMoved)
        world.at(world.now + proxy.markers.quietTime, of: proxy) { [weak self] in self?.work() }
    }

    func end() {
        isOver = true
        pass?.cancel()
        if proxy.move === self { proxy.move = nil }
    }

    func work() {
        guard !isOver, proxy.nextWays == nil else { return }
        if !plan.look(at: situation, now: world.now) { pass?.cancel() }
        guard !isBusy, world.now >= pausedUntil else { return }
        switch plan.step(now: world.now) {
        case .wait, .await: break
        case .pass where isOthersTurn, .moveReads where isOthersTurn:
            world.at(world.now + 50 * Simulation.millisecond, of: proxy) { [weak self] in self?.work() }
        case .pass(let pass, let target): run(pass, target)
        case .moveReads: change(to: moving.hasMoved ? moving : moving.handedOver)
        case .offer: fatalError("what proxies offer and object each sees at once here")
        case .leave: leave()
        case .drop(let target): drop(target)
        case .over:
            world.moves += 1
            end()
        }
    }

    /// By a proxy that has not been told.
    var isHeldBack: Bool { plan.step(now: world.now) == .await(.agreement) }

    func describe() -> String { "\(plan.step(now: world.now)), \(situation)\(isBusy ? ", busy" : "")" }

    /// What one copies while another reads at the new places already may be there for a moment although it was deleted.
    /// That is not promised, and left out: one copies at a time, and none when another has moved.
    private var isOthersTurn: Bool {
        let others = world.proxies.filter { $0 !== proxy && $0.isAlive }
        let isCopying: Bool = if case .pass = plan.step(now: world.now) { true } else { false }
        return others.contains {
            if isCopying, $0.ways.reads == proxy.ways.goal { return true }
            return $0.ways.token == proxy.ways.token && $0.move?.isBusy == true
        }
    }

    private var situation: MovePlan.Situation {
        let (markers, token) = (proxy.markers, proxy.ways.token)
        var tokens: [UInt64] = []
        for node in world.nodes.indices where proxy.access(node) == .full {
            tokens.append(markers.nodes[node].reading?.ready?.number ?? 0)
        }
        let isWhole = tokens.count == world.nodes.count
        return MovePlan.Situation(
            tokens: isWhole ? tokens : nil,
            isOpposed: markers.isOpposed && world.broken != .ignoringObjections,
            isMoving: markers.isMoving(to: token) && world.broken != .leavingEarly,
            hasMoved: markers.hasMoved(to: token))
    }

    private func change(to ways: KeyWays) {
        isBusy = true
        proxy.change(to: ways) { [weak self] in
            guard let self, !isOver else { return }
            isBusy = false
            plan.done()
            work()
        }
    }

    private func leave() {
        guard world.broken != .leavingSilently else { return change(to: moving.settled) }
        isBusy = true
        proxy.forgetFormer { [weak self] in
            guard let self, !isOver else { return }
            isBusy = false
            if proxy.nextWays == nil { change(to: moving.settled) }
        }
    }

    // MARK: Passes

    private func run(_ kind: FillingPlan.Pass, _ target: Int) {
        let proxy = proxy
        if kind == .verify { world.verifies(target, by: proxy) }
        let full = world.nodes.indices.map { proxy.access($0) == .full }
        begin(
            SimulatedPass(
                kind, on: target, by: proxy, isFull: full,
                source: { [unowned proxy] name in
                    guard proxy.targets(of: name).contains(target) else { return nil }
                    return proxy.copies(of: name).first { full[$0] }
                }
            ) { [weak self] in self?.passed(changed: $0, isWhole: $1) })
    }

    /// Keys that the node had by the list before, and has not by this one.
    private func drop(_ node: Int) {
        let (world, settled) = (world, proxy.ways.reads)
        let old = moving.hasMoved ? moving.writes ?? settled : moving.reads
        begin(
            SimulatedPass(
                .clean(world.nodes.map { _ in 0 }), on: node, by: proxy, isFull: world.nodes.map { _ in false },
                source: { [unowned world] name in
                    let isLeft =
                        world.copies(of: name, in: old).contains(node)
                        && !world.copies(of: name, in: settled).contains(node)
                    return isLeft ? node : nil
                }
            ) { [weak self] in self?.passed(changed: $0, isWhole: $1) })
    }

    private func begin(_ pass: SimulatedPass) {
        isBusy = true
        self.pass = pass
        pass.begin()
    }

    private func passed(changed: Int, isWhole: Bool) {
        (isBusy, pass) = (false, nil)
        guard !isOver else { return }
        if !isWhole {
            pausedUntil = world.now + 1000 * Simulation.millisecond
            world.at(pausedUntil, of: proxy) { [weak self] in self?.work() }
        }
        plan.passed(changed: changed, of: 0, isWhole: isWhole)
        work()
    }
}
