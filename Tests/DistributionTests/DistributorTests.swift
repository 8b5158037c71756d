import Distribution
import Testing

/// Keys' hashes, and how members share them.
struct Spread {
    static let keyCount = 100_000

    /// Hashes of `key:0`, `key:1` and so on.
    static let hashes: [UInt64] = (0..<keyCount).map { KeyHash.xxh3.value(Array("key:\($0)".utf8)) }

    static func members(_ count: Int, weight: (Int) -> Int = { _ in 1 }, zone: (Int) -> String? = { _ in nil })
        -> [Member]
    {
        (0..<count).map { Member(key: "10.0.0.\($0):\(12_000 + $0)", weight: weight($0), zone: zone($0)) }
    }

    /// The key of the member of each hash. Random numbers are as good a spread as any for `random`.
    static func owners(_ kind: DistributionKind, _ members: [Member]) -> [String] {
        let distributor = Distributor(kind: kind, members: members)
        return hashes.map { members[distributor.pick($0, random: $0)].key }
    }

    /// How many keys each member has, as a share of what its weight promises.
    static func shares(_ kind: DistributionKind, _ members: [Member]) -> [Double] {
        var counts: [String: Int] = [:]
        for owner in owners(kind, members) { counts[owner, default: 0] += 1 }
        let weights = members.reduce(0) { $0 + $1.weight }
        return members.map { Double(counts[$0.key] ?? 0) / Double(keyCount) * Double(weights) / Double($0.weight) }
    }

    /// How many keys moved between members that are in both lists.
    static func strays(_ before: [String], _ after: [String], joining: Set<String> = [], leaving: Set<String> = [])
        -> Int
    {
        zip(before, after).count { $0 != $1 && !joining.contains($1) && !leaving.contains($0) }
    }
}

@Suite struct DistributorTests {
    /// What is left to chance of 100,000 keys on 10 members is 1 %; the rest is the algorithm's own.
    private static func bound(_ kind: DistributionKind) -> Double {
        kind == .ketama || kind == .leastLoaded ? 1.30 : 1.05
    }

    @Test(arguments: DistributionKind.allCases, [2, 3, 10])
    func keysAreBalanced(_ kind: DistributionKind, _ count: Int) throws {
        let shares = Spread.shares(kind, Spread.members(count))
        #expect(try #require(shares.max()) < Self.bound(kind), "\(shares)")
        #expect(try #require(shares.min()) > 2 - Self.bound(kind), "\(shares)")
    }

    @Test(arguments: DistributionKind.allCases)
    func weightsAreRespected(_ kind: DistributionKind) throws {
        let shares = Spread.shares(kind, Spread.members(6) { 1 + $0 * $0 * 4 })
        let slack = kind == .ketama || kind == .leastLoaded ? 0.5 : 0.12
        #expect(try #require(shares.max()) < 1 + slack, "\(shares)")
        #expect(try #require(shares.min()) > 1 - slack, "\(shares)")
    }

    @Test(arguments: DistributionKind.allCases)
    func theHeaviestWeightsFit(_ kind: DistributionKind) {
        let shares = Spread.shares(kind, Spread.members(3) { $0 == 0 ? 100_000 : 1 })
        #expect(shares[0] > 0.99, "\(shares)")
        let even = Spread.shares(kind, Spread.members(3) { _ in 100_000 })
        #expect(even.allSatisfy { $0 > 0.8 && $0 < 1.2 }, "\(even)")
    }

    /// Only what the newcomer takes moves.
    @Test(arguments: [DistributionKind.ketama, .leastLoaded, .jump, .rendezvous])
    func aMemberThatJoinsTakesItsShareOnly(_ kind: DistributionKind) {
        let after = Spread.members(10)
        let (old, new) = (Spread.owners(kind, Array(after.dropLast())), Spread.owners(kind, after))
        #expect(Spread.strays(old, new, joining: [after[9].key]) == 0)
        let moved = zip(old, new).count { $0 != $1 }
        #expect(abs(moved - Spread.keyCount / 10) < Spread.keyCount / 40, "\(moved)")
    }

    /// Only what the one that left had moves, wherever in the list it was.
    @Test(arguments: [DistributionKind.ketama, .leastLoaded, .rendezvous], [0, 4, 9])
    func aMemberThatLeavesMovesItsShareOnly(_ kind: DistributionKind, _ index: Int) {
        let before = Spread.members(10)
        var after = before
        let gone = after.remove(at: index)
        let (old, new) = (Spread.owners(kind, before), Spread.owners(kind, after))
        #expect(Spread.strays(old, new, leaving: [gone.key]) == 0)
        #expect(!new.contains(gone.key))
    }

    @Test(arguments: [0, 4, 9])
    func maglevMovesLittleElse(_ index: Int) {
        let before = Spread.members(10)
        var after = before
        let gone = after.remove(at: index)
        let (old, new) = (Spread.owners(.maglev, before), Spread.owners(.maglev, after))
        let strays = Spread.strays(old, new, leaving: [gone.key])
        #expect(strays < Spread.keyCount / 25, "\(strays)")
    }

