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
    /// All passes together.
    private(set) var report = TransferReport()
    /// Of the passes that are over.
    private var past = TransferReport()
    /// Shares and the like, beside the report.
    var figures: [(name: String, value: Double)] = []
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

    /// - Parameters:
    ///   - now: monotonic nanoseconds.
    ///   - unixTime: seconds.
    init(id: Int, kind: String, pool: Int, place: Int?, node: String?, now: UInt64, unixTime: UInt64) {
        (self.id, self.kind, self.pool, self.place, self.node) = (id, kind, pool, place, node)
        (began, started) = (now, unixTime)
    }

    var isOver: Bool { ended != nil }
    var isPaused: Bool { state == .paused }

    func setPaused(_ isPaused: Bool) { if !isOver { state = isPaused ? .paused : .running } }

    // MARK: Passes

    func passBegan(_ id: UInt64, now: UInt64) {
        pass = id
        (known, done, rate, lastDone, lastTime) = (0, 0, 0, 0, now)
    }

    func take(_ progress: PassProgress, now: UInt64) {
        (known, done, halvings) = (progress.known, progress.done, progress.halvings)
        report = past.adding(progress.report)
        guard now > lastTime else { return }
        let lately = Double(max(0, done - lastDone)) * 1e9 / Double(now - lastTime)
        rate = rate == 0 ? lately : rate + (lately - rate) / 4
        (lastDone, lastTime) = (done, now)
    }

    func passEnded(_ end: PassEnd) {
        pass = nil
        past = past.adding(end.report)
        report = past
    }

    /// Nothing is under way for a while.
    func rest(_ phase: String) {
        self.phase = phase
        (known, done, rate) = (0, 0, 0)
    }

    /// The four times, which only the plan knows.
    func take(times plan: TransferReport) {
        (report.copyTime, report.syncTime) = (plan.copyTime, plan.syncTime)
        (report.verifyTime, report.totalTime) = (plan.verifyTime, plan.totalTime)
    }

    func end(_ outcome: String, isDone: Bool, now: UInt64) {
        guard ended == nil else { return }
        (self.outcome, ended, state, phase, pass) = (outcome, now, isDone ? .done : .ended, "", nil)
    }

    // MARK: For operators

    func view(pool name: String, now: UInt64) -> JobView {
        var view = JobView(id: id, kind: kind, pool: name, node: node, started: started)
        (view.state, view.phase, view.outcome) = (state, phase, outcome)
        view.seconds = Double((ended ?? now) - began) / 1e9
        (view.done, view.known, view.rate, view.halvings) = (done, known, isOver ? 0 : rate, halvings)
        view.report = report.figures + figures
        return view
    }
}

extension TransferReport {
    /// What was counted, in the order in which it happens; causes that did not occur are left out.
    var figures: [(name: String, value: Double)] {
        var figures: [(String, Double)] = [("copied", Double(copied)), ("copied_bytes", Double(copiedBytes))]
        let counts: [(String, Int)] = [
            ("present", present), ("gone", gone), ("skipped_stale", skipped(.stale)), ("skipped_stub", skipped(.stub)),
            ("skipped_too_large", skipped(.tooLarge)), ("skipped_expiring", skipped(.expiring)),
            ("taken_back", takenBack), ("kept", kept), ("dropped", dropped), ("unproven", unproven),
            ("verified", verified), ("diverged", diverged), ("absent", absent),
            ("expired", expired), ("damaged", damaged),
        ]
        for (name, count) in counts where count > 0 { figures.append((name, Double(count))) }
        let times = [("copy", copyTime), ("sync", syncTime), ("verify", verifyTime), ("total", totalTime)]
        for (name, time) in times where time > 0 { figures.append(("\(name)_seconds", Double(time) / 1e9)) }
        return figures
    }
}
