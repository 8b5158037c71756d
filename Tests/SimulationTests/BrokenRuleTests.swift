import DroverTesting
import Testing

@testable import ProxyCore

/// Each rule of the protocol is there for a reason: without it, some schedule breaks a promise, and the checker sees it.
struct BrokenRuleTests {
    @Test(arguments: BrokenRule.allCases) func withoutItAPromiseIsBroken(rule: BrokenRule) {
        let limit = environment("DROVER_ROUNDS").flatMap(Int.init) ?? 3000
        for seed in 1...limit {
            if let complaint = Simulation(seed: UInt64(seed), broken: rule).play(), complaint.contains(": P") {
                print("without \(rule): \(complaint)")
                return
            }
        }
        Issue.record("nothing was noticed without \(rule)")
    }
}
