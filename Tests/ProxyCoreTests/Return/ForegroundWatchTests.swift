import Testing

@testable import ProxyCore

struct ForegroundWatchTests {
    @Test func strainIsWhatIsNotUsual() {
        var watch = ForegroundWatch()
        var now: UInt64 = 0
        func suffer(_ p99: UInt64?, timeouts: UInt64, _ load: ForegroundWatch.Load = .transfer) -> Bool {
            now += 15_000_000_000
            return watch.look(p99: p99, timeouts: timeouts, under: load, now: now)
        }
        #expect(!suffer(1_000_000, timeouts: 5, .usual))
        for _ in 0..<50 { _ = suffer(2_000_000, timeouts: 5, .usual) }
        #expect(watch.usual == 2_000_000)
        #expect(!suffer(2_400_000, timeouts: 5) && !suffer(2_400_000, timeouts: 5))
        #expect(!suffer(2_500_000, timeouts: 5), "once may be chance")
        #expect(suffer(2_500_000, timeouts: 5) && suffer(2_500_000, timeouts: 5))
        #expect(!suffer(2_400_000, timeouts: 5) && !suffer(2_500_000, timeouts: 5))
        #expect(suffer(1_000_000, timeouts: 6), "a timeout")
        #expect(suffer(nil, timeouts: 7))
        #expect(!suffer(nil, timeouts: 7))
        #expect(watch.usual == 2_000_000, "a transfer does not change what is usual")
    }

    /// The scrub of a large pool hardly ever rests: it must give way, and what clients see beside it is usual.
    @Test func whatLastsIsUsual() {
        var (watch, rate) = (ForegroundWatch(), TransferRate(rate: 1, bandwidth: 1))
        var now: UInt64 = 0
        func look(_ p99: UInt64, _ load: ForegroundWatch.Load, seconds: UInt64) -> Int {
            (0..<seconds * 2).count { _ in
                now += 500_000_000
                let isStrained = watch.look(p99: p99, timeouts: 0, under: load, now: now)
                rate.look(isStrained: isStrained)
                return isStrained
            }
        }
        #expect(look(1_000_000, .usual, seconds: 60) == 0)
        #expect(look(3_000_000, .usual, seconds: 5) == 9, "a scrub slows down, too")
        #expect(rate.halvings == TransferRate.slowest)
        #expect(watch.usual == 1_000_000, "no lesson at each look")
        #expect(look(3_000_000, .usual, seconds: 300) < 600)
        #expect(rate.halvings == 0 && watch.usual == 3_000_000)

        // It has risen for good while a transfer runs, which is not to crawl for ever.
        #expect(look(9_000_000, .transfer, seconds: 300) == 599)
        #expect(watch.usual == 3_000_000, "a transfer that may be the reason is no teacher")
        #expect(look(9_000_000, .slowestTransfer, seconds: 300) < 600)
        #expect(rate.halvings == 0)
    }

    /// What was seen of a node's failure, or of a rush that is over, is no measure for the filling that follows.
    @Test(arguments: [(rush: 60, calm: 30), (rush: 5, calm: 5), (rush: 10, calm: 15)])
    func whatWasBadJustBeforeIsNotUsual(seconds: (rush: Int, calm: Int)) {
        var watch = ForegroundWatch()
        var now: UInt64 = 0
        func look(_ p99: UInt64, _ load: ForegroundWatch.Load, seconds: Int) -> Int {
            stride(from: 0, to: seconds, by: 5).count { _ in
                now += 5_000_000_000
                return watch.look(p99: p99, timeouts: 0, under: load, now: now)
            }
        }
        if seconds.rush < 60 { _ = look(500_000, .usual, seconds: 60) }
        _ = look(8_000_000, .usual, seconds: seconds.rush)
        _ = look(500_000, .usual, seconds: seconds.calm)
        #expect(watch.usual == 500_000)
        #expect(look(800_000, .transfer, seconds: 60) == 11)
    }

    /// Timeouts in each half second, over and over.
    struct Pattern: CustomTestStringConvertible, Sendable {
        let name: String
        let counts: [UInt64]
        var testDescription: String { name }
    }

    /// Requests to a node that is slow for good time out whatever a transfer does: it slows down when that begins, and does
    /// not crawl for ever.
    @Test(arguments: [
        Pattern(name: "ten a second", counts: [5]), Pattern(name: "in bursts", counts: [50, 0]),
        Pattern(name: "in bursts further apart", counts: [50, 0, 0]), Pattern(name: "now and then", counts: [1, 0, 0]),
        Pattern(name: "uneven", counts: [3, 0, 9, 4, 1, 7, 0, 2]),
    ])
    func timeoutsThatLastAreUsual(_ pattern: Pattern) {
        var (watch, rate) = (ForegroundWatch(), TransferRate(rate: 1, bandwidth: 1))
        var (now, total, step): (UInt64, UInt64, Int) = (0, 0, 0)
        func look(times: UInt64 = 1, seconds: Int) {
            for _ in 0..<seconds * 2 {
                now += 500_000_000
                if times > 0 { total += pattern.counts[step % pattern.counts.count] * times }
                step += 1
                let load = rate.halvings == TransferRate.slowest ? ForegroundWatch.Load.slowestTransfer : .transfer
                rate.look(isStrained: watch.look(p99: 1_000_000, timeouts: total, under: load, now: now))
            }
        }
        look(times: 0, seconds: 60)
        #expect(rate.halvings == 0)
        look(seconds: 30)
        #expect(rate.halvings >= 5, "they have risen")
        look(seconds: 200)
        #expect(rate.halvings <= 1, "they last")
        look(seconds: 60)
        #expect(rate.halvings <= 1)
        look(times: 5, seconds: 30)
        #expect(rate.halvings >= 5, "they have risen once more")
    }

    /// While nothing is transferred it is learnt what is usual, from looks that are far apart.
    @Test func timeoutsOfBeforeAreUsual() {
        var watch = ForegroundWatch()
        var (now, total): (UInt64, UInt64) = (0, 0)
        func look(_ new: UInt64, after seconds: Double, _ load: ForegroundWatch.Load) -> Bool {
            now += UInt64(seconds * 1e9)
            total += new
            // Too few requests for a percentile.
            return watch.look(p99: nil, timeouts: total, under: load, now: now)
        }
        for _ in 0..<20 { _ = look(150, after: 15, .usual) }
        let usual = (0..<40).count { _ in look(5, after: 0.5, .transfer) }
        let more = (0..<20).count { _ in look(20, after: 0.5, .transfer) }
        #expect(usual == 0 && more > 15)
    }
}
