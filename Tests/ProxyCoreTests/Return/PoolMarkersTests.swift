import Testing

@testable import ProxyCore

struct PoolMarkersTests {
    static let second: UInt64 = 1_000_000_000
    static let tokens = [Token(11)!, Token(22)!, Token(33)!]

    /// A pool of three that was never disturbed, read at second 10.
    static func whole() -> PoolMarkers {
        var markers = PoolMarkers(nodes: 3, poll: second, timeout: second / 5)
        for node in 0..<3 { markers.read(node, reading(of: node), asked: 10 * second, now: 10 * second + 1) }
        return markers
    }

    static func reading(of node: Int, _ change: (inout MarkerReading) -> Void = { _ in }) -> MarkerReading {
        var reading = MarkerReading(
            ready: tokens[node], filling: nil,
            standings: (0..<3).map {
                $0 == node ? nil : Standing(token: tokens[$0], isRevoked: false, missed: .nothing)
            }, cas: 100)
        change(&reading)
        return reading
    }

    static func empty() -> MarkerReading {
        MarkerReading(ready: nil, filling: nil, standings: [nil, nil, nil], cas: 1)
    }

    static let now = 10 * second + 2

    private func access(_ markers: PoolMarkers, _ now: UInt64 = now) -> [PoolMarkers.Access] {
        (0..<3).map { markers.access($0, now: now) }
    }

    @Test func allReadyAndConfirmedAreFull() {
        #expect(access(Self.whole()) == [.full, .full, .full])
        #expect(Self.whole().fillable(now: Self.now) == nil && Self.whole().adoptable(now: Self.now).isEmpty)
    }

    @Test func withoutAReadingThereIsNothing() {
        let markers = PoolMarkers(nodes: 3, poll: Self.second, timeout: Self.second / 5)
        #expect(access(markers) == [.none, .none, .none])
        #expect(markers.fillable(now: Self.now) == nil && markers.adoptable(now: Self.now).isEmpty)
    }

    /// A process that stood still must not act on what was true before.
    @Test func aReadingGrowsOld() {
        let markers = Self.whole()
        #expect(markers.lifetime == Self.second * 7 / 5)
        #expect(access(markers, 10 * Self.second + markers.lifetime - 1) == [.full, .full, .full])
        #expect(access(markers, 10 * Self.second + markers.lifetime) == [.none, .none, .none])
    }

    @Test func aRestartedNodeIsSyncing() {
        var markers = Self.whole()
        markers.lost(1, mayBeNew: true)
        #expect(access(markers) == [.full, .none, .full])
        markers.read(1, Self.empty(), asked: Self.now, now: Self.now)
        #expect(access(markers) == [.full, .syncing, .full])
        #expect(markers.fillable(now: Self.now) == 1)
        #expect(markers.peers(of: 1, now: Self.now) == [.full(Self.tokens[0]), .unreachable, .full(Self.tokens[2])])
    }

    /// Of the keys that only these two have, the other would lose what this one has.
    @Test func ofTwoThatMissedSomethingTheOneThatWasFullLastIsFilledFirst() {
        func markers(_ standings: [Int: Missed], empty: Set<Int> = []) -> PoolMarkers {
            var markers = PoolMarkers(nodes: 3, poll: Self.second, timeout: Self.second / 5)
            for node in 0..<3 {
                let reading = Self.reading(of: node) { reading in
                    for (other, missed) in standings where other != node {
                        reading.standings[other] = Standing(token: Self.tokens[other], isRevoked: true, missed: missed)
                    }
                }
                let found = empty.contains(node) ? Self.empty() : reading
                markers.read(node, found, asked: 10 * Self.second, now: 10 * Self.second)
            }
            return markers
        }
        func since(_ cas: UInt64, keeper: Int = 1) -> Missed {
            .since(Watermark(cas: cas, token: Self.tokens[keeper]))
        }
        #expect(access(markers([0: since(5), 2: since(9)])) == [.syncing, .full, .syncing])
        #expect(markers([0: since(5), 2: since(9)]).fillable(now: Self.now) == 2)
        #expect(markers([0: since(9), 2: since(5)]).fillable(now: Self.now) == 0)
        #expect(markers([0: .unknown, 2: since(5)]).fillable(now: Self.now) == 2)
        #expect(markers([0: since(5, keeper: 2), 2: since(1)]).fillable(now: Self.now) == 2, "another process's count")
        #expect(markers([0: since(9), 2: since(5)], empty: [0]).fillable(now: Self.now) == 2)
        #expect(markers([0: since(9), 2: since(5)], empty: [0]).hasContents(2))
        #expect(!markers([0: since(9), 2: since(5)], empty: [0]).hasContents(0))
    }

