internal import Logging
internal import MemcacheProtocol
internal import ProxyCore
internal import Reactor

/// What the control thread does about the nodes of a pool with one copy of each key whose nodes stand in for each other:
/// the keys of one that comes back are brought home. Decisions are `HomePlan`'s; here are the connection, the clock and
/// the passes. `HomeTalk` is what it says to other proxies.
///
/// Nodes go by their place in the pool.
final class HomeKeeper {
    unowned let control: Control
    let pool: Int
    /// The pool's first node among all nodes.
    let first: Int
    /// Its nodes among all nodes.
    let numbers: Range<Int>
    let settings: PoolSettings
    var plan: HomePlan
    /// Of the plan, when what is under way was begun.
    private var round = 0
    private var waitsUntil: UInt64?
    private var job: Job?
    /// To each node; open while it is brought home: it is one process.
    private(set) var links: [MarkerLink] = []
    private var watched: Int?
    let talk: HomeTalk
    private var isToldHopeless = false
    var isToldAlone = false
    /// Clients wait for these: a write is acknowledged if so much comes of a node's keys.
    var misses: [(place: Int, phase: HomePhase, answer: (Bool) -> Void)] = []
    var recallDue: UInt64 = 0
    /// What workers were told last.
    var trusted: UInt64
    /// When there was something to be done last.
    private var idleSince: UInt64 = 0
    private var isTakingSteps = false
    private(set) var isRetired = false

    /// - Parameter earlier: that of the settings before.
    init(_ control: Control, pool: Int, after earlier: HomeKeeper? = nil) {
        (self.control, self.pool) = (control, pool)
        let topology = control.topology.pools[pool]
        (first, settings, numbers) = (topology.firstNode, topology.settings, topology.nodes)
        let count = settings.nodes.count
        plan = HomePlan(
            nodes: count, timeout: settings.timeout, poll: settings.poll, verifies: settings.sync.verify != .none)
        talk = HomeTalk(control, of: topology, after: earlier?.talk)
        trusted = earlier?.trusted ?? .max
        plan.isAccompanied = talk.isAccompanied
        for place in 0..<count {
            links.append(
                MarkerLink(
                    node: first + place, on: control.loop, timeout: settings.timeout,
                    connectTimeout: settings.connectTimeout, lost: { [unowned self] _ in lost(place) }))
        }
        talk.believes = { [unowned self] in plan.isBelieved($0) }
        talk.readTime = { [unowned self] in plan.readTime(of: $0, isUnable: talk.isUnable) }
        talk.leasePlace = { [unowned self] in
            plan.leasePlace(in: talk.order, isUnable: talk.isUnable, isRead: talk.hasRead)
        }
        talk.hears = { [unowned self] in plan.hears($0, $1) }
        talk.heard = { [unowned self] in heard($0, $1) }
    }

    var now: UInt64 { control.loop.now }

    /// Takes the place of the keeper of other nodes, and knows what that one knew of those that stay.
    ///
    /// - Parameters:
    ///   - earlier: nil where there was none.
    ///   - origins: by place: the node's number before.
    ///   - awaitsSweep: nodes may have what belongs to others, and it is being dropped: `swept`.
    func begin(after earlier: HomeKeeper?, origins: [Int?], awaitsSweep: Bool) {
        if let earlier {
            talk.begin(with: origins.map { $0.flatMap { earlier.talk.records.known[$0 - earlier.first] } })
            earlier.retire(isReplaced: true)
        } else {
            talk.begin(with: [])
        }
        plan.begin(with: talk.records.known.map { $0?.phase })
        if awaitsSweep { plan.awaitSweep() }
        for place in plan.phases.indices where !control.isUp(first + place) { plan.wentDown(place, now: now) }
        // Nothing is published before all pools are at the new settings.
        takeDueSteps()
    }

    /// What is under way for a node's keys begins anew with the keeper that comes after it.
    ///
    /// - Parameter isReplaced: one does.
    func retire(isReplaced: Bool = false) {
        isRetired = true
        talk.isRetired = true
        if let job {
            control.cancelPass(of: job)
            job.end("the pool's nodes have changed", isDone: false, now: now)
        }
        job = nil
        watched = nil
        for link in links { link.fail() }
        talk.releaseLease()
        talk.close()
        for miss in misses { miss.answer(false) }
        misses = []
        if !isReplaced { trust(until: .max) }
    }

