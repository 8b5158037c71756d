import ProxyCore
import Testing

/// SplitMix64: the same numbers for the same seed, everywhere.
struct HealthGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}

let healthMillisecond: UInt64 = 1_000_000
let healthPolicy = HealthPolicy(
    failAfter: 3, backoff: Backoff(base: 500 * healthMillisecond, cap: 10_000 * healthMillisecond),
    flapWindow: 10_000 * healthMillisecond)

@Suite struct NodeHealthTests {
    typealias Step = (event: NodeHealth.Event, expected: NodeHealth.Decision)

    private static let stories: [(name: String, steps: [Step])] = [
        ("two failures are not three", [(.failed, .stay), (.failed, .stay)]),
        ("three in a row", [(.failed, .stay), (.failed, .stay), (.failed, .declareDown)]),
        (
            "a success between starts the row again",
            [(.failed, .stay), (.failed, .stay), (.succeeded, .stay), (.failed, .stay), (.failed, .stay)]
        ),
        (
            "only a probe lifts the verdict",
            [
                (.failed, .stay), (.failed, .stay), (.failed, .declareDown), (.succeeded, .stay), (.failed, .stay),
                (.probeFailed, .waitForProbe), (.probeAnswered, .declareUp), (.succeeded, .stay),
            ]
        ),
        (
            "the row starts again after coming up",
            [
                (.failed, .stay), (.failed, .stay), (.failed, .declareDown), (.probeAnswered, .declareUp),
                (.failed, .stay), (.failed, .stay), (.failed, .declareDown),
            ]
        ),
        ("a probe of a node that is up says nothing", [(.probeFailed, .stay), (.probeAnswered, .stay)]),
    ]

    @Test(arguments: stories.indices)
    func story(index: Int) {
        var node = NodeHealth()
        var generator = HealthGenerator(state: 1)
        for (step, (event, expected)) in Self.stories[index].steps.enumerated() {
            let decision = node.apply(
                event, now: UInt64(step), policy: healthPolicy, mayEject: true, using: &generator)
            #expect(decision == expected, "\(Self.stories[index].name), step \(step)")
        }
    }

    @Test func aSuspectGoesDownWithTheFirstFailureThatMay() {
        var node = NodeHealth()
        var generator = HealthGenerator(state: 1)
        for now in 0..<10 as Range<UInt64> {
            #expect(node.apply(.failed, now: now, policy: healthPolicy, mayEject: false, using: &generator) == .stay)
        }
        #expect(node.isUp && node.isSuspect(healthPolicy))
        #expect(node.apply(.failed, now: 10, policy: healthPolicy, mayEject: true, using: &generator) == .declareDown)
        #expect(!node.isUp && !node.isSuspect(healthPolicy))
    }

    @Test func aProbeStartsOnceWhenDue() throws {
        var node = NodeHealth()
        var generator = HealthGenerator(state: 1)
        var started = node.startProbe(now: .max)
        #expect(node.probeTime == nil && !started)
        for _ in 0..<3 { _ = node.apply(.failed, now: 0, policy: healthPolicy, mayEject: true, using: &generator) }
        let due = try #require(node.probeTime)
        #expect((250...500).contains(due / healthMillisecond))
        started = node.startProbe(now: due - 1)
        #expect(!started)
        started = node.startProbe(now: due)
        #expect(started)
        started = node.startProbe(now: .max)
        #expect(node.probeTime == nil && !started, "one is under way")
        _ = node.apply(.probeFailed, now: due, policy: healthPolicy, mayEject: true, using: &generator)
        let next = try #require(node.probeTime)
        #expect((500...1000).contains((next - due) / healthMillisecond))
    }

    /// Goes down, waits, comes up, stays up for `upTime`, and so on; returns how long each time down was.
    private static func holds(times: Int, upTime: UInt64, seed: UInt64) -> [UInt64] {
        var node = NodeHealth()
        var generator = HealthGenerator(state: seed)
        var now: UInt64 = 0
        return (0..<times).map { _ in
            for _ in 0..<3 {
                _ = node.apply(.failed, now: now, policy: healthPolicy, mayEject: true, using: &generator)
            }
            let down = now
            now = node.probeTime ?? 0
            _ = node.startProbe(now: now)
            _ = node.apply(.probeAnswered, now: now, policy: healthPolicy, mayEject: true, using: &generator)
            defer { now += upTime }
            return now - down
        }
    }

    @Test(arguments: 1...50 as ClosedRange<UInt64>)
    func aFlappingNodeIsHeldLongerEachTime(seed: UInt64) {
        let holds = Self.holds(times: 8, upTime: 100 * healthMillisecond, seed: seed)
        for index in 1..<5 { #expect(holds[index] >= holds[index - 1], "seed \(seed): \(holds)") }
        #expect(holds[7] >= 5_000 * healthMillisecond && holds[7] <= 10_000 * healthMillisecond, "seed \(seed)")
    }

    @Test func aNodeThatStayedUpIsForgiven() {
        let holds = Self.holds(times: 8, upTime: 10_000 * healthMillisecond, seed: 1)
        #expect(holds.allSatisfy { $0 <= 500 * healthMillisecond }, "\(holds)")
    }

    @Test func noTimeOverflows() {
        var node = NodeHealth()
        var generator = HealthGenerator(state: 1)
        let policy = HealthPolicy(failAfter: 0, backoff: Backoff(base: .max, cap: 0), flapWindow: .max)
        for _ in 0..<200 {
            #expect(
                node.apply(.failed, now: .max - 1, policy: policy, mayEject: true, using: &generator) == .declareDown)
            #expect(node.probeTime == .max)
            _ = node.apply(.probeFailed, now: .max, policy: policy, mayEject: true, using: &generator)
            _ = node.apply(.probeAnswered, now: .max - 2, policy: policy, mayEject: true, using: &generator)
        }
        #expect(node.flaps == 63)
    }
}

@Suite struct BackoffTests {
    @Test(
        arguments: [
            (0, 500), (1, 1000), (2, 2000), (3, 4000), (4, 8000), (5, 10_000), (6, 10_000), (63, 10_000), (64, 10_000),
            (.max, 10_000), (-1, 500),
        ] as [(Int, UInt64)])
    func ceilings(attempt: Int, milliseconds: UInt64) {
        #expect(healthPolicy.backoff.ceiling(attempt: attempt) == milliseconds * healthMillisecond)
    }

    @Test func delaysAreSpreadOverTheUpperHalf() {
        var generator = HealthGenerator(state: 7)
        let delays = (0..<1000).map { _ in healthPolicy.backoff.delay(attempt: 2, using: &generator) / healthMillisecond
        }
        #expect(delays.allSatisfy { (1000...2000).contains($0) })
        let (shortest, longest) = (delays.min() ?? 0, delays.max() ?? 0)
        #expect(shortest < 1050 && longest > 1950)
    }
}
