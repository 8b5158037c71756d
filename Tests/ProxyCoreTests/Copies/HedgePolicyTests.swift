import DroverTesting
import Testing

@testable import ProxyCore

struct HedgePolicyTests {
    private static let millisecond: UInt64 = 1_000_000

    /// Latencies spread as those of a network are: most alike, some much longer.
    private static func latency(around typical: UInt64, _ random: inout SeededGenerator) -> UInt64 {
        let tail = random.once(in: 10) ? UInt64.random(in: 1...5, using: &random) : 1
        return UInt64.random(in: typical / 2...typical, using: &random) * tail
    }

    /// Whatever the level, a twentieth of the answers take longer.
    @Test(arguments: [100_000, millisecond, 20 * millisecond])
    func oneInTwentyTakesLonger(typical: UInt64) {
        var random = SeededGenerator.fromEnvironment()
        var policy = HedgePolicy(share: 500, timeout: 200 * Self.millisecond)
        var slow = 0
        for round in 0..<30_000 {
            let latency = Self.latency(around: typical, &random)
            if round >= 10_000, latency > policy.patience { slow += 1 }
            policy.answered(after: latency)
        }
        #expect((700...1300).contains(slow), "DROVER_SEED=\(random.seed): \(slow) of 20,000")
    }

    @Test func itFollowsAChangeSoon() {
        var policy = HedgePolicy(share: 500, timeout: 200 * Self.millisecond)
        for _ in 0..<2000 { policy.answered(after: 200_000) }
        #expect((180_000...260_000).contains(policy.patience), "\(policy.patience)")
        for _ in 0..<100 { policy.answered(after: 5 * Self.millisecond) }
        #expect(policy.patience > 4 * Self.millisecond)
        for _ in 0..<1500 { policy.answered(after: 200_000) }
        #expect(policy.patience < 260_000)
    }

    @Test func itStaysWithinItsBounds() {
        var policy = HedgePolicy(share: 500, timeout: 5 * Self.millisecond)
        #expect(policy.patience == 5 * Self.millisecond)
        for _ in 0..<1000 { policy.answered(after: .max) }
        #expect(policy.patience == 5 * Self.millisecond)
        for _ in 0..<10_000 { policy.answered(after: 0) }
        #expect(policy.patience == 50_000)
        #expect(HedgePolicy(share: 1, timeout: 0).patience == 50_000)
    }

    @Test(arguments: [1, 500, 3333, 10_000], [1, 50])
    func noMoreThanItsShareIsDoubled(share: Int, keys: Int) {
        var random = SeededGenerator.fromEnvironment()
        var policy = HedgePolicy(share: share, timeout: Self.millisecond)
        var (reads, doubled) = (0, 0)
        for _ in 0..<50_000 {
            let keys = keys * random.pick(1..<3)
            if random.once(in: 2) {
                policy.began(keys: keys)
                reads += keys
            } else if policy.takes(keys: keys) {
                doubled += keys
            }
            #expect(doubled * 10_000 <= reads * share)
        }
        #expect(doubled * 10_000 >= reads * min(share, 9000) - 200_000 * keys, "\(doubled) of \(reads)")
    }

    /// What was not used in a quiet hour is not all used at once.
    @Test func whatIsSavedIsBounded() {
        var policy = HedgePolicy(share: 10_000, timeout: Self.millisecond)
        for _ in 0..<1_000_000 { policy.began() }
        var doubled = 0
        while policy.takes() { doubled += 1 }
        #expect(doubled == 64)
        // Of longer lines more keys; and a read of one key takes none of that away.
        for _ in 0..<1_000_000 { policy.began(keys: 50) }
        policy.began()
        doubled = 0
        while policy.takes(keys: 50) { doubled += 1 }
        #expect(doubled == 64)
    }
}
