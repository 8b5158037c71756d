internal import Logging
internal import ProxyCore
internal import Reactor

/// The keys of a pool on their way to other nodes: does what the plan says, one thing at a time. Servers that are new to
/// the pool are filled by its keeper, as any that has come back empty; here the rest is.
final class MoveRun {
    /// Before what has failed is tried again, in nanoseconds.
    private static let retryPause: UInt64 = 1_000_000_000

    private unowned let control: Control
    /// Of the pool.
    let index: Int
    let job: Job
    /// While its keys move.
    private let moving: PoolSettings
    private let left: LeftBehind?
    private var plan: MovePlan
    /// A pass or a change of the pool is under way.
    private var isBusy = false
    /// Nothing is begun before.
    private var pausedUntil: UInt64 = 0
    private(set) var isOver = false

    /// To be begun when all workers write to both places.
    init(_ index: Int, _ job: Job, _ moving: PoolSettings, _ control: Control) {
        (self.index, self.job, self.moving, self.control) = (index, job, moving, control)
        left = LeftBehind(after: moving)
        let now = control.loop.now
        plan = MovePlan(
            quietUntil: now.addingSaturated(control.keepers[index]?.markers.quietTime ?? 0),
            targets: moving.allNodes.count - moving.servers.count, drops: left?.targets.count ?? 0,
            // Nothing is cleaned here: what stands in a place that keys move to is proven by this alone.
            verifies: true, hasMoved: moving.moving?.hasMoved == true)
        job.cancelled = { [weak self] in self?.cancel() }
        job.objection = { [weak self] in self?.objection }
    }

    /// Other settings have come for the pool.
    func end(_ outcome: String, isDone: Bool = false) {
        guard !isOver else { return }
        isOver = true
        control.cancelPass(of: job)
        job.end(outcome, isDone: isDone, now: control.loop.now)
        control.logger.notice(
            "keys have stopped moving",
            metadata: ["pool": "\(moving.name)", "job": "\(job.id)", "result": "\(outcome)"])
        if control.moves[index] === self { control.moves[index] = nil }
    }

    /// Why it cannot be taken back now.
    private var objection: String? {
        let hasMoved = control.keepers[index]?.markers.hasMoved(to: moving.placesToken) == true
        guard plan.isReversible, !hasMoved else {
            return "reads have moved, and the old places get nothing more; another config moves the keys again"
        }
        return control.change == nil && control.isStarted ? nil : Control.changeReason
    }

    /// Back to where the keys are read still.
    private func cancel() {
        guard objection == nil else { return }
        end("cancelled")
        let back = moving.standing
        var pools = control.settings.pools
        pools[index] = back
        _ = control.begin(pools) { [logger = control.logger] in
            logger.notice("keys stay where they were", metadata: ["pool": "\(back.name)"])
        }
    }

    // MARK: In each turn of the loop

    var nextTime: UInt64 {
        guard !isOver, !isBusy, !job.isPaused else { return .max }
        if case .wait(let until) = plan.step(now: control.loop.now) { return until }
        return pausedUntil > control.loop.now ? pausedUntil : .max
    }

    func work() {
        guard !isOver, control.change == nil, !control.isDraining, let keeper = control.keepers[index] else { return }
        let now = control.loop.now
        if !plan.look(at: situation(keeper), now: now) { control.cancelPass(of: job) }
        guard !isBusy, !job.isPaused, now >= pausedUntil else { return }
        switch plan.step(now: now) {
        case .wait: job.phase = "quiet time"
        case .await(.servers): job.phase = "waiting until every node is up"
        case .await(.agreement): waitForAgreement()
        case .await(.others): job.phase = "waiting until every proxy has moved"
        case .pass(let pass, let target): begin(pass, target)
        case .moveReads: change(to: moving.handedOver, "moving reads") { "keys are read where they have moved to" }
        case .leave: leave(keeper)
        case .drop(let target): drop(target)
        case .over: end("moved", isDone: true)
        }
    }

    private func waitForAgreement() {
        let phase = "waiting for proxies with another config"
        guard job.phase != phase else { return }
        job.phase = phase
        control.logger.warning(
            "another proxy writes by other nodes: reads stay where they are until it has read the same config",
            metadata: ["pool": "\(moving.name)", "job": "\(job.id)"])
    }

