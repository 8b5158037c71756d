internal import Logging
internal import ProxyCore
internal import Reactor

/// The keys of a pool on their way to other nodes: does what the plan says, one thing at a time. Servers that are new to
/// the pool are filled by its keeper, as any that has come back empty; here the rest is. Where keys have one copy, new
/// servers are filled here, too.
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
    /// By place in the pool while its keys move: the first target, of those that are filled here.
    private let firstTarget: Int
    private var plan: MovePlan
    /// What comes then, where the keys stay and only what was brought elsewhere is dropped.
    private var afterwards: (() -> Void)?
    /// A pass or a change of the pool is under way.
    private var isBusy = false
    /// An objection is under way; and what is to be done when it stands, and no pass is under way.
    private var isObjecting = false
    private var objected: (() -> Void)?
    /// Nothing is begun before.
    private var pausedUntil: UInt64 = 0
    private(set) var isOver = false

    /// To be begun when all workers write to both places.
    init(_ index: Int, _ job: Job, _ moving: PoolSettings, _ control: Control) {
        (self.index, self.job, self.moving, self.control) = (index, job, moving, control)
        left = LeftBehind(after: moving)
        let now = control.loop.now
        let isSingle = moving.moving?.isSingle == true
        firstTarget = isSingle ? moving.moving?.freshServers.lowerBound ?? 0 : moving.servers.count
        plan = MovePlan(
            quietUntil: now.addingSaturated(control.moveGround(ofPool: index)?.quietTime ?? 0),
            targets: moving.allNodes.count - firstTarget,
            drops: isSingle ? moving.settled.nodes.count : left?.targets.count ?? 0,
            // Nothing is cleaned here: what stands in a place that keys move to is proven by this alone.
            verifies: true, offers: true, hasMoved: moving.moving?.hasMoved == true)
        job.cancelled = { [weak self] in self?.cancel() }
        job.objection = { [weak self] in self?.objection }
    }

    /// The keys of the pool are where they were, and its nodes are to drop what was brought to them.
    convenience init(
        dropping index: Int, _ job: Job, _ pool: PoolSettings, _ control: Control, then next: @escaping () -> Void
    ) {
        self.init(index, job, pool, control)
        plan = MovePlan(dropping: pool.nodes.count)
        afterwards = next
        job.objection = { "the keys are where they were already" }
    }

    private var isSingle: Bool { !moving.settled.hasCopies }

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
        let hasMoved = control.moveGround(ofPool: index)?.situation(of: moving).hasMoved == true
        guard plan.isReversible, !hasMoved else {
            return "reads have moved, and the old places get nothing more; another config moves the keys again"
        }
        return control.change == nil && control.isStarted ? nil : Control.changeReason
    }

    /// Back to where the keys are read still.
    private func cancel() {
        guard objection == nil else { return }
        object { [unowned self] in
            end("cancelled")
            takeBack()
        }
    }

    private func takeBack(_ done: @escaping () -> Void = {}) {
        let (control, index, back) = (control, index, moving.standing)
        var pools = control.settings.pools
        pools[index] = back
        _ = control.begin(pools) { [unowned control] in
            control.logger.notice("keys stay where they were", metadata: ["pool": "\(back.name)"])
            done()
            control.dropStrays(ofPool: index)
        }
    }

    /// Nobody moves reads any more; unless somebody has already, so that this proxy does it, too.
    private func object(_ done: @escaping () -> Void) {
        guard !isObjecting, objected == nil else { return }
        isObjecting = true
        control.cancelPass(of: job)
        control.moveGround(ofPool: index)?.talk.object { [weak self] isKept in
            guard let self, !isOver else { return }
            isObjecting = false
            if isKept { return objected = done }
            pausedUntil = control.loop.now + Self.retryPause
            job.goesOn()
            control.logger.notice(
                "another proxy has moved reads, or is about to: keys move on",
                metadata: ["pool": "\(moving.name)", "job": "\(job.id)"])
        }
    }

    /// A node is down where keys are read. They go back to where they were, with all that `when_down` says, and move again
    /// when it is back; if it is to leave, they need not wait for it.
    private func retreat() {
        let moving = moving
        control.logger.warning(
            "a node is down: keys stay where they were until it is back",
            metadata: ["pool": "\(moving.name)", "job": "\(job.id)"])
        object { [unowned self] in
            let (control, index, job) = (control, index, job)
            isOver = true
            control.moves[index] = nil
            takeBack { [unowned control] in control.postpone(job, ofPool: index, to: moving.settled) }
        }
    }

    private var isLeaderDown: Bool {
        guard isSingle, plan.isReversible, let mover = control.movers[index] else { return false }
        return (0..<firstTarget).contains { mover.leads($0) && !control.isUp(mover.first + $0) }
    }

    // MARK: In each turn of the loop

    var nextTime: UInt64 {
        guard !isOver, !isBusy, !job.isPaused else { return .max }
        if case .wait(let until) = plan.step(now: control.loop.now) { return until }
        return pausedUntil > control.loop.now ? pausedUntil : .max
    }

    func work() {
        guard !isOver, control.change == nil, !control.isDraining, let ground = control.moveGround(ofPool: index)
        else { return }
        let now = control.loop.now
        let situation = ground.situation(of: moving)
        if !plan.look(at: situation, now: now) { control.cancelPass(of: job) }
        guard !isBusy, !isObjecting, now >= pausedUntil else { return }
        if let next = objected {
            objected = nil
            return next()
        }
        if isLeaderDown, !situation.hasMoved { return retreat() }
        guard !job.isPaused else { return }
        switch plan.step(now: now) {
        case .wait: job.phase = "quiet time"
        case .await(.servers): job.phase = "waiting until every node is up"
        case .await(.agreement): waitForAgreement()
        case .await(.others): job.phase = "waiting until every proxy has moved"
        case .pass(let pass, let target): begin(pass, target)
        case .offer: offer()
        case .moveReads: change(to: moving.handedOver, "moving reads") { "keys are read where they have moved to" }
        case .leave: leave()
        case .drop(let target): drop(target)
        case .over: finish()
        }
    }

    private func finish() {
        if let afterwards {
            if control.moves[index] === self { control.moves[index] = nil }
            isOver = true
            control.swept(pool: index)
            return afterwards()
        }
        end("moved", isDone: true)
        if isSingle { control.swept(pool: index) }
    }

    private func offer() {
        guard let ground = control.moveGround(ofPool: index) else { return }
        job.phase = "offering to move reads"
        isBusy = true
        // Where keys have copies, one that leaves may be gone.
        let listeners = moving.servers.indices.filter { control.isUp(ground.first + $0) }
        ground.talk.offer(to: listeners, knowing: ground.missed) { [weak self] isAccepted in
            guard let self, !isOver else { return }
            isBusy = false
            if !isAccepted { pausedUntil = control.loop.now + Self.retryPause }
            plan.offered(isAccepted: isAccepted)
        }
    }

    private func waitForAgreement() {
        guard control.moveGround(ofPool: index)?.hasObjection == true else { return job.phase = "quiet time" }
        let phase = "waiting for proxies with another config"
        guard job.phase != phase else { return }
        job.phase = phase
        control.logger.warning(
            "another proxy writes by other nodes: reads stay where they are until it has read the same config",
            metadata: ["pool": "\(moving.name)", "job": "\(job.id)"])
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

    /// Where markers are kept, nobody who starts may go by the old places any more.
    private func leave() {
        guard let keeper = control.keepers[index] else { return settle() }
        isBusy = true
        keeper.forgetFormer { [weak self] in
            guard let self, !isOver else { return }
            isBusy = false
            // Else it is tried again.
            if control.change == nil { settle() }
        }
    }

    private func settle() {
        change(to: moving.settled, "leaving the old places") { "keys have moved" }
    }

    private func begin(_ pass: FillingPlan.Pass, _ target: Int) {
        guard let ground = control.moveGround(ofPool: index) else { return }
        let place = firstTarget + target
        let label = moving.allNodes[place].label
        switch pass {
        case .clean: break
        case .copy(let number): job.phase = "copying to \(label), pass \(number)"
        case .verify: job.phase = "verifying \(label)"
        }
        isBusy = true
        control.start(
            pass, of: job, target: place, isFull: { ground.isFull($0) }, change: { $0.sample = 1 }
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
            if isSingle, problem.isLasting { return giveUp(text) }
        }
        plan.passed(changed: end.changed, of: end.total, isWhole: end.isWhole)
        work()
    }

    /// Its servers cannot do what is needed: the keys go over at once, and what has moved is a miss.
    private func giveUp(_ reason: String) {
        guard plan.isReversible else { return plan.passed(changed: 0, of: 0, isWhole: true) }
        object { [unowned self] in
            let (control, index, wanted) = (control, index, moving.settled)
            end("its keys cannot be copied: \(reason)")
            control.unswept.remove(index)
            var pools = control.settings.pools
            pools[index] = wanted
            _ = control.begin(pools) { [unowned control] in control.tellUnmoved(wanted.name, reason) }
        }
    }

    /// What belongs to other nodes, where keys have one copy.
    private func dropStrays(on place: Int) {
        let nodes = control.topology.pools[index].nodes
        // One that is down is emptied when it is back, or what it has is compared before it is read.
        guard control.isUp(nodes.lowerBound + place) else { return plan.passed(changed: 0, of: 0, isWhole: true) }
        job.phase = "dropping what \(control.topology.nodes[nodes.lowerBound + place].settings.label) has no longer"
        isBusy = true
        control.start(
            .clean(nodes.map { _ in 0 }), of: job, target: place, isFull: { _ in true },
            change: { $0.dropsStrays = true }, { [weak self] in self?.passed($0) })
    }

    /// The pass that cleans the targets of the way back.
    private func drop(_ number: Int) {
        if isSingle { return dropStrays(on: number) }
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
