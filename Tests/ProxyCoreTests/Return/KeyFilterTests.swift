import Testing

@testable import ProxyCore

struct KeyFilterTests {
    private func filter(_ count: Int, seed: UInt64 = 1) -> KeyFilter {
        var filter = KeyFilter(megabytes: 1, seed: seed)
        for number in 0..<count {
            let key = Array("key-\(number)".utf8)
            unsafe filter.insert(key.span.bytes)
        }
        return filter
    }

    private func has(_ filter: KeyFilter, _ text: String) -> Bool {
        let key = Array(text.utf8)
        return unsafe filter.contains(key.span.bytes)
    }

    @Test func knowsWhatWasPutIn() {
        let filter = filter(20_000)
        #expect((0..<20_000).allSatisfy { has(filter, "key-\($0)") })
        #expect(!has(KeyFilter(megabytes: 1, seed: 1), "key-1"))
    }

    /// 2^23 bits, 8 for each of a million keys: (1 - e^(-4/8))^4 is 2.4 %.
    @Test func fewOthersPassAndNotThoseOfAnotherSeed() {
        let (one, other) = (filter(1_000_000), filter(1_000_000, seed: 2))
        let passing = (0..<20_000).filter { has(one, "other-\($0)") }
        #expect((300...650).contains(passing.count), "\(passing.count)")
        #expect(passing.count { has(other, "other-\($0)") } < 60)
    }

    @Test func tooManyAreAsNone() {
        let filter = filter(1_100_000)
        #expect(filter.count == 1_100_000 && !has(filter, "key-1"))
    }
}