    /// With nobody left who could tell which of them missed less.
    @Test func whenItWasWholeIsRemembered() {
        var markers = Self.whole()
        markers.missedWrite(0)
        let later = Self.now + Self.second / 2
        for node in 0..<3 { markers.read(node, Self.reading(of: node), asked: later, now: later) }
        for node in 1..<3 { markers.missedWrite(node) }
        #expect((0..<3).allSatisfy { markers.access($0, now: later) == .syncing })
        #expect(markers.lastWhole(0) < markers.lastWhole(1) && markers.lastWhole(1) == later)
        #expect(markers.fillable(now: later) == 1)
        markers.lost(1, mayBeNew: true)
        #expect(markers.lastWhole(1) == 0)
    }

    /// It may be slow for a moment, or this process.
    @Test func aNodeThatIsNotHeardForAMomentIsWhatItWas() {
        var markers = Self.whole()
        markers.lost(1, mayBeNew: false)
        let end = markers.patienceEnds
        #expect(Self.now < end && end < markers.goodUntil, "workers are told before they trust nothing any more")
        #expect(!markers.endPatience(now: end - 1) && access(markers) == [.full, .full, .full])
        #expect(!markers.isUnheard(1) && markers.hasContents(1))
        // Then others are read; where there are none, it is the best guess.
        #expect(markers.endPatience(now: end) && markers.patienceEnds == .max)
        #expect(access(markers)[1] == .none && markers.isUnheard(1) && markers.hasContents(1))
        markers.missedWrite(1)
        #expect(!markers.isUnheard(1))
    }

    @Test func aNodeThatIsHeardAgainIsWhatItSays() {
        var markers = Self.whole()
        markers.lost(1, mayBeNew: false)
        markers.read(1, Self.empty(), asked: Self.now, now: Self.now)
        #expect(markers.patienceEnds == .max && access(markers)[1] == .syncing, "not what a flush took")
        #expect(!markers.hasLosses && !markers.hasContents(1) && !markers.isUnheard(1))
    }

    @Test func aNodeWhoseProcessEndedIsNothing() {
        var markers = Self.whole()
        markers.lost(1, mayBeNew: false)
        markers.lost(1, mayBeNew: true)
        #expect(markers.patienceEnds == .max && access(markers)[1] == .none)
        #expect(!markers.hasContents(1) && !markers.isUnheard(1))
    }

    /// What revokes it may not be heard any more, or be replaced by a filling's token.
    @Test func aNodeThatWasDisputedOnceIsNotTheBestGuessAnyMore() {
        var markers = Self.whole()
        markers.lost(1, mayBeNew: false)
        #expect(markers.endPatience(now: markers.patienceEnds) && markers.isUnheard(1))
        let filled = Self.reading(of: 2) {
            $0.standings[1] = Standing(token: Token(99)!, isRevoked: false, missed: .unknown)
        }
        markers.read(2, filled, asked: Self.now, now: Self.now)
        #expect(!markers.isUnheard(1))
        markers.read(2, Self.reading(of: 2) { _ in }, asked: Self.now, now: Self.now)
        #expect(!markers.isUnheard(1))
    }

    @Test func ofTwoThatFallSilentTogetherTheRevokedOneIsNotTheBestGuess() {
        var markers = Self.whole()
        let reading = Self.reading(of: 0) {
            $0.standings[1] = Standing(token: Self.tokens[1], isRevoked: true, missed: .unknown)
        }
        markers.read(0, reading, asked: Self.now, now: Self.now)
        markers.lost(0, mayBeNew: false)
        markers.lost(1, mayBeNew: false)
        #expect(markers.fillable(now: Self.now) == nil, "nobody knows whom to ask")
        #expect(markers.endPatience(now: Self.now + 2 * Self.second) && markers.isUnheard(0) && !markers.isUnheard(1))
    }

