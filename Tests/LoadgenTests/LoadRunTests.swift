import Histogram
import Sockets
import Testing

@testable import Loadgen

/// Runs against a peer of this process: what it answers is chosen, so that each fault is seen to be noticed.
@Suite struct LoadRunTests {
    private func plan(_ peer: ScriptedMemcached) -> LoadPlan {
        var plan = LoadPlan(target: peer.address)
        plan.connections = 2
        plan.warmup = .requests(0)
        plan.requests = 200
        plan.keyCount = 10
        plan.valueSizes = 10...20
        plan.verify = true
        plan.grace = 200_000_000
        return plan
    }

    private func run(_ plan: LoadPlan) throws -> LoadTally {
        try LoadRun.run(plan) { _ in }.get().counted
    }

    @Test func everyRequestIsAnsweredAndVerified() throws {
        let peer = ScriptedMemcached()
        defer { peer.stop() }
        var plan = plan(peer)
        plan.gets = 3
        plan.sets = 1
        plan.depth = 4
        let tally = try run(plan)
        #expect(tally.isClean)
        #expect(tally.answered == 200)
        #expect(tally.gets == 150)
        #expect(tally.sets == 50)
        #expect(tally.hits == 150)
        #expect(tally.latency.totalCount == 200)
    }

    @Test func multipleKeysAreMatchedToTheirRequest() throws {
        let peer = ScriptedMemcached()
        defer { peer.stop() }
        var plan = plan(peer)
        plan.keysPerGet = 7
        let tally = try run(plan)
        #expect(tally.isClean)
        #expect(tally.hits == 1400)
        #expect(tally.reordered == 0)
    }

    @Test func aValueOfAnotherKeyIsNoticed() throws {
        let peer = ScriptedMemcached(.init(corrupts: true))
        defer { peer.stop() }
        #expect(try run(plan(peer)).mismatched == 200)
    }

    @Test func errorsAreCountedByText() throws {
        let peer = ScriptedMemcached(.init(answerToGet: "SERVER_ERROR no\r\n"))
        defer { peer.stop() }
        let tally = try run(plan(peer))
        #expect(tally.errors == [.init(text: "SERVER_ERROR no", count: 200)])
        #expect(!tally.isClean)
    }

    @Test func silenceEndsInTime() throws {
        let peer = ScriptedMemcached(.init(answerToGet: ""))
        defer { peer.stop() }
        var plan = plan(peer)
        plan.duration = 50_000_000
        let tally = try run(plan)
        #expect(tally.answered == 0)
        #expect(tally.unanswered == 2)
    }

    @Test func openLoopCountsFromWhenARequestWasDue() throws {
        let peer = ScriptedMemcached(.init(stallOnce: 300_000_000))
        defer { peer.stop() }
        var plan = plan(peer)
        plan.prefill = false
        plan.connections = 1
        plan.rate = 1000
        plan.requests = 300
        let tally = try run(plan)
        #expect(tally.answered == 300)
        // A stall of 300 ms at 1000/s holds up about 300 requests, half of them by more than 150 ms. Counted from the
        // send, only one would be slow.
        #expect(tally.latency.valueAtPercentile(50) > 100_000_000)
    }

    @Test func nobodyThereIsSaid() {
        let peer = ScriptedMemcached()
        peer.stop()
        let result = LoadRun.run(plan(peer)) { _ in }
        #expect(throws: LoadRun.Failure.self) { try result.get() }
    }
}
