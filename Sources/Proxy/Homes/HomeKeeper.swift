internal import Logging
internal import MemcacheProtocol
internal import ProxyCore
internal import Reactor

/// What the control thread does about the nodes of a pool with one copy of each key whose nodes stand in for each other:
/// the keys of one that comes back are brought home. Decisions are `HomePlan`'s; here are the connection, the clock and
/// the passes.
///
/// Nodes go by their place in the pool.
final class HomeKeeper {
    unowned let control: Control
    private let pool: Int
    /// The pool's first node among all nodes.
    let first: Int
    /// Its nodes among all nodes.
    let numbers: Range<Int>
    private let settings: PoolSettings
    var plan: HomePlan
    /// Of the plan, when what is under way was begun.
    private var round = 0
    private var waitsUntil: UInt64?
    private var job: Job?
    /// To each node; open while there is something to be said to it.
    private(set) var links: [MarkerLink] = []
    /// The one whose connection is kept while it is brought home: it is one process.
    var watched: Int?
    let names: [String]
    /// What waits for a connection, and how many answers are awaited.
    var mail: [[(command: MarkerCommand, answered: (MarkerReply) -> Void)]]
    var awaited: [Int]
    var told: [HomePlan.Record?]
    /// Found on the nodes at the start.
    var found: [Int: HomePlan.Record] = [:]
    private var isToldHopeless = false

    init(_ control: Control, pool: Int) {
        (self.control, self.pool) = (control, pool)
        let topology = control.topology.pools[pool]
        (first, settings, numbers) = (topology.firstNode, topology.settings, topology.nodes)
        let count = settings.nodes.count
        plan = HomePlan(nodes: count, timeout: settings.timeout, verifies: settings.sync.verify != .none)
        names = settings.nodes.map(\.ringName)
        mail = Array(repeating: [], count: count)
        awaited = Array(repeating: 0, count: count)
        told = Array(repeating: nil, count: count)
        for place in 0..<count {
            links.append(
                MarkerLink(
                    node: first + place, on: control.loop, timeout: settings.timeout,
                    connectTimeout: settings.connectTimeout, lost: { [unowned self] _ in lost(place) }))
        }
    }

    private var now: UInt64 { control.loop.now }

    /// Takes the place of the keeper of other nodes, and knows what that one knew of those that stay.
    ///
    /// - Parameters:
    ///   - earlier: nil where there was none.
    ///   - origins: by place: the node's number before.
    ///   - awaitsSweep: nodes may have what belongs to others, and it is being dropped: `swept`.
    func begin(after earlier: HomeKeeper?, origins: [Int?], awaitsSweep: Bool) {
        if let earlier {
            for (place, origin) in origins.enumerated() {
                guard let origin, let record = earlier.plan.record(of: origin - earlier.first) else { continue }
                found[place] = record
            }
            earlier.retire()
        }
        plan.begin(with: found)
        if awaitsSweep { plan.awaitSweep() }
        for place in names.indices {
            told[place] = found[place]
            if !control.isUp(first + place) { plan.wentDown(place, now: now) }
        }
    }

    /// Another keeper is there, or none is needed; what is under way for a node's keys begins anew with it.
    func retire() {
        if let job {
            control.cancelPass(of: job)
            job.end("the pool's nodes have changed", isDone: false, now: now)
        }
        job = nil
        watched = nil
        for link in links { link.fail() }
    }

    // MARK: What happens

    /// The verdict on the node has changed.
    func judged(_ place: Int, isUp: Bool) {
        if isUp { plan.answers(place, now: now) } else { plan.wentDown(place, now: now) }
        review("a node went or came")
    }

    func swept() {
        plan.swept()
        control.publish()
    }

    /// - Parameter node: among all nodes.
    /// - Returns: the write may be acknowledged.
    func missedWrite(_ node: Int) -> Bool {
        let isKept = plan.missedWrite(node - first, now: now)
        review("the node missed a write meanwhile")
        // The workers know of it before the client gets his answer.
        control.publish()
        return isKept
    }

    private func lost(_ place: Int) {
        let letters = mail[place]
        mail[place] = []
        for letter in letters { letter.answered(.failed) }
        if watched == place { disturb() }
    }

    private func disturb() {
        plan.disturbed(now: now)
        review("the connection to the node was lost")
        control.publish()
    }

    /// What is under way may have lost its ground.
    private func review(_ reason: String) {
        guard plan.round != round else { return }
        round = plan.round
        waitsUntil = nil
        if let job { control.cancelPass(of: job) }
        tellHopeless()
        watched = nil
        // What stood in is still to be dropped.
        guard let job, !plan.isBusy || plan.places[plan.node] != .home else { return }
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
    func stopWork() { if let job { control.cancelPass(of: job) } }

    // MARK: In each turn of the loop

    var nextTime: UInt64 {
        let time = links.reduce(waitsUntil ?? plan.nextTime) { min($0, $1.deadline) }
        return control.isDraining ? .max : time
    }

    func work() {
        guard !control.isDraining else { return }
        for link in links { link.expire(now: now) }
        if let time = waitsUntil, now >= time {
            waitsUntil = nil
            plan.waited(now: now)
            review("")
            control.publish()
        }
        if waitsUntil == nil, plan.nextTime <= now { proceed() }
        tellRecords()
        exchangeMail()
    }

    private func proceed() {
        let next = plan.nextCommand(now: now)
        review("a node went or came")
        guard let command = next else { return control.publish() }
        let job = currentJob()
        job.phase = plan.phase
        control.publish()
        switch command {
        case .wait(let until):
            if watched == nil, plan.places[plan.node] == .back { watch(plan.node) }
            waitsUntil = until
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
        let round = round
        links[watched].ask(Array("flush_all\r\n".utf8), .flushAll) { [weak self] answer in
            guard let self, self.round == round, let answer else { return }
            plan.flushed(isDone: answer.code == .ok, now: now)
            review("flushed")
            control.publish()
        }
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
            control.publish()
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