    /// More weight for one member only takes keys from the others.
    @Test func aHeavierMemberOnlyGains() {
        let before = Spread.members(5) { [3, 1, 4, 1, 5][$0] }
        var after = before
        after[1].weight = 2
        let (old, new) = (Spread.owners(.rendezvous, before), Spread.owners(.rendezvous, after))
        #expect(Spread.strays(old, new, joining: [after[1].key]) == 0)
        #expect(old != new)
    }

    /// Even weights are compared without logarithms; the outcome must be the one with them.
    @Test func evenWeightsAreLikeWeightsOfOne() {
        let light = Spread.members(5)
        let uneven = Distributor(kind: .rendezvous, members: light + [Member(key: "other", weight: 2)])
        let even = Distributor(kind: .rendezvous, members: light)
        var compared = 0
        for hash in Spread.hashes {
            let pick = uneven.pick(hash, random: 0)
            if pick < 5 {
                compared += 1
                #expect(pick == even.pick(hash, random: 0))
            }
        }
        #expect(compared > Spread.keyCount / 2)
    }

    /// From the paper's published implementations.
    @Test func jumpIsThePapers() {
        let cases: [(UInt64, Int, Int)] = [
            (1, 1, 0), (42, 57, 43), (0xdead_10cc, 1, 0), (0xdead_10cc, 666, 361), (256, 1024, 520),
        ]
        for (hash, count, expected) in cases {
            let jump = Distributor(kind: .jump, members: Spread.members(count))
            #expect(jump.pick(hash, random: 0) == expected)
        }
    }

    @Test func modulaRepeatsMembersByWeight() {
        let modula = Distributor(kind: .modula, members: Spread.members(3) { [2, 1, 3][$0] })
        let picks = (0..<12).map { modula.pick(UInt64($0), random: 99) }
        #expect(picks == [0, 0, 1, 2, 2, 2, 0, 0, 1, 2, 2, 2])
    }

    @Test func randomIgnoresTheKey() {
        let random = Distributor(kind: .random, members: Spread.members(4))
        let quarter = UInt64.max / 4
        for hash in Spread.hashes.prefix(100) {
            #expect((0..<4).map { random.pick(hash, random: quarter * $0 + quarter / 2) } == [0, 1, 2, 3])
        }
    }

    /// A placement is forever: these must not change from version to version.
    @Test func placementsStayAsTheyAre() {
        let hashes = Spread.hashes.prefix(16)
        let members = Spread.members(7) { 1 + $0 % 3 }
        for (kind, expected) in placements {
            let distributor = Distributor(kind: kind, members: members)
            let picks = hashes.map { distributor.pick($0, random: 0) }
            #expect(picks == expected, "\(kind)")
        }
    }

    /// Sixteen keys over seven members, by kind.
    private let placements: [DistributionKind: [Int]] = [
        .ketama: [2, 4, 1, 1, 5, 6, 5, 0, 2, 5, 3, 5, 1, 2, 2, 2],
        .modula: [3, 2, 6, 2, 2, 1, 3, 5, 5, 5, 1, 2, 0, 5, 1, 3],
        .jump: [0, 1, 6, 5, 4, 4, 2, 6, 1, 5, 4, 5, 5, 2, 5, 4],
        .rendezvous: [3, 1, 5, 2, 1, 1, 4, 4, 2, 3, 4, 5, 2, 2, 5, 4],
        .maglev: [2, 6, 4, 5, 2, 4, 5, 2, 5, 2, 2, 2, 3, 5, 2, 5],
        .leastLoaded: [2, 4, 1, 1, 5, 6, 5, 0, 2, 5, 3, 5, 1, 2, 2, 2],
    ]

    @Test(arguments: DistributionKind.allCases)
    func oneMemberHasAll(_ kind: DistributionKind) {
        let alone = Distributor(kind: kind, members: [Member(key: "alone", weight: 7)])
        for hash in [0, 1, UInt64(UInt32.max), UInt64.max] {
            #expect(alone.pick(hash, random: UInt64.max) == 0)
        }
    }

    @Test(arguments: DistributionKind.allCases)
    func theEndsOfTheHashRangeHaveMembers(_ kind: DistributionKind) {
        let distributor = Distributor(kind: kind, members: Spread.members(100))
        for hash in [0, 1, UInt64(UInt32.max) - 1, UInt64(UInt32.max), UInt64.max] {
            #expect((0..<100).contains(distributor.pick(hash, random: hash)))
        }
    }

    @Test func keysOfServersWithoutANameAreTheirAddresses() {
        #expect(Member.key(host: "10.0.0.1", port: 11211) == "10.0.0.1")
        #expect(Member.key(host: "10.0.0.1", port: 11212) == "10.0.0.1:11212")
        #expect(Member.key(host: "::1", port: 11212) == "::1:11212")
        #expect(Member.key(path: "/run/a.sock") == "/run/a.sock:")
    }
}
