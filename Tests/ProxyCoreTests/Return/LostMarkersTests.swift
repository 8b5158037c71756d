import Testing

@testable import ProxyCore

/// Markers that go while the connection lasts: a flush, or an eviction.
struct LostMarkersTests {
    private typealias Pool = PoolMarkersTests
    private static let second = Pool.second
    private static let now = Pool.now

    private func access(_ markers: PoolMarkers, _ now: UInt64) -> [PoolMarkers.Access] {
        (0..<3).map { markers.access($0, now: now) }
    }

    /// Polls all nodes each 100 ms, until then.
    private func poll(_ markers: inout PoolMarkers, from start: UInt64, to end: UInt64, _ readings: [MarkerReading]) {
        for time in stride(from: start, through: end, by: 100_000_000) {
            for (node, reading) in readings.enumerated() { markers.read(node, reading, asked: time, now: time) }
        }
    }

    @Test func aPoolThatWasFlushedIsAsFullAsBeforeAndGetsItsMarkersBack() {
        var markers = Pool.whole()
        for node in 0..<3 {
            #expect(markers.restoration(now: Self.now).isEmpty, "\(node) of them may be flushed past the proxies")
            markers.read(node, Pool.empty(), asked: Self.now, now: Self.now)
            #expect(access(markers, Self.now) == [.full, .full, .full])
        }
        #expect(markers.adoptable(now: Self.now).isEmpty && markers.fillable(now: Self.now) == nil)
        let commands = markers.restoration(now: Self.now)
        let expected: [MarkerCommand] =
            (0..<3).flatMap { node in
                (0..<3).filter { $0 != node }.map { peer in
                    let standing = Standing(token: Pool.tokens[peer], isRevoked: false, missed: .nothing)
                    return MarkerCommand(node: node, item: .standing(of: peer), .store(standing.text, .ifMissing))
                }
            }
            + (0..<3).map {
                MarkerCommand(node: $0, item: .ready, .store(MarkerText.token(Pool.tokens[$0]), .ifMissing))
            }
        #expect(commands == expected)
        #expect(!markers.hasLosses && markers.restoration(now: Self.now).isEmpty)
        #expect(access(markers, Self.now) == [.full, .full, .full])
    }

    @Test func flushesWithoutAnEndTakeNothingAway() {
        var markers = Pool.whole()
        for turn in 1...200 {
            let time = Self.now + UInt64(turn) * 100_000_000
            for node in 0..<3 {
                markers.read(node, Pool.empty(), asked: time, now: time)
                #expect(access(markers, time) == [.full, .full, .full])
            }
            #expect(!markers.restoration(now: time).isEmpty)
        }
    }

    /// A delayed flush comes to each node when its own second begins.
    @Test func aNodeWaitsForTheOthersToBeFlushed() {
        var markers = Pool.whole()
        let readings = [Pool.reading(of: 0), Pool.empty(), Pool.reading(of: 2)]
        poll(&markers, from: Self.now, to: Self.now + 2 * Self.second, readings)
        #expect(access(markers, Self.now + 2 * Self.second) == [.full, .full, .full])
        #expect(markers.hasLosses && markers.restoration(now: Self.now + 2 * Self.second).isEmpty)
        for node in [0, 2] {
            let time = Self.now + 2 * Self.second + 1
            markers.read(node, Pool.empty(), asked: time, now: time)
        }
        #expect(markers.restoration(now: Self.now + 2 * Self.second + 1).count == 9)
    }

    /// Flushed past the proxies, or its marker was evicted: the others have what it lacks.
    @Test func aNodeThatLostItsMarkersAloneIsFilled() {
        var markers = Pool.whole()
        let readings = [Pool.reading(of: 0), Pool.empty(), Pool.reading(of: 2)]
        let end = Self.now + PoolMarkers.lossPatience
        poll(&markers, from: Self.now, to: end - 1, readings)
        #expect(access(markers, end - 1) == [.full, .full, .full] && markers.restoration(now: end - 1).isEmpty)
        poll(&markers, from: end, to: end, readings)
        #expect(access(markers, end) == [.full, .syncing, .full])
        #expect(!markers.hasLosses && markers.fillable(now: end) == 1 && markers.restoration(now: end).isEmpty)
    }