    @Test func aNodeThatIsNotHeardAndWasRevokedIsNotTheBestGuess() {
        var markers = Self.whole()
        markers.lost(1, mayBeNew: false)
        #expect(markers.endPatience(now: markers.patienceEnds) && markers.isUnheard(1))
        let reading = Self.reading(of: 2) {
            $0.standings[1] = Standing(token: Self.tokens[1], isRevoked: true, missed: .unknown)
        }
        markers.read(2, reading, asked: Self.now, now: Self.now)
        #expect(!markers.isUnheard(1) && markers.hasContents(1))
    }

    @Test(arguments: [Token(22), nil]) func aRevocationAnywhereCounts(token: Token?) {
        var markers = Self.whole()
        let reading = Self.reading(of: 2) {
            $0.standings[1] = Standing(token: token, isRevoked: true, missed: .unknown)
        }
        markers.read(2, reading, asked: Self.now, now: Self.now)
        #expect(access(markers) == [.full, .syncing, .full])
        // Whoever keeps it may be away afterwards: this process then has to have it from another.
        markers.lost(2, mayBeNew: true)
        #expect(markers.access(1, now: Self.now) == .full)
    }

    @Test func aRevocationOfAnEarlierTokenCountsAsNotConfirmed() {
        var markers = Self.whole()
        let reading = Self.reading(of: 2) {
            $0.standings[1] = Standing(token: Token(99), isRevoked: true, missed: .unknown)
        }
        markers.read(2, reading, asked: Self.now, now: Self.now)
        #expect(markers.access(1, now: Self.now) == .syncing)
    }

    /// An evicted marker makes a node unreadable, never readable.
    @Test func aReadyNodeThatSaysNothingDoesNotConfirm() {
        var markers = Self.whole()
        markers.lost(2, mayBeNew: true)
        markers.read(2, Self.reading(of: 2) { $0.standings[1] = nil }, asked: Self.now, now: Self.now)
        #expect(access(markers) == [.full, .syncing, .full])
        // One without a ready marker of its own is not asked.
        markers.lost(2, mayBeNew: true)
        markers.read(2, Self.empty(), asked: Self.now, now: Self.now)
        #expect(access(markers) == [.full, .full, .syncing])
    }

    /// A node that was revoked itself may have missed that the others are others now.
    @Test func aRevokedNodeIsNotAskedForConfirmation() {
        var markers = Self.whole()
        let old = Self.reading(of: 2) {
            $0.standings[1] = Standing(token: Token(99), isRevoked: false, missed: .nothing)
        }
        markers.read(2, old, asked: Self.now, now: Self.now)
        #expect(markers.access(1, now: Self.now) == .syncing)
        let revoking = Self.reading(of: 0) {
            $0.standings[2] = Standing(token: Self.tokens[2], isRevoked: true, missed: .unknown)
        }
        markers.read(0, revoking, asked: Self.now, now: Self.now)
        #expect(access(markers) == [.full, .full, .syncing])
    }

    // MARK: Own knowledge

    @Test func aMissedWriteCountsAtOnceAndStays() {
        var markers = Self.whole()
        markers.missedWrite(1)
        #expect(access(markers) == [.full, .syncing, .full])
        markers.read(1, Self.reading(of: 1), asked: Self.now, now: Self.now)
        #expect(markers.access(1, now: Self.now) == .syncing, "the markers do not say so yet")
        let missing = markers.missingRevocations(now: Self.now)
        #expect(missing.map(\.node) == [1, 1] && missing.map(\.peer) == [0, 2])
        for peer in [0, 2] {
            markers.published(Standing(token: Self.tokens[1], isRevoked: true, missed: .unknown), of: 1, on: peer)
        }
        #expect(markers.missingRevocations(now: Self.now).isEmpty && markers.isCovered(1, now: Self.now))
        // Gone: it is published again.
        markers.lost(2, mayBeNew: true)
        markers.read(2, Self.reading(of: 2) { $0.standings[1] = nil }, asked: Self.now, now: Self.now)
        #expect(markers.missingRevocations(now: Self.now).map(\.peer) == [2] && !markers.isCovered(1, now: Self.now))
    }

