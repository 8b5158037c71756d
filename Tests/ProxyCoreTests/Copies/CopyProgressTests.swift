import DroverTesting
import Testing

@testable import ProxyCore

/// Against the same rules in words of sets.
@Suite struct CopyProgressTests {
    @Test func anyOrderOfAnswersAndFailures() {
        var generator = SeededGenerator.fromEnvironment()
        for _ in 0..<20_000 {
            let count = generator.pick(1..<9)
            let needed = generator.pick(1..<count + 1)
            let first = generator.once(in: 3) ? 1 : count
            var progress = CopyProgress(needed: needed)
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
                #expect(progress.isDecided == (hasLed && answered.count >= min(needed, live.count)), label)
                #expect(progress.isOver == (answered.count + failed.count == asked.count), label)
                #expect(progress.isLost == live.isEmpty, label)
                #expect(progress.answers == answered.count, label)
                #expect((0..<8).allSatisfy { progress.isAsked($0) == asked.contains($0) }, label)
            }
        }
    }
}
