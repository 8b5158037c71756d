import DroverTesting
import Testing

@testable import ProxyCore

/// Each rule of the protocol is there for a reason: without it, some schedule breaks a promise, and the checker sees it.
struct BrokenRuleTests {
    private static let limit = environment("DROVER_ROUNDS").flatMap(Int.init) ?? 3000

    @Test(arguments: BrokenRule.allCases.filter { !$0.isOfMoves }) func withoutItAPromiseIsBroken(rule: BrokenRule) {
        expectBroken(rule) {
            let simulation = Simulation(seed: $0, broken: rule)
            return rule == .lateWatermark ? simulation.playMissedWrites() : simulation.play()
        }
    }

    @Test(arguments: BrokenRule.allCases.filter(\.isOfMoves)) func norWithoutItWhileKeysMove(rule: BrokenRule) {
        expectBroken(rule) { Simulation(seed: $0, broken: rule, moving: true, aim: rule.aim).playMoves() }
    }

    private func expectBroken(_ rule: BrokenRule, _ play: (UInt64) -> String?) {
        for seed in 1...UInt64(Self.limit) {
            if let complaint = play(seed), complaint.contains(": P") {
                print("without \(rule): \(complaint)")
                return
            }
        }
        Issue.record("nothing was noticed without \(rule)")
    }
}