    /// An eviction, and the next fault within its three seconds: old values were read from the node that had missed writes.
    @Test func theOnlyNodeThatMissedNothingIsNotGivenUpForItsMarker() {
        var markers = Pool.whole()
        let lacking = Pool.reading(of: 0) { $0.ready = nil }
        markers.read(0, lacking, asked: Self.now, now: Self.now)
        #expect(markers.restoration(now: Self.now).isEmpty, "all others could fill it")
        markers.missedWrite(1)
        let ready = MarkerCommand(node: 0, item: .ready, .store(MarkerText.token(Pool.tokens[0]), .ifMissing))
        #expect(markers.restoration(now: Self.now).last == ready)
        let end = Self.now + PoolMarkers.lossPatience + Self.second
        poll(&markers, from: Self.now, to: end, [lacking, Pool.reading(of: 1), Pool.reading(of: 2)])
        #expect(access(markers, end) == [.full, .syncing, .full] && markers.fillable(now: end) == 1)
        #expect(markers.restoration(now: end).last == ready)
        // Until the other is back.
        let filled = Token(4711)!
        func confirming(_ node: Int) -> MarkerReading {
            Pool.reading(of: node) {
                if node == 1 {
                    $0.ready = filled
                } else {
                    $0.standings[1] = Standing(token: filled, isRevoked: false, missed: .nothing)
                }
                if node == 0 { $0.ready = nil }
            }
        }
        poll(&markers, from: end, to: end, (0..<3).map(confirming))
        poll(&markers, from: end + 1, to: end + 1, (0..<3).map(confirming))
        #expect(access(markers, end + 1) == [.syncing, .full, .full] && markers.fillable(now: end + 1) == 0)
    }

    /// What is away may come back with less, and one that lost its marker too proves no more.
    @Test(arguments: [true, false]) func aMarkerIsPutBackWhileAnotherNodeCouldNotTakeItsPlace(isAway: Bool) {
        var markers = Pool.whole()
        markers.read(0, Pool.reading(of: 0) { $0.ready = nil }, asked: Self.now, now: Self.now)
        if isAway {
            markers.lost(1, mayBeNew: true)
        } else {
            markers.read(1, Pool.reading(of: 1) { $0.ready = nil }, asked: Self.now, now: Self.now)
        }
        let commands = markers.restoration(now: Self.now)
        #expect(commands.filter { $0.item == .ready }.map(\.node) == (isAway ? [0] : [0, 1]))
    }

    /// Emptied past the proxies: the revocation that was published there since does not make it an eviction.
    @Test func aNodeThatWasFlushedAloneProvesNothingBesideOneThatMissedWrites() {
        var markers = Pool.whole()
        markers.read(0, Pool.empty(), asked: Self.now, now: Self.now)
        markers.missedWrite(1)
        let revoked = Standing(token: Pool.tokens[1], isRevoked: true, missed: .unknown)
        let lacking = Pool.reading(of: 0) { ($0.ready, $0.standings[1]) = (nil, revoked) }
        let end = Self.now + PoolMarkers.lossPatience
        poll(&markers, from: Self.now, to: end, [lacking, Pool.reading(of: 1), Pool.reading(of: 2)])
        #expect(access(markers, end) == [.syncing, .syncing, .full] && markers.restoration(now: end).isEmpty)
    }

    /// An eviction: were it not put back, node 1 could not be read as soon as node 2 is away.
    @Test func whatAReadyNodeKeepsAboutAnotherIsPutBackAtOnce() {
        var markers = Pool.whole()
        let lacking = Pool.reading(of: 0) { $0.standings[1] = nil }
        markers.read(0, lacking, asked: Self.now, now: Self.now)
        let standing = Standing(token: Pool.tokens[1], isRevoked: false, missed: .nothing)
        let commands = markers.restoration(now: Self.now)
        #expect(commands.contains(MarkerCommand(node: 0, item: .standing(of: 1), .store(standing.text, .ifMissing))))
        #expect(commands.allSatisfy { $0.node == 0 && $0.item != .ready })
        markers.read(0, Pool.reading(of: 0), asked: Self.now + 1, now: Self.now + 1)
        #expect(!markers.hasLosses)
        markers.lost(2, mayBeNew: true)
        #expect(access(markers, Self.now) == [.full, .full, .none])
    }

