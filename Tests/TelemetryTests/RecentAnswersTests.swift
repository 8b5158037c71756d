import Telemetry
import Testing

@Suite struct RecentAnswersTests {
    /// Against a list of all answers, past the point where it goes around twice.
    @Test(arguments: [1, 2, 3, 1000])
    func itCountsTheLatest(oneIn: Int) {
        var answers: [Bool] = []
        var recent = RecentAnswers()
        #expect(recent.count == 0 && recent.yes == 0)
        for number in 0..<(2 * RecentAnswers.capacity + 70) {
            let isYes = number * 7919 % 1009 % oneIn == 0
            answers.append(isYes)
            recent.add(isYes)
            let latest = answers.suffix(RecentAnswers.capacity)
            guard recent.count == latest.count, recent.yes == latest.count(where: { $0 }) else {
                Issue.record("after \(number + 1): \(recent.yes) of \(recent.count)")
                return
            }
        }
    }

    @Test func theRatioIsThatOfAllWorkers() {
        var one = ConsistencyStats()
        #expect(one.ratio == nil, "nothing is known before the first check")
        (one.recent, one.recentAgreeing) = (10, 9)
        var other = ConsistencyStats()
        one.merge(other)
        #expect(one.ratio == 0.9)
        (other.recent, other.recentAgreeing) = (30, 3)
        one.merge(other)
        #expect(one.ratio == 0.3)
    }
}
