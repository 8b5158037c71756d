import Distribution
import Testing

@Suite struct BoundedLoadTests {
    private func order(_ distributor: Distributor, _ hash: UInt64) -> [Int] {
        var members = InlineArray<16, UInt16>(repeating: 0)
        var span = members.mutableSpan
        let found = distributor.order(hash, random: 0, count: 16, into: &span)
        return (0..<found).map { Int(members[$0]) }
    }

    @Test func withoutLoadItIsKetama() {
        let members = Spread.members(5)
        let (bounded, ketama) = (
            Distributor(kind: .leastLoaded, members: members), Distributor(kind: .ketama, members: members)
        )
        let loads = [Int32](repeating: 0, count: 5)
        for hash in Spread.hashes.prefix(10_000) {
            #expect(bounded.pick(hash, loads: loads.span) == ketama.pick(hash, random: 0))
        }
    }

    @Test func aBusyMemberIsPassedOverForTheNextOnTheRing() {
        let bounded = Distributor(kind: .leastLoaded, members: Spread.members(4))
        for hash in Spread.hashes.prefix(2000) {
            let order = order(bounded, hash)
            var loads = [Int32](repeating: 10, count: 4)
            loads[order[0]] = 14
            // ⌈1.25 · 45 / 4⌉ = 15: one more fits.
            #expect(bounded.pick(hash, loads: loads.span) == order[0])
            loads[order[0]] = 15
            // ⌈1.25 · 46 / 4⌉ = 15: it does not.
            #expect(bounded.pick(hash, loads: loads.span) == order[1])
            loads[order[0]] = 30
            loads[order[1]] = 30
            #expect(bounded.pick(hash, loads: loads.span) == order[2])
        }
    }

    /// One popular key and many others: no member ever has more than its share, rounded up.
    @Test(arguments: [false, true])
    func noMemberIsEverAboveItsShare(_ weighted: Bool) {
        let members = Spread.members(6) { weighted ? 1 + $0 : 1 }
        let bounded = Distributor(kind: .leastLoaded, members: members)
        let sum = members.reduce(0) { $0 + $1.weight }
        var loads = [Int32](repeating: 0, count: 6)
        var total = 0
        for (number, hash) in Spread.hashes.prefix(6000).enumerated() {
            let member = bounded.pick(number % 3 == 0 ? hash : Spread.hashes[0], loads: loads.span)
            loads[member] += 1
            total += 1
            let share = (5 * total * members[member].weight + 4 * sum - 1) / (4 * sum)
            #expect(Int(loads[member]) <= share)
        }
    }

    @Test func loadsOfAnySizeAreTaken() {
        let bounded = Distributor(kind: .leastLoaded, members: Spread.members(3) { [100_000, 1, 99_999][$0] })
        for loads in [[Int32.max, .max, .max], [.min, .min, .min], [.max, 0, .min]] {
            for hash in Spread.hashes.prefix(100) {
                #expect((0..<3).contains(bounded.pick(hash, loads: loads.span)))
            }
        }
    }

    @Test(arguments: DistributionKind.allCases.filter { $0 != .leastLoaded && $0 != .random })
    func otherKindsDoNotLookAtLoads(_ kind: DistributionKind) {
        let distributor = Distributor(kind: kind, members: Spread.members(3))
        let loads: [Int32] = [100, 0, 0]
        for hash in Spread.hashes.prefix(1000) {
            #expect(distributor.pick(hash, loads: loads.span) == distributor.pick(hash, random: 0))
        }
    }
}
