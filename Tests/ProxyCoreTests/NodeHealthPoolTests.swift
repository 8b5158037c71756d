import Testing

@testable import ProxyCore

@Suite struct PoolHealthTests {
    private static func fail(
        _ node: Int, of pool: inout PoolHealth, now: UInt64 = 0, using generator: inout HealthGenerator
    ) -> PoolHealth.Outcome {
        _ = pool.apply(.failed, to: node, now: now, using: &generator)
        _ = pool.apply(.failed, to: node, now: now, using: &generator)
        return pool.apply(.failed, to: node, now: now, using: &generator)
    }

    @Test(arguments: [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 3), (100, 50)])
    func mostOfAPoolIsNeverEjected(nodes: Int, mayGo: Int) {
        var pool = PoolHealth(nodeCount: nodes, policy: healthPolicy)
        var generator = HealthGenerator(state: 1)
        var began = 0
        for node in 0..<nodes where Self.fail(node, of: &pool, using: &generator).failOpen == true { began += 1 }
        #expect(pool.downCount == mayGo)
        #expect(began == (nodes > mayGo ? 1 : 0), "said once")
    }

    // MARK: Two farms

    /// Nodes and standby, which nodes fail thrice in this order, and which are down then.
    private static let farms: [(nodes: Int, standby: Int, failing: [Int], down: [Int])] = [
        // A whole farm goes while the other answers.
        (3, 2, [0, 1, 2], [0, 1, 2]),
        (3, 2, [3, 4], [3, 4]),
        (1, 1, [0], [0]),
        (1, 1, [1], [1]),
        (2, 5, [0, 1], [0, 1]),
        (2, 5, [2, 3, 4, 5, 6], [2, 3, 4, 5, 6]),
        (6, 1, [0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5]),
        // What most of both do, farm after farm: of the second one half goes.
        (3, 3, [0, 1, 2, 3, 4, 5], [0, 1, 2, 3]),
        (2, 2, [2, 3, 0, 1], [2, 3, 0]),
        (1, 1, [1, 0], [1]),
        // In turns: of each farm one half goes, but for the last that goes while the other seems well.
        (4, 4, [0, 4, 1, 5, 2, 6, 3, 7], [0, 4, 1, 5]),
        (3, 3, [0, 3, 1, 4, 2, 5], [0, 3, 1]),
        (2, 2, [0, 2, 1, 3], [0, 2]),
        // A node of the other farm may be away.
        (3, 3, [5, 0, 1, 2], [5, 0, 1, 2]),
        (3, 2, [4, 0, 1, 2], [4, 0]),
    ]

    @Test(arguments: farms)
    func aFarmGoesWhileTheOtherAnswers(nodes: Int, standby: Int, failing: [Int], down: [Int]) {
        var pool = PoolHealth(nodeCount: nodes + standby, standbyCount: standby, policy: healthPolicy)
        var generator = HealthGenerator(state: 1)
        for node in failing { _ = Self.fail(node, of: &pool, using: &generator) }
        #expect((0..<nodes + standby).filter { !pool.isUp($0) } == down.sorted())
        #expect(pool.isFailingOpen == (down.count < failing.count))
    }

    /// The network goes: every node's requests fail, one after the other, and each node is asked again and again.
    @Test(arguments: [(3, 3), (1, 1), (5, 2), (2, 8)])
    func withoutANetworkSomeAreKept(nodes: Int, standby: Int) {
        var pool = PoolHealth(nodeCount: nodes + standby, standbyCount: standby, policy: healthPolicy)
        var generator = HealthGenerator(state: 1)
        for _ in 0..<20 {
            for node in 0..<nodes + standby { _ = pool.apply(.failed, to: node, now: 0, using: &generator) }
        }
        #expect(pool.isFailingOpen && (0..<nodes).contains { pool.isUp($0) } || nodes == 1)
        #expect((nodes..<nodes + standby).contains { pool.isUp($0) } || standby == 1)
        #expect(pool.downCount * 2 <= nodes + standby)
    }

    /// One failure of the other farm holds a verdict up no longer than until it answers again.
    @Test func aFailureElsewhereIsForgotten() {
        var pool = PoolHealth(nodeCount: 3, standbyCount: 1, policy: healthPolicy)
        var generator = HealthGenerator(state: 1)
        _ = pool.apply(.failed, to: 2, now: 0, using: &generator)
        _ = Self.fail(0, of: &pool, using: &generator)
        #expect(Self.fail(1, of: &pool, using: &generator) == .init(decision: .stay, failOpen: true))
        #expect(pool.apply(.succeeded, to: 2, now: 0, using: &generator).failOpen == false)
        #expect(pool.apply(.failed, to: 1, now: 0, using: &generator).decision == .declareDown)
        // And now the last one may fail as it likes.
        #expect(Self.fail(2, of: &pool, using: &generator) == .init(decision: .stay, failOpen: true))
        #expect(pool.isUp(2))
    }

    @Test func itEndsWhenAnotherNodeIsBack() {
        var pool = PoolHealth(nodeCount: 3, policy: healthPolicy)
        var generator = HealthGenerator(state: 1)
        #expect(Self.fail(0, of: &pool, using: &generator) == .init(decision: .declareDown, failOpen: nil))
        #expect(Self.fail(1, of: &pool, using: &generator) == .init(decision: .stay, failOpen: true))
        #expect(Self.fail(2, of: &pool, using: &generator) == .init(decision: .stay, failOpen: nil))
        #expect(pool.isFailingOpen && pool.isUp(1) && pool.isUp(2))
        let back = pool.apply(.probeAnswered, to: 0, now: 1, using: &generator)
        #expect(back == .init(decision: .declareUp, failOpen: false))
        // The suspect that goes on failing may go now; the other is one too many again.
        let first = pool.apply(.failed, to: 1, now: 2, using: &generator)
        #expect(first == .init(decision: .declareDown, failOpen: true))
        #expect(pool.apply(.failed, to: 2, now: 2, using: &generator).decision == .stay)
    }

    @Test func itEndsWhenTheSuspectAnswers() {
        var pool = PoolHealth(nodeCount: 2, policy: healthPolicy)
        var generator = HealthGenerator(state: 1)
        _ = Self.fail(0, of: &pool, using: &generator)
        #expect(Self.fail(1, of: &pool, using: &generator).failOpen == true)
        let answered = pool.apply(.succeeded, to: 1, now: 1, using: &generator)
        #expect(answered == .init(decision: .stay, failOpen: false))
    }

    /// Any events in any order: the rules hold after every one.
    @Test(arguments: 1...100 as ClosedRange<UInt64>)
    func invariantsHold(seed: UInt64) {
        var generator = HealthGenerator(state: seed)
        let count = Int.random(in: 1...9, using: &generator)
        let standby = Bool.random(using: &generator) ? 0 : Int.random(in: 0..<count, using: &generator)
        var pool = PoolHealth(nodeCount: count, standbyCount: standby, policy: healthPolicy)
        var now: UInt64 = 0
        var failuresInARow = Array(repeating: 0, count: count)
        var probing: Set<Int> = []
        for step in 0..<2000 {
            now += UInt64.random(in: 0...2_000 * healthMillisecond, using: &generator)
            let started = pool.startProbes(now: now)
            for node in started {
                let isFirst = probing.insert(node).inserted
                #expect(
                    !pool.isUp(node) && isFirst, "seed \(seed), step \(step): two probes at once")
            }
            #expect(pool.probeTime.map { $0 > now } ?? true, "seed \(seed), step \(step): a due probe was left out")
            let node = Int.random(in: 0..<count, using: &generator)
            let event: NodeHealth.Event =
                if probing.remove(node) != nil {
                    Bool.random(using: &generator) ? .probeAnswered : .probeFailed
                } else {
                    UInt8.random(in: 0..<4, using: &generator) == 0 ? .succeeded : .failed
                }
            let wasUp = pool.isUp(node)
            let downBefore = pool.downCount
            let outcome = pool.apply(event, to: node, now: now, using: &generator)
            failuresInARow[node] = event == .failed ? failuresInARow[node] + 1 : 0

            #expect(pool.downCount * 2 <= count || count == 1 || standby > 0, "seed \(seed), step \(step)")
            #expect(pool.downCount < count || count == 1, "seed \(seed), step \(step): all are down")
            switch outcome.decision {
            case .declareDown:
                #expect(wasUp && !pool.isUp(node) && failuresInARow[node] >= 3, "seed \(seed), step \(step)")
                #expect(pool.downCount == downBefore + 1, "seed \(seed), step \(step)")
            case .declareUp:
                #expect(!wasUp && pool.isUp(node) && event == .probeAnswered, "seed \(seed), step \(step)")
            case .waitForProbe:
                #expect(!pool.isUp(node) && event == .probeFailed, "seed \(seed), step \(step)")
            case .stay:
                #expect(pool.isUp(node) == wasUp, "seed \(seed), step \(step)")
            }
            // Someone always comes back to a node that is down.
            let waiting = (0..<count).contains { !pool.isUp($0) && !probing.contains($0) }
            #expect(!waiting || pool.probeTime != nil, "seed \(seed), step \(step): no probe is planned")
        }
    }
}
