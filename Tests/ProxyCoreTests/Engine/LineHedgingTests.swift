import Bytes
import DroverTesting
import Telemetry
import Testing

@testable import ProxyCore

/// `read: fastest` and gets of several keys: what one node is slow to answer is asked of the next copies.
@Suite struct LineHedgingTests {
    private let keys: [String]
    /// Nodes of each key's copies.
    private let copies: [String: [Int]]
    /// Keys that go to one node, and then to one other.
    private let pair: [String]
    private let world: World
    private let client: UInt32
    /// Nodes of the first and the second copy of those that `pair` gives.
    private let first = 0
    private let second = 1

    init() { self.init { _ in } }

    private init(replicas: Int = 2, rows: Int = 1 << 14, _ change: @escaping (inout PoolSettings) -> Void) {
        let world = World(
            nodes: 3, rows: rows,
            change: { pool in
                (pool.replicas, pool.read, pool.hedge, pool.checks) = (replicas, .fastest, 10_000, 0)
                change(&pool)
            })
        self.world = world
        keys = (0..<60).map { "fast\($0 * 7919)" }
        copies = world.copies(of: keys)
        pair = keys.filter { [copies, first, second] in copies[$0]!.prefix(2) == [first, second] }
        client = world.connect()
        for key in keys { #expect(world.ask("set \(key) 3 0 5\r\nhello\r\n", from: client) == "STORED\r\n") }
        // The second copy can be told from the first.
        for key in pair { world.nodes[second].items[key]?.data = Array("HELLO".utf8) }
    }

    private var stats: PoolStats { world.engine.poolStats[0] }

    private func freeze(_ nodes: Int...) { for node in nodes { world.nodes[node].isFrozen = true } }

    private func thaw(_ nodes: Int...) {
        for node in nodes { world.nodes[node].isFrozen = false }
        world.run()
    }

    private func ask(_ keys: [String], _ client: UInt32? = nil) {
        world.send("get \(keys.joined(separator: " "))\r\n", from: client ?? self.client)
        world.run()
    }

    private func wait(milliseconds: UInt64) {
        world.now += milliseconds * 1_000_000
        world.run()
    }

    private func values(_ keys: some Sequence<String>, _ data: String = "hello") -> String {
        keys.map { "VALUE \($0) 3 \(data.utf8.count)\r\n\(data)\r\n" }.joined()
    }

    private func expectRest(_ place: SourceLocation = #_sourceLocation) {
        #expect(world.engine.lineHedges.count == 0, "lines", sourceLocation: place)
        world.expectRest(place)
    }

    // MARK: Who answers

    @Test func aSlowNodeIsNotWaitedFor() {
        let stored = stats.hits.total
        freeze(first)
        ask(keys)
        wait(milliseconds: 9)
        // What comes before the first key of the slow node is there; nothing was asked twice.
        let slow = keys.filter { copies[$0]![0] == first }
        let early = values(keys.prefix { !slow.contains($0) })
        #expect(world.take(client) == early && stats.copies.hedges == 0)
        wait(milliseconds: 2)
        let late = keys[(keys.firstIndex(of: slow[0])!)...].map { values([$0], pair.contains($0) ? "HELLO" : "hello") }
        #expect(world.take(client) == late.joined() + "END\r\n")
        #expect(stats.copies.hedges == slow.count && stats.copies.hedgesWon == slow.count)
        #expect(stats.hits.total == stored + 60 && stats.misses.total == 0)
        // What comes now is nobody's.
        thaw(first)
        #expect(world.take(client) == "" && stats.hits.total == stored + 60)
        expectRest()
        #expect(world.ask("get \(slow[0]) \(slow[1])\r\n", from: client) == values(slow.prefix(2)) + "END\r\n")
    }

    @Test func theFirstMayWinAllTheSame() {
        let stored = stats.hits.total
        freeze(first, second)
        ask(pair)
        wait(milliseconds: 11)
        thaw(first)
        #expect(world.take(client) == values(pair) + "END\r\n")
        thaw(second)
        #expect(world.take(client) == "")
        #expect(stats.copies.hedges == pair.count && stats.copies.hedgesWon == 0)
        #expect(stats.hits.total == stored + UInt64(pair.count))
        expectRest()
    }

    /// A node that hangs in the middle of its answer: what it said counts, the rest comes from others.
    @Test(arguments: [false, true]) func halfAnAnswerCounts(onMiss: Bool) {
        let test = LineHedgingTests { $0.onMiss = onMiss ? .next : .miss }
        test.halfAnAnswer()
    }

    private func halfAnAnswer() {
        let stored = stats.hits.total
        freeze(first)
        ask(pair)
        world.inject(values(pair.prefix(2)), fromNode: first)
        wait(milliseconds: 9)
        #expect(world.take(client) == values(pair.prefix(2)))
        // It goes on answering: it is waited for, from its last words on.
        world.inject(values([pair[2]]), fromNode: first)
        wait(milliseconds: 9)
        #expect(world.take(client) == values([pair[2]]))
        wait(milliseconds: 3)
        wait(milliseconds: 8)
        #expect(world.take(client) == values(pair.dropFirst(3), "HELLO") + "END\r\n")
        #expect(stats.copies.hedges == pair.count - 3 && stats.copies.hedgesWon == pair.count - 3)
        #expect(stats.hits.total == stored + UInt64(pair.count) && stats.misses.total == 0)
        world.inject(values(pair.dropFirst(3)) + "END\r\n", fromNode: first)
        world.run()
        #expect(world.take(client) == "")
        expectRest()
    }

    /// The second copies answer while a value of the first is coming: some of it has left, so it is waited for.
    @Test(arguments: [false, true]) func aValueThatIsComingIsWaitedFor(dies: Bool) {
        freeze(first, second)
        ask(pair)
        wait(milliseconds: 11)
        world.inject(values([pair[0]]) + "VALUE \(pair[1]) 3 5\r\nhe", fromNode: first)
        world.run()
        thaw(second)
        #expect(world.take(client) == values([pair[0]]) + "VALUE \(pair[1]) 3 5\r\nhe")
        if dies {
            world.breakLinks(to: first)
            world.run()
            #expect(!world.isOpen(client) && world.take(client) == "")
        } else {
            world.inject("llo\r\n" + values([pair[2]]) + "END\r\n", fromNode: first)
            world.run()
            #expect(world.take(client) == "llo\r\n" + values([pair[2]]) + "END\r\n")
        }
        expectRest()
    }

    /// None of it has left where something else comes before it.
    @Test func aValueThatNobodySawIsTakenFromTheOther() {
        let other = keys.first { copies[$0]![0] == 2 }!
        freeze(first, second, 2)
        ask([other] + pair)
        world.inject(values([pair[0]]) + "VALUE \(pair[1]) 3 5\r\nhe", fromNode: first)
        wait(milliseconds: 11)
        thaw(second)
        world.breakLinks(to: first)
        thaw(2)
        #expect(
            world.take(client) == values([other]) + values([pair[0]]) + values(pair.dropFirst(), "HELLO") + "END\r\n")
        #expect(stats.misses.total == 0)
        thaw(first)
        expectRest()
    }

