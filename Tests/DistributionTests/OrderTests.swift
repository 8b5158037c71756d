import Distribution
import Testing

@Suite struct OrderTests {
    private func order(_ distributor: Distributor, _ hash: UInt64, _ count: Int) -> [Int] {
        var members = InlineArray<16, UInt16>(repeating: .max)
        var span = members.mutableSpan
        let found = distributor.order(hash, random: hash, count: count, into: &span)
        return (0..<found).map { Int(members[$0]) }
    }

    @Test(arguments: DistributionKind.allCases)
    func membersAreDifferentAndBeginWithThePick(_ kind: DistributionKind) {
        let distributor = Distributor(kind: kind, members: Spread.members(6) { 1 + $0 })
        for hash in Spread.hashes.prefix(5000) {
            let all = order(distributor, hash, 6)
            #expect(Set(all) == Set(0..<6))
            #expect(all[0] == distributor.pick(hash, random: hash))
            // Fewer copies are the first of more.
            for count in 0...6 { #expect(order(distributor, hash, count) == Array(all.prefix(count))) }
            #expect(order(distributor, hash, 16) == all)
        }
    }

    @Test(arguments: DistributionKind.allCases)
    func zonesAreUsedOnceBeforeAnyIsUsedTwice(_ kind: DistributionKind) {
        let zones = ["a", "a", "a", "b", "b", nil, "c"]
        let members = Spread.members(7, zone: { zones[$0] })
        let distributor = Distributor(kind: kind, members: members)
        for hash in Spread.hashes.prefix(5000) {
            let all = order(distributor, hash, 7)
            #expect(Set(all).count == 7)
            #expect(all[0] == distributor.pick(hash, random: hash))
            #expect(Set(all.prefix(4).map { zones[$0] ?? "none" }).count == 4, "\(all)")
        }
    }

    /// The second copy is where the key goes when the first member is gone.
    @Test(arguments: [DistributionKind.ketama, .leastLoaded, .rendezvous])
    func theNextMemberIsTheHeir(_ kind: DistributionKind) {
        let members = Spread.members(8)
        let whole = Distributor(kind: kind, members: members)
        let without = (0..<8).map { gone in
            Distributor(kind: kind, members: members.enumerated().filter { $0.offset != gone }.map(\.element))
        }
        for hash in Spread.hashes.prefix(5000) {
            let pair = order(whole, hash, 2)
            let heir = without[pair[0]].pick(hash, random: 0)
            #expect(heir + (heir >= pair[0] ? 1 : 0) == pair[1])
        }
    }

    /// A member that is down is stood in for by all others, not by one neighbour.
    @Test(arguments: [DistributionKind.ketama, .jump, .rendezvous, .maglev, .leastLoaded])
    func secondCopiesAreSpread(_ kind: DistributionKind) {
        let distributor = Distributor(kind: kind, members: Spread.members(5))
        var counts = [Int](repeating: 0, count: 5)
        var keys = 0
        for hash in Spread.hashes {
            let pair = order(distributor, hash, 2)
            guard pair[0] == 2 else { continue }
            keys += 1
            counts[pair[1]] += 1
        }
        for other in [0, 1, 3, 4] { #expect(counts[other] > keys / 10, "\(counts)") }
    }

    @Test func modulaGoesOnInTheList() {
        let distributor = Distributor(kind: .modula, members: Spread.members(4) { [1, 3, 1, 1][$0] })
        #expect(order(distributor, 2, 4) == [1, 2, 3, 0])
        #expect(order(distributor, 5, 3) == [3, 0, 1])
    }

    /// Next to the heaviest, members of weight 1 have no point and hardly a slot.
    @Test(arguments: DistributionKind.allCases)
    func membersTooLightToBeMetAreStillCopies(_ kind: DistributionKind) {
        let distributor = Distributor(kind: kind, members: Spread.members(4) { $0 == 1 ? 100_000 : 1 })
        for hash in Spread.hashes.prefix(200) {
            #expect(Set(order(distributor, hash, 4)) == [0, 1, 2, 3])
        }
    }

    /// Only copies that must move do: at most those of a place that the newcomer takes, and what it pushes out.
    @Test(arguments: [DistributionKind.ketama, .rendezvous, .jump])
    func aMemberThatJoinsPushesOutOneCopyAtMost(_ kind: DistributionKind) {
        let members = Spread.members(9)
        let (before, after) = (
            Distributor(kind: kind, members: Array(members.dropLast())), Distributor(kind: kind, members: members)
        )
        var moved = 0
        for hash in Spread.hashes.prefix(20_000) {
            let (old, new) = (Set(order(before, hash, 2)), Set(order(after, hash, 2)))
            moved += new.subtracting(old).count
            if kind != .jump { #expect(new.subtracting(old).isSubset(of: [8])) }
        }
        // Two of nine copies are the newcomer's; jump moves a little more, as its stand-ins are drawn anew.
        #expect(moved < 20_000 * 2 / 9 * 13 / 10, "\(moved)")
    }
}
