internal import Logging
internal import ProxyCore

final class RunningPass {}

extension FillingRun {
    func begin(_ pass: FillingPlan.Pass) {
        plan.passed(changed: 0, isWhole: false, now: 0)
    }
    func tell(_ outcome: FillingPlan.Outcome) {
    }
}
