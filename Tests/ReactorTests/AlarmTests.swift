import Reactor
import Testing

/// When a loop that has nothing to read wakes.
@Suite struct AlarmTests {
    private static let millisecond: UInt64 = 1_000_000
    private let loop = EventLoop()

    /// Turns once; how far behind its deadline the loop woke, in nanoseconds, below 0 if it was early.
    private func turn(in wait: UInt64) -> Int64 {
        let deadline = EventLoop.monotonicNow() + wait
        loop.turn(until: deadline)
        return Int64(loop.now) - Int64(deadline)
    }

    @Test func aLoopWakesAtItsDeadlineAndSaysNothing() {
        #expect(turn(in: 2 * Self.millisecond) >= 0)
        #expect(loop.readyCount == 0)
    }

    /// Were what has rung not silenced, each turn behind it would come back at once.
    @Test func whatHasRungIsSilentInTheNextTurn() {
        for _ in 0..<3 { #expect(turn(in: Self.millisecond) >= 0) }
    }

    @Test func anEarlierDeadlineCounts() {
        let mailbox = Mailbox<Int>()
        let watch = loop.watchReadable(mailbox.descriptor, token: 7)
        mailbox.send(1)
        // Comes back for the mail, with an alarm set for an hour from now.
        #expect(turn(in: 3_600_000 * Self.millisecond) < 0)
        #expect(mailbox.takeAll() == [1])
        let late = turn(in: 2 * Self.millisecond)
        #expect(late >= 0 && late < 3_000_000 * Int64(Self.millisecond))
        loop.remove(watch)
    }

    /// Who is woken early by a deadline that no longer counts is not told of it again.
    @Test func aLaterDeadlineIsMetAtLast() {
        let mailbox = Mailbox<Int>()
        let watch = loop.watchReadable(mailbox.descriptor, token: 7)
        mailbox.send(1)
        #expect(turn(in: 3 * Self.millisecond) < 0)
        _ = mailbox.takeAll()
        let deadline = EventLoop.monotonicNow() + 20 * Self.millisecond
        var turns = 0
        while loop.now < deadline {
            loop.turn(until: deadline)
            turns += 1
        }
        #expect(turns <= 2)
        loop.remove(watch)
    }

    /// A deadline that has passed is none to wait for, and none at all waits for the mail.
    @Test func pastAndAbsentDeadlines() {
        loop.turn(until: 0)
        let mailbox = Mailbox<Int>()
        let watch = loop.watchReadable(mailbox.descriptor, token: 7)
        mailbox.send(1)
        loop.turn()
        #expect(loop.readyCount == 1)
        #expect(loop.ready(at: 0).token == 7)
        loop.remove(watch)
    }
}
