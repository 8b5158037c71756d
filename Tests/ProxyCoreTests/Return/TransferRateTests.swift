import Testing

@testable import ProxyCore

struct TransferRateTests {
    /// Items that go within a second, if each is asked for as soon as it may be.
    private func items(_ rate: inout TransferRate, bytes: Int, from start: UInt64) -> Int {
        var (now, count) = (start, 0)
        while now < start + 1_000_000_000 {
            if rate.nextTime > now {
                now = rate.nextTime
                continue
            }
            rate.takeItem(now: now)
            rate.takeBytes(bytes, now: now)
            count += 1
        }
        return count
    }

    @Test func neitherLimitIsPassed() {
        var rate = TransferRate(rate: 20_000, bandwidth: 20 << 20)
        let small = items(&rate, bytes: 100, from: 5_000_000_000)
        #expect((20_000...20_500).contains(small))
        // 10 KiB each: 2048 a second by bandwidth.
        let large = items(&rate, bytes: 10_240, from: 9_000_000_000)
        #expect((2000...2150).contains(large))
    }

    @Test func aPauseSavesLittle() {
        var rate = TransferRate(rate: 1000, bandwidth: 1 << 30)
        _ = items(&rate, bytes: 1, from: 0)
        var burst = 0
        while rate.nextTime <= 100_000_000_000 {
            rate.takeItem(now: 100_000_000_000)
            burst += 1
        }
        #expect(burst == 21, "20 ms")
    }

    @Test func itYieldsAndRecovers() {
        var rate = TransferRate(rate: 8000, bandwidth: 1 << 40)
        rate.look(isStrained: true)
        let halved = items(&rate, bytes: 1, from: 0)
        #expect((4000...4200).contains(halved))
        for _ in 0..<20 { rate.look(isStrained: true) }
        let slowest = items(&rate, bytes: 1, from: 5_000_000_000)
        #expect(rate.halvings == 6 && (125...128).contains(slowest), "never to a stop")
        for _ in 0..<17 { rate.look(isStrained: false) }
        #expect(rate.halvings == 1)
        rate.look(isStrained: false)
        let full = items(&rate, bytes: 1, from: 9_000_000_000)
        #expect(rate.halvings == 0 && (8000...8200).contains(full))
    }

    @Test func hugeNumbersDoNotTrap() {
        var rate = TransferRate(rate: 0, bandwidth: 0)
        rate.takeBytes(.max, now: .max)
        rate.takeBytes(-1, now: 0)
        rate.takeItem(now: .max)
        #expect(rate.nextTime > 0)
        rate = TransferRate(rate: .max, bandwidth: .max)
        rate.takeItem(now: 0)
        #expect(rate.nextTime == 0)
    }

    @Test func theReportCounts() {
        var report = TransferReport()
        report.count(.copied, bytes: 100)
        report.count(.skipped(.tooLarge), bytes: 100)
        report.count(.skipped(.tooLarge), bytes: 100)
        report.count(.takenBack, bytes: 100)
        report.count(CleanStep.Outcome.dropped)
        report.count(VerifyStep.Outcome.diverged)
        report.count(.copy(number: 1), time: 5)
        report.count(.copy(number: 2), time: 6)
        report.count(.copy(number: 3), time: 7)
        report.count(.verify, time: 8)
        #expect(report.copied == 1 && report.copiedBytes == 100 && report.skipped(.tooLarge) == 2)
        #expect(report.skipped(.stale) == 0 && report.takenBack == 1 && report.dropped == 1)
        #expect(report.verified == 1 && report.diverged == 1)
        #expect((report.copyTime, report.syncTime, report.verifyTime) == (5, 13, 8))
    }
}