    @Test func aNewFillingIsTrustedAgain() {
        var markers = Self.whole()
        markers.missedWrite(1)
        let token = Token(222)!
        for peer in [0, 2] {
            let reading = Self.reading(of: peer) {
                $0.standings[1] = Standing(token: token, isRevoked: false, missed: .nothing)
            }
            markers.read(peer, reading, asked: Self.now, now: Self.now)
        }
        #expect(!markers.isCovered(1, now: Self.now), "a write that it misses now has to stop the filling")
        markers.read(1, Self.reading(of: 1) { $0.ready = token }, asked: Self.now, now: Self.now)
        #expect(access(markers) == [.full, .full, .full])
        #expect(markers.missingRevocations(now: Self.now).isEmpty)
    }

    /// The proxy that misses a write while a node is filled hits the filling.
    @Test func aMissedWriteRevokesTheFilling() {
        var markers = Self.whole()
        let filling = Filling(token: Token(222)!, hadFilling: true)
        markers.read(1, Self.reading(of: 1) { ($0.ready, $0.filling) = (nil, filling) }, asked: Self.now, now: Self.now)
        markers.missedWrite(1)
        markers.read(1, Self.reading(of: 1) { $0.ready = filling.token }, asked: Self.now, now: Self.now)
        for peer in [0, 2] {
            let reading = Self.reading(of: peer) {
                $0.standings[1] = Standing(token: filling.token, isRevoked: false, missed: .nothing)
            }
            markers.read(peer, reading, asked: Self.now, now: Self.now)
        }
        #expect(markers.access(1, now: Self.now) == .syncing)
    }

    @Test func theWatermarkIsFromBeforeTheWriteAndThoseUnderWay() {
        var markers = Self.whole()
        let (start, timeout) = (10 * Self.second + 1, Self.second / 5)
        #expect(markers.missed(on: 0, sent: start + timeout) == .unknown)
        #expect(
            markers.missed(on: 0, sent: start + timeout + 1)
                == .since(Watermark(cas: 100, token: Self.tokens[0])))
        markers.lost(0, mayBeNew: true)
        markers.read(0, Self.empty(), asked: Self.now, now: Self.now)
        #expect(markers.missed(on: 0, sent: 20 * Self.second) == .unknown, "it has restarted")
    }

    // MARK: First start

    @Test func aFirstStartAdoptsAll() {
        var markers = PoolMarkers(nodes: 3, poll: Self.second, timeout: Self.second / 5)
        for node in 0..<2 { markers.read(node, Self.empty(), asked: Self.now, now: Self.now) }
        #expect(markers.adoptable(now: Self.now).isEmpty, "one has not said anything yet")
        markers.read(2, Self.empty(), asked: Self.now, now: Self.now)
        #expect(markers.adoptable(now: Self.now) == [0, 1, 2] && markers.fillable(now: Self.now) == nil)
        var second = markers
        second.read(2, Self.reading(of: 2), asked: Self.now, now: Self.now)
        #expect(second.adoptable(now: Self.now).isEmpty && second.fillable(now: Self.now) == 0)
        var third = markers
        third.missedWrite(1)
        #expect(third.adoptable(now: Self.now) == [0, 2])
        var fourth = markers
        for node in 0..<3 { fourth.missedWrite(node) }
        #expect(fourth.adoptable(now: Self.now) == [0, 1, 2], "somewhere it has to begin")
        var fifth = markers
        let filling = Filling(token: Token(5)!, hadFilling: false)
        var reading = Self.empty()
        reading.filling = filling
        fifth.read(0, reading, asked: Self.now, now: Self.now)
        #expect(fifth.adoptable(now: Self.now).isEmpty)
    }

    @Test func theQuietTimeOutlivesEveryReadingAndWrite() {
        let markers = Self.whole()
        #expect(markers.quietTime > markers.lifetime + Self.second / 5)
    }
}
