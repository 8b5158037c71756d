import DroverTesting
import Testing

@testable import ProxyCore

/// Against the same rules in words of sets.
@Suite struct CopyProgressTests {
    /// Of three copies, two as `min_live` asks for: what has been heard of each when the client is, and what it hears.
    @Test(
        arguments: [
            (1, "a--", nil), (1, "aa-", false), (1, "a-a", false), (1, "af-", nil), (1, "aff", true), (1, "fa-", nil),
            (1, "faa", false), (1, "ffa", true), (3, "aa-", nil), (3, "aaa", false), (3, "aaf", false),
            (3, "aff", true),
        ] as [(Int, String, Bool?)])
    func fewerThanTheLeastAreTooFew(needed: Int, heard: String, isShort: Bool?) {
        var progress = CopyProgress(needed: needed, minimum: 2)
        progress.askFirst(3)
        for (rank, what) in heard.enumerated() {
            if what == "a" { progress.answer(rank) } else if what == "f" { progress.fail(rank) }
        }
        #expect(progress.isDecided == (isShort != nil))
        if let isShort { #expect(progress.isShort == isShort) }
    }

    /// The last, which may get a delete, is asked when the others are over, and does not make up for one.
    @Test func aLateCopyDoesNotCount() {
        var progress = CopyProgress(needed: 3, minimum: 2, late: 0b100, uncounted: 0b100)
        progress.askFirst(2)
        progress.answer(0)
        progress.fail(1)
        progress.askLate(from: 2)
        #expect(!progress.isDecided)
        progress.answer(2)
        #expect(progress.isDecided && progress.isShort)
    }

    @Test func anyOrderOfAnswersAndFailures() {
        var generator = SeededGenerator.fromEnvironment()
        for _ in 0..<20_000 {
            let count = generator.pick(1..<9)
            let needed = generator.pick(1..<count + 1)
            let first = generator.once(in: 3) ? 1 : count
            let minimum = generator.pick(1..<count + 1)
            let uncounted = generator.once(in: 3) ? 1 : 0
            var progress = CopyProgress(
                needed: needed, minimum: minimum, uncounted: UInt8((1 << count) - (1 << (count - uncounted))))
            progress.askFirst(first)
            var asked = Set(0..<first)
            var (answered, failed) = (Set<Int>(), Set<Int>())
            while asked.count < count || answered.count + failed.count < asked.count {
                let waiting = asked.subtracting(answered).subtracting(failed)
                if asked.count < count, waiting.isEmpty || generator.once(in: 3) {
                    progress.ask(asked.count)
                    asked.insert(asked.count)
                } else {
                    let rank = generator.pick(waiting.sorted())
                    if generator.once(in: 3) {
                        progress.fail(rank)
                        failed.insert(rank)
                    } else {
                        progress.answer(rank)
                        answered.insert(rank)
                    }
                }
                let live = asked.subtracting(failed)
                let hasLed = live.min().map(answered.contains) ?? false
                let label: Comment = "DROVER_SEED=\(generator.seed): \(progress)"
                let awaited = min(max(needed, minimum), live.count)
                #expect(progress.isDecided == (hasLed && answered.count >= awaited), label)
                #expect(progress.isShort == (answered.count { $0 < count - uncounted } < minimum), label)
                #expect(progress.isOver == (answered.count + failed.count == asked.count), label)
                #expect(progress.isLost == live.isEmpty, label)
                #expect(progress.answers == answered.count, label)
                #expect((0..<8).allSatisfy { progress.isAsked($0) == asked.contains($0) }, label)
            }
        }
    }
}