    /// Somebody else says that it was revoked: the eviction must not undo that.
    @Test func whatIsRevokedElsewhereIsNotPutBackAsGood() {
        var markers = Pool.whole()
        let revoked = Standing(token: Pool.tokens[1], isRevoked: true, missed: .unknown)
        markers.read(2, Pool.reading(of: 2) { $0.standings[1] = revoked }, asked: Self.now, now: Self.now)
        markers.read(0, Pool.reading(of: 0) { $0.standings[1] = nil }, asked: Self.now, now: Self.now)
        let commands = markers.restoration(now: Self.now)
        #expect(!commands.contains { $0.item == .standing(of: 1) })
        #expect(access(markers, Self.now) == [.full, .syncing, .full])
    }

    /// Some items that were used in the second of a flush survive it.
    @Test func aMarkerThatSurvivesAClientsFlushDoesNotMatter() {
        var markers = Pool.whole()
        markers.flushed(now: Self.now)
        for node in [0, 2] { markers.read(node, Pool.empty(), asked: Self.now, now: Self.now) }
        let commands = markers.restoration(now: Self.now)
        #expect(commands.count == 6 && commands.allSatisfy { $0.node != 1 })
    }

    @Test func aNodeThatMissedTheFlushHoldsNobodyBack() {
        var markers = Pool.whole()
        for node in [0, 2] { markers.read(node, Pool.empty(), asked: Self.now, now: Self.now) }
        #expect(markers.restoration(now: Self.now).isEmpty)
        markers.missedWrite(1)
        #expect(access(markers, Self.now) == [.full, .syncing, .full])
        let commands = markers.restoration(now: Self.now)
        #expect(commands.filter { $0.item == .ready }.map(\.node) == [0, 2])
    }

    /// What was known to be revoked is not confirmed by a flush.
    @Test func aRevocationIsPutBackAsOne() {
        var markers = Pool.whole()
        let revoked = Standing(token: Pool.tokens[1], isRevoked: true, missed: .unknown)
        markers.read(0, Pool.reading(of: 0) { $0.standings[1] = revoked }, asked: Self.now, now: Self.now)
        for node in 0..<3 { markers.read(node, Pool.empty(), asked: Self.now, now: Self.now) }
        #expect(access(markers, Self.now) == [.full, .syncing, .full])
        let commands = markers.restoration(now: Self.now)
        #expect(commands.contains(MarkerCommand(node: 0, item: .standing(of: 1), .store(revoked.text, .ifMissing))))
        #expect(commands.filter { $0.item == .ready }.map(\.node) == [0, 2])
    }

    @Test func anotherProcessHasLostNothing() {
        var markers = Pool.whole()
        markers.lost(1, mayBeNew: true)
        markers.read(1, Pool.empty(), asked: Self.now, now: Self.now)
        #expect(access(markers, Self.now) == [.full, .syncing, .full] && !markers.hasLosses)
    }

    @Test func aNodeThatIsBeingFilledHasLostNothing() {
        var markers = Pool.whole()
        let filling = Filling(token: Token(222)!, hadFilling: true)
        markers.read(1, Pool.reading(of: 1) { ($0.ready, $0.filling) = (nil, filling) }, asked: Self.now, now: Self.now)
        #expect(access(markers, Self.now) == [.full, .syncing, .full] && !markers.hasLosses)
        // And the flush that belongs to the filling takes that marker.
        markers.read(1, Pool.empty(), asked: Self.now, now: Self.now)
        #expect(access(markers, Self.now) == [.full, .syncing, .full])
    }

    /// A process that stood still may have missed a whole filling.
    @Test func anOldReadingProvesNothing() {
        var markers = Pool.whole()
        let time = 10 * Self.second + markers.lifetime
        markers.read(1, Pool.empty(), asked: time, now: time)
        #expect(!markers.hasLosses && markers.nodes[1].reading?.ready == nil)
    }
}