    private func situation(_ keeper: PoolKeeper) -> MovePlan.Situation {
        let (markers, places) = (keeper.markers, moving.placesToken)
        return MovePlan.Situation(
            tokens: tokens(keeper), isOpposed: markers.isOpposed, isMoving: markers.isMoving(to: places),
            hasMoved: markers.hasMoved(to: places))
    }

    /// Of the servers that the keys go to; nil unless all are full. One that leaves may be gone.
    private func tokens(_ keeper: PoolKeeper) -> [UInt64]? {
        let settled = Set(moving.settled.allNodes.map(\.ringName))
        var tokens: [UInt64] = []
        for (place, node) in keeper.settings.servers.enumerated() where settled.contains(node.ringName) {
            let verdict = control.topology.nodes[keeper.first + place].verdict
            guard verdict.access == .full else { return nil }
            tokens.append(verdict.token)
        }
        return tokens
    }

    /// All workers go over to these settings of the pool.
    private func change(to settings: PoolSettings?, _ phase: String, _ text: @escaping () -> Logger.Message) {
        guard let settings else { return end("its nodes do not fit") }
        job.phase = phase
        isBusy = true
        var pools = control.settings.pools
        pools[index] = settings
        let isBegun = control.begin(pools) { [weak self] in
            guard let self else { return }
            isBusy = false
            plan.done()
            control.logger.notice(text(), metadata: ["pool": "\(moving.name)", "job": "\(job.id)"])
        }
        guard !isBegun else { return }
        isBusy = false
        pausedUntil = control.loop.now + Self.retryPause
    }

    private func leave(_ keeper: PoolKeeper) {
        isBusy = true
        keeper.forgetFormer { [weak self] in
            guard let self, !isOver else { return }
            isBusy = false
            // Else it is tried again.
            guard control.change == nil else { return }
            change(to: moving.settled, "leaving the old places") { "keys have moved" }
        }
    }

    private func begin(_ pass: FillingPlan.Pass, _ target: Int) {
        guard let keeper = control.keepers[index] else { return }
        let place = moving.servers.count + target
        let label = moving.allNodes[place].label
        switch pass {
        case .clean: break
        case .copy(let number): job.phase = "copying to \(label), pass \(number)"
        case .verify: job.phase = "verifying \(label)"
        }
        isBusy = true
        control.start(
            pass, of: job, target: place, isFull: { keeper.isFull($0) }, change: { $0.sample = 1 }
        ) { [weak self] in self?.passed($0) }
    }

    private func passed(_ end: PassEnd) {
        isBusy = false
        guard !isOver else { return }
        if let problem = end.problem {
            pausedUntil = control.loop.now + Self.retryPause
            let text = problem.text { [moving] in moving.allNodes.indices.contains($0) ? moving.allNodes[$0].label : "?"
            }
            control.logger.warning(
                "a pass was cut short", metadata: ["pool": "\(moving.name)", "job": "\(job.id)", "reason": "\(text)"])
        }
        plan.passed(changed: end.changed, of: end.total, isWhole: end.isWhole)
        work()
    }

    /// The pass that cleans the targets of the way back.
    private func drop(_ number: Int) {
        guard let left, let keeper = control.keepers[index] else {
            return plan.passed(changed: 0, of: 0, isWhole: true)
        }
        let target = left.targets.lowerBound + number
        job.phase = "dropping what \(left.pool.settings.allNodes[target].label) has no longer"
        isBusy = true
        let zeros: [UInt64?] = Array(repeating: 0, count: left.places.count)
        let (addresses, first) = (control.addresses, keeper.first)
        control.start(
            .clean(zeros), of: job, target: 0, isFull: { _ in false },
            change: { order in
                order.pool = left.pool
                order.target = target
                order.nodes = left.places.enumerated().map { place, home in
                    PassOrder.Node(
                        address: home.flatMap { addresses[first + $0] },
                        isFull: place < left.pool.servers.count && home.map { keeper.isFull($0) } == true)
                }
            }, { [weak self] in self?.passed($0) })
    }
}