    // MARK: Misses

    /// The first answer counts, as for one key: copies that differ do so whoever is asked.
    @Test func aMissIsAnAnswer() {
        world.nodes[second].items[pair[1]] = nil
        freeze(first)
        ask(pair)
        wait(milliseconds: 11)
        #expect(world.take(client) == values([pair[0]] + pair.dropFirst(2), "HELLO") + "END\r\n")
        #expect(stats.misses.total == 1)
        thaw(first)
        expectRest()
    }

    /// Where misses are asked about elsewhere, the first is still asked.
    @Test(arguments: [false, true]) func aMissIsLeftToTheOther(dies: Bool) {
        LineHedgingTests(replicas: dies ? 3 : 2, { $0.onMiss = .next }).missedBySecond(dies: dies)
    }

    private func missedBySecond(dies: Bool) {
        let stored = stats.hits.total
        world.nodes[second].items[pair[1]] = nil
        freeze(first)
        ask(pair)
        wait(milliseconds: 11)
        #expect(world.take(client) == "" && stats.copies.hedgesWon == 0)
        if dies {
            // The third has it, and the second gets it back. What the second has is not asked for again.
            world.breakLinks(to: first)
            world.run()
            #expect(
                world.take(client)
                    == values([pair[0]], "HELLO") + values([pair[1]]) + values(pair.dropFirst(2), "HELLO") + "END\r\n")
            #expect(world.nodes[2].seen.last { $0.hasPrefix("get ") } == "get \(pair[1])")
            thaw(first)
            #expect(world.nodes[second].items[pair[1]]?.data == Array("hello".utf8))
        } else {
            thaw(first)
            #expect(world.take(client) == values(pair) + "END\r\n")
        }
        #expect(stats.hits.total == stored + UInt64(pair.count) && stats.misses.total == 0)
        expectRest()
    }

    /// The first lacks keys that it was waited for: they are asked elsewhere once more.
    @Test func whatTheFirstLacksIsAskedElsewhere() {
        let test = LineHedgingTests { $0.onMiss = .next }
        test.world.nodes[first].items[test.pair[0]] = nil
        test.freeze(first, second)
        test.ask(test.pair)
        test.wait(milliseconds: 11)
        test.thaw(first)
        #expect(test.world.take(test.client) == "")
        test.thaw(second)
        let pair = test.pair
        #expect(
            test.world.take(test.client) == test.values([pair[0]], "HELLO") + test.values(pair.dropFirst()) + "END\r\n")
        test.expectRest()
    }

    /// Half an answer says what is missing before that half: it is asked elsewhere, though the line is over.
    @Test func whatHalfAnAnswerLacksIsAskedElsewhere() {
        let test = LineHedgingTests { $0.onMiss = .next }
        let (world, pair) = (test.world, test.pair)
        world.nodes[first].items[pair[0]] = nil
        test.freeze(first)
        test.ask(pair)
        world.inject(test.values([pair[1]]), fromNode: first)
        test.wait(milliseconds: 11)
        test.wait(milliseconds: 11)
        #expect(
            world.take(test.client)
                == test.values([pair[0]], "HELLO") + test.values([pair[1]]) + test.values(pair.dropFirst(2), "HELLO")
                + "END\r\n")
        #expect(test.stats.misses.total == 0)
        test.thaw(first)
        #expect(world.nodes[first].items[pair[0]]?.data == Array("HELLO".utf8))
        test.expectRest()
    }

    // MARK: Failures

    enum Failure: CaseIterable { case connection, error, timeout }

    /// Whichever fails, the other's answer counts.
    @Test(arguments: [0, 1], Failure.allCases) func whatFailsLeavesItToTheOther(which: Int, failure: Failure) {
        let stored = stats.hits.total
        freeze(first, second)
        ask(pair)
        wait(milliseconds: 11)
        fail(which, failure)
        #expect(world.take(client) == "")
        if failure == .timeout, which == 0 { return expectTimeout() }
        thaw(1 - which)
        #expect(world.take(client) == values(pair, which == 0 ? "HELLO" : "hello") + "END\r\n")
        #expect(stats.hits.total == stored + UInt64(pair.count) && stats.misses.total == 0)
        #expect(stats.copies.failovers.total == 0)
        expectRest()
    }

    /// The second was asked later, and has more time.
    private func expectTimeout() {
        thaw(second)
        #expect(world.take(client) == values(pair, "HELLO") + "END\r\n")
        expectRest()
    }

    private func fail(_ node: Int, _ failure: Failure) {
        switch failure {
        case .connection: world.breakLinks(to: node)
        case .error: world.inject("SERVER_ERROR out of memory writing get response\r\n", fromNode: node)
        case .timeout where node == first: world.now += 190_000_000
        case .timeout:
            // The first goes on talking to others, so that its time is not out.
            world.engine.fail(link: world.links.first { $0.value.node == node }!.key, .timeout)
        }
        world.run()
    }

    /// With a third copy it answers, with two the keys are lost; in whatever order the two failed.
    @Test(arguments: [2, 3], [[0, 1], [1, 0]]) func bothFail(replicas: Int, order: [Int]) {
        let test = LineHedgingTests(replicas: replicas) { _ in }
        let third = test.keys.first { test.copies[$0]![0] == 2 }!
        test.freeze(first, second)
        test.ask(test.pair + [third])
        test.wait(milliseconds: 11)
        for node in order { test.fail(node, .connection) }
        let found = replicas == 3 ? test.pair + [third] : [third]
        #expect(test.world.take(test.client) == test.values(found) + "END\r\n")
        test.thaw(first, second)
        test.expectRest()
    }

    @Test func aNodeThatNamesAStrangerIsCutOff() {
        freeze(first, second)
        ask(pair)
        wait(milliseconds: 11)
        world.inject(values([pair[0]], "HELLO") + values(["stranger"]), fromNode: second)
        world.run()
        #expect(stats.copies.hedgesWon == 0)
        thaw(first)
        #expect(world.take(client) == values(pair) + "END\r\n")
        thaw(second)
        expectRest()
    }

    @Test(arguments: [0, 1]) func aClientThatGoesAwayLeavesNothingBehind(late: Int) {
        freeze(0, 1, 2)
        ask(keys)
        if late == 0 { world.close(client: client) }
        wait(milliseconds: 11)
        #expect(stats.copies.hedges == late * keys.count)
        world.close(client: client)
        thaw(1)
        thaw(0, 2)
        expectRest()
    }

    // MARK: Limits

    /// Key by key.
    @Test func noMoreThanTheShareIsDoubled() {
        let test = LineHedgingTests { $0.hedge = 1000 }
        test.freeze(0, 1, 2)
        for _ in 0..<20 { test.ask(test.keys) }
        test.wait(milliseconds: 11)
        #expect((90...120).contains(test.stats.copies.hedges))
        test.thaw(0, 1, 2)
        let answer = test.world.take(test.client)
        #expect(answer.count { $0 == "\r\n" } == 20 * 121)
        test.expectRest()
    }

    /// A quarter of what there can be at once is left to those who ask once.
    @Test func whatIsDoubledAtOnceIsBounded() {
        let test = LineHedgingTests(rows: 120) { _ in }
        test.freeze(0, 1, 2)
        test.ask(test.keys)
        test.wait(milliseconds: 11)
        #expect((1...30).contains(test.stats.copies.hedges))
        test.thaw(2)
        test.thaw(0, 1)
        #expect(test.world.take(test.client).count { $0 == "\r\n" } == 121)
        test.expectRest()
    }

    /// A large value is not held for the chance that it is needed: it comes when it is asked for.
    @Test(arguments: [false, true]) func aLargeValueIsNotHeld(dies: Bool) {
        let large = String(repeating: "x", count: 300_000)
        for node in [first, second] { world.nodes[node].items[pair[1]]?.data = Array(large.utf8) }
        freeze(first, second)
        ask(pair)
        wait(milliseconds: 11)
        if dies { world.breakLinks(to: first) }
        thaw(second)
        let answer = { [self] data in
            values([pair[0]], data) + values([pair[1]], large) + values(pair.dropFirst(2), data) + "END\r\n"
        }
        #expect(world.take(client) == (dies ? answer("HELLO") : ""))
        thaw(first)
        #expect(world.take(client) == (dies ? "" : answer("hello")))
        #expect(stats.copies.hedgesWon == 0)
        expectRest()
    }

    /// Keys that need several lines to one node.
    @Test func longLines() {
        let long = (0..<400).map { "\($0)" + String(repeating: "k", count: 200) }
        for key in long { #expect(world.ask("set \(key) 3 0 5\r\nhello\r\n", from: client) == "STORED\r\n") }
        freeze(first)
        ask(long)
        wait(milliseconds: 11)
        let homes = world.copies(of: long)
        let slow = long.filter { homes[$0]![0] == first }
        #expect(slow.count > 90 && stats.copies.hedges == slow.count)
        #expect(world.take(client) == values(long) + "END\r\n")
        thaw(first)
        expectRest()
    }

    /// One key has no other copy to ask: the line could not be answered before it is.
    @Test func whatCannotBeAnsweredIsNotDoubled() {
        world.judge(node: second, isUp: false)
        freeze(first)
        ask(pair)
        wait(milliseconds: 11)
        #expect(stats.copies.hedges == 0)
        thaw(first)
        #expect(world.take(client) == values(pair) + "END\r\n")
        expectRest()
    }

    /// Only plain gets, and only where reads are hedged.
    @Test func othersAreNotWatched() {
        freeze(0, 1, 2)
        let request = keys.joined(separator: " ")
        world.send("gets \(request)\r\ngat 100 \(request)\r\n", from: client)
        wait(milliseconds: 11)
        #expect(stats.copies.hedges == 0 && world.engine.nextHedge == .max)
        let test = LineHedgingTests { $0.read = .spread }
        test.freeze(0, 1, 2)
        test.ask(test.keys)
        #expect(test.world.engine.hedgeWaits.count == 0)
    }
}