    // MARK: What happens

    /// The verdict on the node has changed.
    func judged(_ place: Int, isUp: Bool) {
        if isUp { plan.answers(place, now: now) } else { plan.wentDown(place, now: now) }
        talk.renewTrust()
        review("a node went or came")
        publish()
    }

    /// Workers hear how things are. Who is alone has nobody to tell of a step before it is taken: it takes all that are due
    /// first, and nobody works by what would be in between.
    func publish() {
        guard !isTakingSteps else { return }
        takeDueSteps()
        control.publish()
    }

    private func takeDueSteps() {
        plan.isAccompanied = talk.isAccompanied
        guard !talk.isAccompanied else { return }
        isTakingSteps = true
        defer { isTakingSteps = false }
        for _ in plan.phases {
            callOff()
            // Those that are lost, and one that is home as what stood in for it is lost.
            if waitsUntil == nil, plan.leaveTime <= now { proceed(onlyLeaves: true) }
        }
    }

    func swept() {
        plan.swept()
        publish()
    }

    /// - Parameters:
    ///   - node: among all nodes.
    ///   - answer: told whether the write may be acknowledged.
    func missedWrite(_ node: Int, _ answer: @escaping (Bool) -> Void) {
        let isKept = plan.missedWrite(node - first, now: now)
        review("the node missed a write meanwhile")
        // The workers know of it before the client gets his answer.
        publish()
        switch isKept {
        case .kept: answer(true)
        case .refused: answer(false)
        case .when(let place, let phase):
            misses.append((place, phase, answer))
            answerMisses()
        }
    }

    /// The node is at another address now.
    func moved(_ place: Int) {
        talk.links[place].fail()
        links[place].fail()
    }

    private func lost(_ place: Int) { if watched == place, !isRetired { disturb() } }

    private func disturb() {
        plan.disturbed(now: now)
        review("the connection to the node was lost")
        publish()
    }

    /// What is under way may have lost its ground.
    func review(_ reason: String) {
        guard plan.round != round else { return }
        round = plan.round
        waitsUntil = nil
        if let job { control.cancelPass(of: job) }
        tellHopeless()
        watched = nil
        guard let job, !plan.isBusy else { return }
        self.job = nil
        let isHome = job.place.map { plan.places[$0] == .home } ?? false
        job.end(isHome ? "home" : reason, isDone: isHome, now: now)
        guard isHome else {
            return control.logger.warning(
                "a node's keys are not home yet", metadata: metadata(job).merging(["reason": "\(reason)"]) { $1 })
        }
        let report = job.report
        control.logger.notice(
            "node's keys are home",
            metadata: metadata(job).merging([
                "copied": "\(report.copied)", "taken back": "\(report.takenBack)", "diverged": "\(report.diverged)",
                "dropped": "\(report.dropped)",
            ]) { $1 })
    }

    private func tellHopeless() {
        guard plan.isHopeless, !isToldHopeless else { return }
        isToldHopeless = true
        control.logger.error(
            "the keys of a node that came back could not be brought home: what is read may be old",
            metadata: control.describe(first + plan.node, [:]))
    }

    private func metadata(_ job: Job) -> Logger.Metadata {
        control.describe(first + (job.place ?? 0), ["job": "\(job.id)"])
    }

    /// The proxy stops.
    func stopWork() {
        if let job { control.cancelPass(of: job) }
        talk.releaseLease()
    }

    // MARK: In each turn of the loop

    var nextTime: UInt64 {
        let time = links.reduce(min(talk.nextTime, nextRecallTime)) { min($0, $1.deadline) }
        guard mayWork else {
            let next = plan.isLeave ? waitsUntil ?? plan.leaveTime : plan.leaveTime
            return min(time, next, control.isDraining ? .max : leaseTime)
        }
        let next = waitsUntil ?? plan.nextTime
        return min(time, next == .max && !plan.isBusy && talk.holdsLease ? releaseTime : next)
    }

    func work() {
        for link in links { link.expire(now: now) }
        talk.work()
        plan.isAccompanied = talk.isAccompanied
        tellTrust()
        callOff()
        if talk.isAccompanied, !control.isDraining { keepLease() }
        if let time = waitsUntil, now >= time, mayWork || plan.isLeave {
            waitsUntil = nil
            plan.waited(now: now)
            review("")
            publish()
        }
        let next = mayWork ? plan.nextTime : plan.leaveTime
        if waitsUntil == nil, next <= now { proceed(onlyLeaves: !mayWork) }
        for (place, link) in links.enumerated() {
            // What was brought home needs no connection of its own.
            if place != watched, link.state != .closed { link.fail() }
            link.flush()
        }
    }

