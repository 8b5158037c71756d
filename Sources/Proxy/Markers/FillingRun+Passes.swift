internal import Logging
internal import ProxyCore

/// Passes, and what is told of the whole.
extension FillingRun {
    func begin(_ pass: FillingPlan.Pass) {
        job.phase =
            switch pass {
            case .clean: "cleaning"
            case .copy(let number): "copying, pass \(number)"
            case .verify: "verifying"
            }
        isPassing = true
        control.logger.info("\(job.phase)", metadata: metadata)
        control.start(
            pass, of: job, target: plan.target, isFull: { [unowned self] in isSource($0) },
            change: { $0.sharesList = true }
        ) { [weak self] end in
            guard let self, !isOver else { return }
            isPassing = false
            if let problem = end.problem {
                control.logger.warning(
                    "a pass was cut short",
                    metadata: metadata.merging(["reason": "\(problem.text(label: label))"]) { $1 })
            }
            plan.passed(changed: end.changed, of: end.total, isWhole: end.isWhole, now: keeper.now)
            work()
        }
    }

    private func isSource(_ place: Int) -> Bool {
        guard place < plan.peers.count, case .full = plan.peers[place] else { return false }
        return true
    }

    private func label(_ place: Int) -> String { keeper.settings.allNodes[place].label }

    var metadata: Logger.Metadata { control.describe(keeper.first + plan.target, ["job": "\(job.id)"]) }

    func tell(_ outcome: FillingPlan.Outcome) {
        let seconds = Double((keeper.now - plan.started) / 1_000_000) / 1000
        switch outcome {
        case .ready:
            let report = job.report
            job.end("ready", isDone: true, now: keeper.now)
            control.logger.notice(
                "node is filled",
                metadata: metadata.merging([
                    "seconds": "\(seconds)", "copied": "\(report.copied)", "kept": "\(report.kept)",
                    "dropped": "\(report.dropped)", "taken back": "\(report.takenBack)",
                    "verified": "\(report.verified)", "diverged": "\(report.diverged)",
                ]) { $1 })
        case .ended(let reason):
            job.end(reason.text, isDone: false, now: keeper.now)
            // Nothing to wonder at: another proxy was faster.
            control.logger.log(
                level: reason == .leased ? .debug : .warning, "filling ended",
                metadata: metadata.merging(["reason": "\(reason.text)", "seconds": "\(seconds)"]) { $1 })
        }
    }
}

extension FillingPlan.EndReason {
    var text: String {
        switch self {
        case .leased: "another proxy fills it"
        case .disturbed: "a node did not answer, went or came"
        case .revoked: "the node missed a write meanwhile"
        case .withoutCAS: "the node keeps no CAS numbers (memcached -C): it cannot be filled safely"
        }
    }
}
