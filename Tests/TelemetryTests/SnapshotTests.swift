import Telemetry
import Testing

@Suite struct SnapshotTests {
    @Test func mergingAddsEverything() {
        var pool = PoolStats()
        pool.requests.count(0)
        pool.hits.add(3, to: 31)
        pool.misses.count(1)
        pool.errors.count(.timeout)
        pool.latency.record(nanoseconds: 5000)
        pool.bytesIn = 10
        pool.bytesOut = 20
        pool.connections = 2
        pool.connectionsTotal = 4
        pool.connectionsRefused = 5
        pool.retries = 6
        pool.copies.written = 16
        pool.copies.failed.count(.timeout)
        pool.copies.repaired = 17
        pool.copies.acknowledged.count(8)
        pool.copies.failovers.count(.nodeDown)
        pool.repairs.queued.count(.disagree)
        pool.repairs.dropped.count(.overlap)
        pool.repairs.done.count(.copyFailed)
        pool.repairs.abandoned = 18
        pool.repairs.retries = 19
        pool.repairs.waiting = 20
        pool.consistency.agreeing = 21
        pool.consistency.differing = 22
        pool.consistency.recent = 23
        pool.consistency.recentAgreeing = 24
        var node = NodeStats()
        node.requests = 7
        node.inFlight = 8
        node.connections = 9
        node.connects = 10
        node.retries = 11
        node.bytesIn = 12
        node.bytesOut = 13
        node.errors.count(.protocolError)
        node.latency.record(nanoseconds: 6000)
        var loop = LoopStats()
        loop.turns = 1
        loop.reads = 2
        loop.writes = 3
        loop.bufferBytes = 4
        let snapshot = WorkerSnapshot(pools: [pool], nodes: [node], loop: loop)

        let total = WorkerSnapshot.merged([snapshot, snapshot, snapshot])
        // Every field of every struct thrice, so that one left out of a merge shows.
        #expect(Self.numbers(total) == Self.numbers(snapshot).map { $0 * 3 })
        #expect(!Self.numbers(snapshot).contains(0))
    }

    private static func numbers(_ snapshot: WorkerSnapshot) -> [UInt64] {
        let (pool, node, loop) = (snapshot.pools[0], snapshot.nodes[0], snapshot.loop)
        return [
            pool.requests[0], pool.requests.total, pool.hits[31], pool.misses[1], pool.errors[.timeout],
            pool.errors.total, pool.latency.count, pool.latency.sum, pool.bytesIn, pool.bytesOut,
            UInt64(pool.connections), pool.connectionsTotal, pool.connectionsRefused, pool.retries,
            pool.copies.written, pool.copies.failed[.timeout], pool.copies.repaired, pool.copies.acknowledged[8],
            pool.copies.failovers[.nodeDown], pool.repairs.queued[.disagree], pool.repairs.dropped.total,
            pool.repairs.done[.copyFailed], pool.repairs.abandoned, pool.repairs.retries, UInt64(pool.repairs.waiting),
            pool.consistency.agreeing, pool.consistency.differing, UInt64(pool.consistency.recent),
            UInt64(pool.consistency.recentAgreeing),
            node.requests, UInt64(node.inFlight), UInt64(node.connections), node.connects, node.retries,
            node.bytesIn, node.bytesOut, node.errors[.protocolError], node.latency.count, node.latency.sum,
            loop.turns, loop.reads, loop.writes, UInt64(loop.bufferBytes),
        ]
    }

    @Test func theLongerListStays() {
        var node = NodeStats()
        node.requests = 1
        var total = WorkerSnapshot(nodes: [node])
        total.merge(WorkerSnapshot(pools: [PoolStats()], nodes: [node, node]))
        #expect(total.pools.count == 1)
        #expect(total.nodes.map(\.requests) == [2, 1])
    }

    @Test func causesFitTheirCounters() {
        #expect(ErrorCause.allCases.allSatisfy { $0.rawValue < 24 })
        #expect(Set(ErrorCause.allCases.map { "\($0.label)" }).count == ErrorCause.allCases.count)
    }
}