    /// One proxy brings keys home. Who is alone need not ask.
    private var mayWork: Bool { !control.isDraining && (talk.holdsLease || !talk.isAccompanied) }

    private func keepLease() {
        if talk.holdsLease {
            if plan.isBusy || plan.nextTime != .max {
                idleSince = now
            } else if now >= releaseTime {
                // The others know that all is done.
                talk.releaseLease()
            }
        } else if !talk.isMovingLease {
            plan.leaseLost()
            review("the lease is lost, or another proxy's")
            if leaseTime <= now { talk.takeLease() }
        }
    }

    private var releaseTime: UInt64 { idleSince + settings.poll }

    /// When the lease is to be asked for.
    private var leaseTime: UInt64 {
        guard plan.isWork, !talk.isAskingForLease else { return .max }
        if plan.isBusy { return talk.leaseDue }
        return plan.nextTime < .max ? max(plan.nextTime, talk.leaseDue) : .max
    }

    private func proceed(onlyLeaves: Bool) {
        let next = plan.nextCommand(now: now, onlyLeaves: onlyLeaves)
        review("a node went or came")
        guard let command = next else { return publish() }
        if !plan.isLeave { currentJob().phase = plan.phase }
        publish()
        switch command {
        case .wait(let until):
            if watched == nil, plan.places[plan.node] == .back { watch(plan.node) }
            waitsUntil = until
        case .tell(let place, let phase): tell(place, phase)
        case .flush: flush()
        case .copy(let target, let isLive): begin(.copy(number: 1), on: target, isLive: isLive)
        case .verify(let target): begin(.verify, on: target, isLive: true)
        case .drop(let target):
            begin(.clean(settings.nodes.map { _ in 0 }), on: target, isLive: false, dropsStrays: true)
        }
    }

    private func currentJob() -> Job {
        if let job { return job }
        let job = control.newJob("return", pool: pool, place: plan.node)
        job.objection = {
            "a return cannot be cancelled: the node is not read before its keys are home; `drover pause` holds its passes"
        }
        control.show(job)
        self.job = job
        return job
    }

    private func watch(_ place: Int) {
        // Not one from before.
        links[place].fail()
        watched = place
        links[place].connect(to: control.addresses[first + place])
    }

    private func flush() {
        guard let watched, links[watched].state == .open else { return disturb() }
        // It may have stood still since it looked.
        guard !talk.isAccompanied || talk.holdsLease(at: EventLoop.monotonicNow()) else { return disturb() }
        let round = round
        links[watched].ask(Array("flush_all\r\n".utf8), .flushAll) { [weak self] answer in
            guard let self, self.round == round, let answer else { return }
            plan.flushed(isDone: answer.code == .ok, now: now)
            review("flushed")
            publish()
        }
        links[watched].flush()
    }

    private func begin(_ pass: FillingPlan.Pass, on target: Int, isLive: Bool, dropsStrays: Bool = false) {
        guard let job else { return }
        let (round, quietTime) = (round, plan.quietTime)
        let full = settings.nodes.indices.map { plan.verdict(on: $0).access == .full }
        control.logger.info("\(plan.phase)", metadata: metadata(job))
        control.start(
            pass, of: job, target: target, isFull: { full[$0] },
            change: { order in
                if isLive { order.settling = quietTime }
                order.dropsStrays = dropsStrays
            }
        ) { [weak self] end in
            guard let self, self.round == round else { return }
            if let problem = end.problem {
                control.logger.warning(
                    "a pass was cut short",
                    metadata: metadata(job).merging([
                        "reason": "\(problem.text { [settings] in settings.nodes[$0].label })"
                    ]) { $1 })
            }
            plan.passed(HomePlan.PassResult(end), on: target, now: now)
            review("passes failed")
            publish()
        }
    }
}

extension HomePlan.PassResult {
    fileprivate init(_ end: PassEnd) {
        switch end.problem {
        case nil: self = .whole(changed: end.changed, total: end.total)
        case .some(let problem): self = problem.isLasting ? .impossible : .cutShort
        }
    }
}
