internal import Logging
internal import ProxyCore
internal import Reactor

/// Compares the copies of a pool's keys, node by node: each node's items with those of the first other copy that is
/// full. What differs is dropped and copied anew where that is wanted.
///
/// Its nodes are in use, and a write reaches them in any order: what differs is looked at again when every write that
/// was under way is over, and when it would be known if the source had missed one.
final class VerifyRun {
    private unowned let keeper: PoolKeeper
    let job: Job
    private let repairs: Bool
    private let sample: Int
    /// Which nodes were full at the start: with another set it proves nothing.
    private let full: [Bool]
    private var left: [Int]
    private var isOver = false

    init(_ job: Job, _ keeper: PoolKeeper, repairs: Bool, sample: Int) {
        (self.job, self.keeper, self.repairs, self.sample) = (job, keeper, repairs, sample)
        full = keeper.fullNodes
        left = full.indices.filter { [full] in full[$0] }
        job.cancelled = { [weak self] in self?.cancel() }
    }

    func begin() {
        guard !keeper.isRetired else { return end("the pool's nodes have changed") }
        guard let target = left.first else { return end(nil) }
        left.removeFirst()
        job.phase = "verifying \(keeper.settings.allNodes[target].label)"
        run(.verify, on: target) { [weak self] end in
            guard let self else { return }
            if repairs, end.changed > 0, end.isWhole { return copy(to: target) }
            goOn(after: end)
        }
    }

    private func copy(to target: Int) {
        guard !keeper.isRetired else { return end("the pool's nodes have changed") }
        job.phase = "repairing \(keeper.settings.allNodes[target].label)"
        run(.copy(number: 1), on: target) { [weak self] end in
            guard let self else { return }
            // What was added and not looked at again may be what a client has deleted.
            if !end.isWhole, end.hasWorked { keeper.revoke(target, sent: 0) { _ in } }
            goOn(after: end)
        }
    }

    private func run(_ pass: FillingPlan.Pass, on target: Int, _ ended: @escaping (PassEnd) -> Void) {
        keeper.control.start(
            pass, of: job, target: target, isFull: { [full] in full[$0] },
            change: { [keeper, repairs, sample] order in
                order.settling = keeper.markers.quietTime
                order.reportsOnly = !repairs
                order.sample = sample
            }, ended)
    }

    private func goOn(after end: PassEnd) {
        if let problem = end.problem {
            self.end(problem.text { [keeper] in keeper.settings.allNodes[$0].label })
        } else {
            begin()
        }
    }

    /// In each turn of the loop.
    func work() {
        if !isOver, keeper.fullNodes != full { cancel() }
    }

    private func cancel() {
        keeper.control.cancelPass(of: job)
    }

    private func end(_ problem: String?) {
        guard !isOver else { return }
        isOver = true
        let report = job.report
        let compared = report.verified - report.absent
        let share = compared > 0 ? Double(compared - report.diverged) / Double(compared) : nil
        job.figures = [("consistency_ratio", share)] + report.completeness
        let differing = "\(report.diverged) of \(compared) differed, \(report.absent) absent"
        // Who asks by a timer wants to hear of what is left as it was.
        let isDone = problem == nil && (repairs || report.diverged == 0)
        job.end(problem ?? differing, isDone: isDone, now: keeper.now)
        keeper.control.logger.notice(
            problem == nil ? "pool is verified" : "verification ended",
            metadata: [
                "pool": "\(keeper.settings.name)", "job": "\(job.id)", "result": "\(problem ?? differing)",
            ])
        keeper.verifying = nil
    }
}
