import Testing

@testable import Loadgen

@Suite struct KeyChoiceTests {
    private func counts(_ choice: KeyChoice, draws: Int) -> [Int] {
        var counts = Array(repeating: 0, count: choice.count)
        for draw in 0..<draws { counts[choice.number(seed: mixed(UInt64(draw)), position: 0)] += 1 }
        return counts
    }

    @Test func uniformChoiceReachesEveryKeyAboutEquallyOften() {
        let counts = counts(KeyChoice(count: 100, skew: 0), draws: 100_000)
        #expect(counts.allSatisfy { (850...1150).contains($0) })
    }

    @Test(arguments: [0.5, 0.99, 1.0, 1.5])
    func zipfFollowsItsLaw(skew: Double) {
        let keys = 1000
        let draws = 400_000
        let counts = counts(KeyChoice(count: keys, skew: skew), draws: draws)
        let weights = (1...keys).map { power(Double($0), -skew) }
        let total = weights.reduce(0, +)
        for rank in [0, 1, 2, 9, 99] {
            let expected = Double(draws) * weights[rank] / total
            // Five standard deviations of a binomial: a fixed seed never fails by chance.
            #expect(abs(Double(counts[rank]) - expected) < 5 * expected.squareRoot() + 1, "rank \(rank)")
        }
    }

    /// By repeated squaring of the logarithm would need libm; the square root is enough for these exponents.
    private func power(_ base: Double, _ exponent: Double) -> Double {
        var result = 1.0
        var rest = exponent.magnitude
        while rest >= 1 {
            result *= base
            rest -= 1
        }
        var root = base
        for _ in 0..<40 {
            root = root.squareRoot()
            rest *= 2
            if rest >= 1 {
                result *= root
                rest -= 1
            }
        }
        return exponent < 0 ? 1 / result : result
    }

    @Test func aDrawIsAFunctionOfSeedAndPosition() {
        let choice = KeyChoice(count: 1000, skew: 0.99)
        let first = (0..<50).map { choice.number(seed: 7, position: $0) }
        #expect(first == (0..<50).map { choice.number(seed: 7, position: $0) })
        #expect(first != (0..<50).map { choice.number(seed: 8, position: $0) })
        #expect(Set(first).count > 10)
    }
}
