import Distribution
import ProxyCore
import Testing

/// Pools whose keys have copies.
struct TopologyCopiesTests {
    private func nodes(_ count: Int, port: Int = 1, zone: (Int) -> String? = { _ in nil }) -> [NodeSettings] {
        (0..<count).map { NodeSettings(address: .tcp(host: "h", port: UInt16(port + $0)), zone: zone($0)) }
    }

    private func pool(_ replicas: Int, nodes: [NodeSettings], standby: [NodeSettings] = []) -> PoolSettings {
        var pool = PoolSettings(name: "p", listen: [], nodes: nodes)
        pool.replicas = replicas
        pool.standby = standby
        pool.hash = .xxh3
        return pool
    }

    private let keys = (0..<500).map { Array("key:\($0)".utf8) }
    private func hash(_ key: [UInt8]) -> UInt64 { unsafe KeyHash.xxh3.hash(key.span.bytes, from: 0, count: key.count) }
    private var hashes: [UInt64] { keys.map { hash($0) } }

    @Test func bothFarmsAreNodesOfThePool() {
        let topology = Topology([
            pool(1, nodes: nodes(2)),
            pool(2, nodes: nodes(3, port: 10), standby: nodes(2, port: 20)),
            pool(1, nodes: nodes(1, port: 30)),
        ])
        #expect(topology.pools.map(\.nodes) == [0..<2, 2..<7, 7..<8])
        #expect(topology.pools.map(\.firstNode) == [0, 2, 7])
        #expect(topology.nodes.map(\.pool) == [0, 0, 1, 1, 1, 1, 1, 2])
        #expect(topology.nodes.map(\.farm) == [.nodes, .nodes, .nodes, .nodes, .nodes, .standby, .standby, .nodes])
        #expect(topology.nodes.map(\.settings.label) == [1, 2, 10, 11, 12, 20, 21, 30].map { "h:\($0)" })
        #expect(topology.pools.map(\.copyCount) == [1, 3, 1])
        for hash in hashes {
            let copies = topology.pools[1].copies(of: hash)
            #expect(copies.count == 3)
            #expect((2..<5).contains(copies[0]) && (2..<5).contains(copies[1]) && (5..<7).contains(copies[2]))
            #expect(topology.pools[2].copies(of: hash) == Copies(of: 7))
        }
    }

    /// A pool that takes up replicas and a standby moves no key.
    @Test(arguments: DistributionKind.allCases.filter { $0 != .random })
    func thePrimaryIsWhereTheOnlyCopyWas(_ kind: DistributionKind) {
        var alone = pool(1, nodes: nodes(5))
        alone.distribution = kind
        var copied = pool(3, nodes: nodes(5), standby: nodes(2, port: 20))
        copied.distribution = kind
        let (before, after) = (KeyLookup(alone), KeyLookup(copied))
        for key in keys {
            let copies = after.copies(of: key)
            #expect(copies.count == 4 && Set(copies).count == 4)
            #expect(copies[0] == before.order(of: key, depth: 1)[0])
            #expect(before.copies(of: key) == [copies[0]])
            #expect(copies[3] >= 5)
        }
    }

    /// The key's own node stood in for itself.
    @Test(arguments: DistributionKind.allCases.filter { $0 != .random })
    func lookupNamesOtherNodesAsStandIns(_ kind: DistributionKind) {
        var settings = pool(1, nodes: nodes(5))
        settings.distribution = kind
        settings.whenDown = .rehash
        let lookup = KeyLookup(settings)
        for key in keys.prefix(50) {
            #expect(Set(lookup.order(of: key, depth: 5)) == Set(0..<5))
        }
    }

    @Test func lookupIsWhatTheProxyServes() {
        var settings = pool(2, nodes: nodes(6), standby: nodes(2, port: 20))
        settings.hashTag = HashTag(open: UInt8(ascii: "{"), close: UInt8(ascii: "}"))
        let served = Topology([pool(1, nodes: nodes(4, port: 50)), settings]).pools[1]
        let lookup = KeyLookup(settings)
        for key in keys {
            let copies = served.copies(of: hash(key))
            #expect(lookup.copies(of: key) == copies.indices.map { Int(copies[$0]) - 4 })
            #expect(lookup.copies(of: Array("a{".utf8) + key + Array("}b".utf8)) == lookup.copies(of: key))
        }
    }

    /// Nodes that are away keep their places, and nothing is computed anew for them. What is remembered of a key's copies
    /// by their order, as which of them missed a write, holds after any verdict: see `MissedCopies`.
    @Test(arguments: DistributionKind.allCases.filter { $0 != .random })
    func verdictsMoveNoCopy(_ kind: DistributionKind) {
        var pools = [
            pool(2, nodes: nodes(4)), pool(1, nodes: nodes(3, port: 10), standby: nodes(1, port: 20)),
            pool(2, nodes: nodes(3, port: 30) { ["a", "a", "b"][$0] }, standby: nodes(2, port: 40)),
        ]
        for index in pools.indices { (pools[index].distribution, pools[index].read) = (kind, .spread) }
        let all = Topology(pools)
        var some = all
        for up in [0b0_0000_0000_0000, 0b1_0101_0101_0101, 0b0_1010_1010_1010, 0b1_1111_0000_1111, 0b1_1111_1111_1111] {
            some = some.with { up >> $0 & 1 == 1 }
            #expect(some.nodes.map(\.isUp) == (0..<13).map { up >> $0 & 1 == 1 })
            for (before, after) in zip(all.pools, some.pools) {
                #expect(before.placement != nil && before.placement === after.placement)
                #expect(hashes.allSatisfy { before.copies(of: $0) == after.copies(of: $0) }, "\(up)")
            }
        }
    }

    /// Where a key has one copy, stand-ins take the keys of those that are down, as before.
    @Test func oneCopyIsRehashed() {
        let all = Topology([pool(1, nodes: nodes(4))])
        let some = all.with { $0 != 2 }
        #expect(all.pools[0].placement == nil)
        for hash in hashes {
            let (before, after) = (all.pools[0].copies(of: hash), some.pools[0].copies(of: hash))
            #expect(before[0] == 2 ? after[0] != 2 : after == before)
        }
    }

    @Test func copiesGoToOtherZones() {
        let topology = Topology([pool(2, nodes: nodes(6) { $0 < 4 ? "a" : "b" })])
        for hash in hashes {
            let copies = topology.pools[0].copies(of: hash)
            #expect((copies[0] < 4) != (copies[1] < 4))
        }
    }

    @Test func nodesInTheProxysZoneAreNear() {
        var zoned = pool(2, nodes: nodes(3) { ["a", "b", nil][$0] }, standby: nodes(1, port: 20) { _ in "b" })
        #expect(Topology([zoned]).nodes.map(\.isNear) == [false, false, false, false])
        zoned.ownZone = "b"
        #expect(Topology([zoned]).nodes.map(\.isNear) == [false, true, false, true])
    }

    @Test func acksAreCounted() {
        #expect([1, 2, 3, 5].map { PoolSettings.Acks.all.needed(copies: 5, live: $0) } == [1, 2, 3, 5])
        #expect([1, 2, 3, 5].map { PoolSettings.Acks.quorum.needed(copies: 5, live: $0) } == [1, 2, 3, 3])
        #expect([2, 3, 4].map { PoolSettings.Acks.quorum.needed(copies: $0, live: $0) } == [2, 2, 3])
        #expect(PoolSettings.Acks.one.needed(copies: 3, live: 3) == 1)
    }
}
