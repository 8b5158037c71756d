internal import ProxyCore
internal import Telemetry

/// A piece of work that takes long, as operators see it and steer it. It lives on the control thread.
final class Job {
    let id: Int
    let kind: String
    let pool: Int
    /// The node that it is about, by its place in the pool.
    let place: Int?
    /// Its name.
    private let node: String?
    private let began: UInt64
    private let started: UInt64
    private var ended: UInt64?
    private(set) var state = JobView.State.running
    private var outcome = ""
    var phase = ""
    private var tally = TransferTally()
    /// Shares and the like, beside the report.
    var figures: [(name: String, value: Double?)] = []
    /// What the pool is like, for the report: when operators saw the job first, and at its end.
    private let measure: (Job) -> PoolQuality
    private var before: PoolQuality?
    private var after: PoolQuality?
    private var known = 0
    private var done = 0
    private var halvings = 0
    private var rate = 0.0
    private var lastDone = 0
    private var lastTime: UInt64 = 0
    /// The pass under way.
    private(set) var pass: UInt64?
    /// What ends it.
    var cancelled: () -> Void = {}
    /// Why it cannot be cancelled now; nil where it can.
    var objection: () -> String? = { nil }
    private var isCancelled = false
    /// Its pass waits until another dump of a node has ended.
    private var isWaiting = false

    /// - Parameters:
    ///   - now: monotonic nanoseconds.
    ///   - unixTime: seconds.
    init(
        id: Int, kind: String, pool: Int, place: Int?, node: String?, now: UInt64, unixTime: UInt64,
        measure: @escaping (Job) -> PoolQuality
    ) {
        (self.id, self.kind, self.pool, self.place, self.node) = (id, kind, pool, place, node)
        (began, started, self.measure) = (now, unixTime, measure)
    }

    var isOver: Bool { ended != nil }
    /// When it is done its node may be read.
    var readiesNode: Bool { kind == "fill" || kind == "return" }
    /// It came to the end that it was begun for.
    var isDone: Bool { state == .done }
    var isPaused: Bool { state == .paused }
    /// All passes together.
    var report: TransferReport { tally.report }
    /// It goes as slowly as it can, for the clients' sake.
    var isSlowest: Bool { halvings >= Int(TransferRate.slowest) }

    func setPaused(_ isPaused: Bool) { if !isOver { state = isPaused ? .paused : .running } }

    /// From now on operators see it.
    func shown() { before = measure(self) }

    /// An operator wants no more of it.
    func cancel() {
        isCancelled = true
        cancelled()
    }

    /// It could not be cancelled any more.
    func goesOn() { isCancelled = false }

    // MARK: Passes

    func passBegan(_ id: UInt64, _ pass: FillingPlan.Pass, on target: Int, now: UInt64) {
        self.pass = id
        tally.began(pass, on: target, now: now)
        (known, done, rate, lastDone, lastTime) = (0, 0, 0, 0, now)
    }

    func take(_ progress: PassProgress, now: UInt64) {
        (known, done, halvings) = (progress.known, progress.done, progress.halvings)
        isWaiting = progress.stage == .waiting
        tally.progressed(progress.report)
        guard now > lastTime else { return }
        let lately = Double(max(0, done - lastDone)) * 1e9 / Double(now - lastTime)
        rate = rate == 0 ? lately : rate + (lately - rate) / 4
        (lastDone, lastTime) = (done, now)
    }

    func passEnded(_ end: PassEnd, now: UInt64) {
        (pass, isWaiting) = (nil, false)
        tally.ended(end.report, changed: end.changed, isWhole: end.isWhole, now: now)
    }

    /// Nothing is under way for a while.
    func rest(_ phase: String) {
        self.phase = phase
        (known, done, rate) = (0, 0, 0)
    }

    func end(_ outcome: String, isDone: Bool, now: UInt64) {
        guard ended == nil else { return }
        // Whatever it was that ended it, the operator did it.
        self.outcome = isCancelled && !isDone ? "cancelled" : outcome
        (ended, state, phase, pass) = (now, isDone ? .done : .ended, "", nil)
        tally.closed(now: now)
        if before != nil { after = measure(self) }
    }

    // MARK: For operators

    func view(pool name: String, now: UInt64) -> JobView {
        var view = JobView(id: id, kind: kind, pool: name, node: node, started: started)
        (view.state, view.outcome) = (state, outcome)
        view.phase = isWaiting && !isOver ? "\(phase), waiting for another dump to end" : phase
        view.seconds = Double((ended ?? now) - began) / 1e9
        (view.done, view.known, view.rate, view.halvings) = (done, known, isOver ? 0 : rate, halvings)
        var report = report
        report.totalTime = (ended ?? now) - began
        view.report = report.figures + figures + PoolQuality.figures(before: before, after: after)
        return view
    }
}

extension TransferReport {
    /// What was counted, in the order in which it happens.
    var figures: [(name: String, value: Double?)] {
        [
            ("copied", Double(copied)), ("copied_bytes", Double(copiedBytes)), ("present", Double(present)),
            ("gone", Double(gone)), ("skipped_stale", Double(skipped(.stale))),
            ("skipped_stub", Double(skipped(.stub))), ("skipped_too_large", Double(skipped(.tooLarge))),
            ("skipped_expiring", Double(skipped(.expiring))), ("taken_back", Double(takenBack)),
            ("kept", Double(kept)), ("dropped", Double(dropped)), ("unproven", Double(unproven)),
            ("verified", Double(verified)), ("diverged", Double(diverged)), ("absent", Double(absent)),
            ("repaired", Double(repaired)), ("expired", Double(expired)), ("damaged", Double(damaged)),
            ("list_seconds", Double(listTime) / 1e9), ("copy_seconds", Double(copyTime) / 1e9),
            ("sync_seconds", Double(syncTime) / 1e9), ("verify_seconds", Double(verifyTime) / 1e9),
            ("total_seconds", Double(totalTime) / 1e9),
        ]
    }
}
