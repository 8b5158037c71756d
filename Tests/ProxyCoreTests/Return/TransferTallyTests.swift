import ProxyCore
import Testing

/// What a job's report says of its passes, and of its pool.
struct TransferTallyTests {
    private static func report(copied: Int = 0, diverged: Int = 0, listTime: UInt64 = 0) -> TransferReport {
        var report = TransferReport()
        (report.copied, report.diverged, report.listTime) = (copied, diverged, listTime)
        return report
    }

    @Test func passesAreAddedUp() {
        var tally = TransferTally()
        tally.began(.copy(number: 1), on: 0, now: 10)
        tally.progressed(Self.report(copied: 3))
        #expect(tally.report.copied == 3 && tally.report.copyTime == 0)
        tally.progressed(Self.report(copied: 7))
        tally.ended(Self.report(copied: 8, listTime: 2), changed: 8, isWhole: true, now: 15)
        tally.began(.copy(number: 2), on: 0, now: 20)
        tally.ended(Self.report(copied: 1), changed: 1, isWhole: true, now: 26)
        tally.began(.verify, on: 0, now: 30)
        tally.ended(Self.report(diverged: 0), changed: 0, isWhole: true, now: 37)
        // Of another target, first.
        tally.began(.copy(number: 1), on: 1, now: 40)
        tally.ended(Self.report(copied: 2, listTime: 3), changed: 2, isWhole: true, now: 48)
        let report = tally.report
        #expect(report.copied == 11 && report.repaired == 0)
        #expect((report.listTime, report.copyTime, report.syncTime, report.verifyTime) == (5, 13, 6, 7))
    }

    /// A job that is cancelled ends before its pass does.
    @Test func aPassThatOutlivesItsJobIsCountedAndNotTimed() {
        var tally = TransferTally()
        tally.began(.copy(number: 1), on: 0, now: 10)
        tally.progressed(Self.report(copied: 3))
        tally.closed(now: 14)
        #expect(tally.report.copied == 3 && tally.report.copyTime == 4)
        tally.ended(Self.report(copied: 5), changed: 5, isWhole: false, now: 100)
        #expect(tally.report.copied == 5 && tally.report.copyTime == 4)
        tally.closed(now: 200)
        #expect(tally.report.copyTime == 4)
    }

    private struct Step {
        var pass: FillingPlan.Pass
        var target = 0
        var changed = 0
        var isWhole = true
    }

    /// Only what is copied because of what a verification has found is repaired.
    @Test(
        arguments: [
            // A repair, and what has come meanwhile.
            (
                [
                    Step(pass: .copy(number: 1)), Step(pass: .verify, changed: 4), Step(pass: .copy(number: 2)),
                    Step(pass: .copy(number: 3)),
                ], 2
            ),
            ([Step(pass: .verify, changed: 4), Step(pass: .copy(number: 1))], 1),
            ([Step(pass: .verify), Step(pass: .copy(number: 1))], 0),
            // Another node's turn.
            ([Step(pass: .verify, changed: 4), Step(pass: .copy(number: 1), target: 1)], 0),
            ([Step(pass: .verify, changed: 4), Step(pass: .verify, target: 1), Step(pass: .copy(number: 1))], 0),
            // All anew.
            ([Step(pass: .verify, changed: 4, isWhole: false), Step(pass: .copy(number: 1))], 0),
            (
                [
                    Step(pass: .verify, changed: 4), Step(pass: .copy(number: 2), isWhole: false),
                    Step(pass: .copy(number: 1)),
                ], 1
            ),
        ])
    private func whatIsCopiedAfterAFindingIsRepaired(steps: [Step], repairs: Int) {
        var tally = TransferTally()
        for step in steps {
            tally.began(step.pass, on: step.target, now: 0)
            let isVerify = step.pass == .verify
            let report = isVerify ? Self.report(diverged: step.changed) : Self.report(copied: 5)
            tally.progressed(report)
            tally.ended(report, changed: step.changed, isWhole: step.isWhole, now: 0)
        }
        #expect(tally.report.repaired == 5 * repairs)
    }

    @Test func aBackupTellsWhatItHas() throws {
        #expect(BackupRecord(of: TransferReport(), time: 0) == nil)
        var report = Self.report(copied: 9)
        report.gone = 100
        report.count(.skipped(.tooLarge), bytes: 0)
        let record = try #require(BackupRecord(of: report, time: 1_000_000_000))
        #expect(record.share == 0.9)
        let quality = PoolQuality(consistency: nil, availability: 0.5, backup: record, now: 4_500_000_000)
        let earlier = PoolQuality(consistency: 1, availability: 1, backup: nil, now: 0)
        let figures = PoolQuality.figures(before: earlier, after: quality)
        func figure(_ name: String) -> Double? { figures.first { $0.name == name }.flatMap(\.value) }
        #expect(figure("consistency_before_ratio") == 1 && figure("consistency_after_ratio") == nil)
        #expect(figure("availability_after_ratio") == 0.5)
        #expect(figure("persistence_before_ratio") == nil && figure("persistence_after_ratio") == 0.9)
        #expect(figure("backup_age_seconds") == 3.5)
        #expect(PoolQuality.figures(before: earlier, after: nil).map(\.name) == figures.map(\.name))
    }
}
