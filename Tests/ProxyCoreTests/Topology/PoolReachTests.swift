import Distribution
import ProxyCore
import Testing

struct PoolReachTests {
    private func pool(
        _ nodes: Int, replicas: Int = 1, standby: Int = 0, minLive: Int = 1, _ kind: DistributionKind = .ketama
    ) -> Pool {
        func farm(_ host: String, _ count: Int) -> [NodeSettings] {
            (0..<count).map { NodeSettings(address: .tcp(host: host, port: UInt16(1 + $0))) }
        }
        var pool = PoolSettings(name: "p", listen: [], nodes: farm("n", nodes))
        (pool.replicas, pool.standby, pool.minLive, pool.distribution) = (replicas, farm("s", standby), minLive, kind)
        return Topology([pool]).pools[0]
    }

    private func reach(_ pool: Pool, down: Set<Int>, syncing: Set<Int> = []) -> PoolReach {
        PoolReach(of: pool, isUp: { !down.contains($0) }, isFull: { !down.contains($0) && !syncing.contains($0) })
    }

    @Test func allIsThere() {
        #expect(reach(pool(3, replicas: 2), down: []) == .whole)
    }

    @Test(arguments: DistributionKind.allCases.filter { $0 != .random })
    func oneOfFour(_ kind: DistributionKind) {
        let reach = reach(pool(4, replicas: 2, minLive: 2, kind), down: [1])
        // Half of the keys have a copy there.
        #expect(abs(reach.available - 0.75) < 0.06, "\(reach)")
        #expect(reach.readable == 1)
        #expect(abs(reach.writable - 0.5) < 0.12, "\(reach)")
    }

    /// One that is being filled does not count for `min_live`, unless there are no others.
    @Test func whatIsBeingFilled() {
        let pool = pool(4, replicas: 2, minLive: 2, .jump)
        let one = reach(pool, down: [], syncing: [1])
        #expect(one.available == 1 && one.readable == 1 && abs(one.writable - 0.5) < 0.03, "\(one)")
        #expect(reach(pool, down: [], syncing: [0, 1, 2, 3]) == .whole)
    }

    @Test func twoOfFour() {
        let reach = reach(pool(4, replicas: 2, .jump), down: [1, 3])
        #expect(abs(reach.available - 0.5) < 0.03)
        // Of the six pairs one is gone.
        #expect(abs(reach.readable - 5.0 / 6) < 0.03 && reach.writable == reach.readable)
    }

    @Test func aFarm() {
        let hybrid = pool(3, replicas: 2, standby: 2, minLive: 2)
        let nodes = reach(hybrid, down: [0, 1, 2])
        #expect(abs(nodes.available - 1.0 / 3) < 0.0001 && nodes.readable == 1 && nodes.writable == 0)
        let standby = reach(hybrid, down: [3, 4])
        #expect(abs(standby.available - 2.0 / 3) < 0.0001 && standby.readable == 1 && standby.writable == 1)
        let all = reach(hybrid, down: [0, 1, 2, 3, 4])
        #expect(all.available == 0 && all.readable == 0 && all.writable == 0)
    }

    /// Two of a hundred nodes, of which a key in 5,000 has both.
    @Test func aSmallLossIsSeen() {
        let pool = pool(100, replicas: 2, .jump)
        let lost = (1..<6).map { reach(pool, down: [0, $0 * 17]).readable }
        #expect(lost.contains { $0 < 1 } && lost.allSatisfy { $0 > 0.998 }, "\(lost)")
    }
}
