import Testing

@testable import ProxyCore

/// What is done in which order when keys move.
struct MovePlanTests {
    private static let well = MovePlan.Situation(tokens: [1, 2])

    private func plan(targets: Int = 2, drops: Int = 1) -> MovePlan {
        var plan = MovePlan(quietUntil: 100, targets: targets, drops: drops, verifies: true)
        let isUseful = plan.look(at: Self.well, now: 50)
        #expect(isUseful && plan.step(now: 50) == .wait(until: 100))
        return plan
    }

    private func pass(_ plan: inout MovePlan, _ expected: MovePlan.Step, changed: Int = 0, of total: Int = 0) {
        expect(&plan, expected)
        plan.passed(changed: changed, of: total, isWhole: true)
    }

    private func expect(_ plan: inout MovePlan, _ expected: MovePlan.Step, _ situation: MovePlan.Situation = well) {
        let isUseful = plan.look(at: situation, now: 200)
        #expect(isUseful && plan.step(now: 200) == expected, "\(plan.step(now: 200)), not \(expected)")
    }

    @Test func eachTargetIsCopiedAndVerifiedThenReadsMove() {
        var plan = plan()
        for target in 0..<2 {
            pass(&plan, .pass(.copy(number: 1), target: target), changed: 500, of: 1000)
            pass(&plan, .pass(.copy(number: 2), target: target), changed: 9)
            pass(&plan, .pass(.verify, target: target))
        }
        expect(&plan, .moveReads)
        #expect(!plan.isReversible)
        plan.done()
        expect(&plan, .leave)
        plan.done()
        pass(&plan, .drop(target: 0))
        expect(&plan, .over)
    }

    @Test func whatVerifyMissesIsCopiedAgain() {
        var plan = plan(targets: 1)
        pass(&plan, .pass(.copy(number: 1), target: 0))
        pass(&plan, .pass(.verify, target: 0), changed: 1)
        pass(&plan, .pass(.copy(number: 2), target: 0))
        pass(&plan, .pass(.verify, target: 0))
        expect(&plan, .moveReads)
    }

    @Test func aServerThatWasAwayBeginsTheRoundAnew() {
        var plan = plan()
        expect(&plan, .await(.servers), MovePlan.Situation(tokens: nil))
        pass(&plan, .pass(.copy(number: 1), target: 0))
        expect(&plan, .pass(.verify, target: 0))
        let isUseful = plan.look(at: MovePlan.Situation(tokens: [1, 3]), now: 200)
        #expect(!isUseful, "what is under way is of no use")
        expect(&plan, .pass(.copy(number: 1), target: 0), MovePlan.Situation(tokens: [1, 3]))
    }

    @Test func aTokenThatChangesBeforeReadsMoveHoldsThemBack() {
        var plan = plan(targets: 0)
        expect(&plan, .moveReads)
        expect(&plan, .await(.servers), MovePlan.Situation(tokens: nil))
    }

    @Test func whoWritesElsewhereHoldsReadsBack() {
        let opposed = MovePlan.Situation(tokens: [1, 2], isOpposed: true, isMoving: true, hasMoved: false)
        var plan = plan(targets: 1)
        expect(&plan, .await(.agreement), opposed)
        pass(&plan, .pass(.copy(number: 1), target: 0))
        let isUseful = plan.look(at: opposed, now: 200)
        #expect(!isUseful, "what it writes comes to the old place only")
        pass(&plan, .pass(.copy(number: 1), target: 0))
        pass(&plan, .pass(.verify, target: 0))
        expect(&plan, .moveReads)
        expect(&plan, .await(.agreement), opposed)
    }

    @Test func whatAnotherHasDoneIsNotDoneAgain() {
        let moved = MovePlan.Situation(tokens: [1, 2], isOpposed: false, isMoving: true, hasMoved: true)
        var plan = plan()
        pass(&plan, .pass(.copy(number: 1), target: 0))
        let isUseful = plan.look(at: moved, now: 200)
        #expect(!isUseful)
        plan.passed(changed: 0, of: 0, isWhole: false)
        expect(&plan, .moveReads, moved)
    }

    @Test func theOldPlacesAreWrittenUntilNobodyReadsThem() {
        var plan = plan(targets: 0, drops: 0)
        expect(&plan, .moveReads)
        plan.done()
        expect(
            &plan, .await(.others),
            MovePlan.Situation(tokens: [1, 2], isOpposed: false, isMoving: true, hasMoved: true))
        expect(&plan, .leave)
        plan.done()
        expect(&plan, .over)
    }

    @Test func aPassThatIsCutShortBeginsTheRoundAnewAndADropIsTriedAgain() {
        var plan = plan(targets: 1, drops: 2)
        expect(&plan, .pass(.copy(number: 1), target: 0))
        plan.passed(changed: 0, of: 0, isWhole: false)
        for number in 1...MovePlan.passLimit {
            pass(&plan, .pass(.copy(number: number), target: 0), changed: 900, of: 1000)
        }
        pass(&plan, .pass(.verify, target: 0), changed: 900)
        expect(&plan, .moveReads)  // clients write faster than can be copied
        plan.done()
        expect(&plan, .leave)
        plan.done()
        for _ in 1...MovePlan.passLimit {
            expect(&plan, .drop(target: 0))
            plan.passed(changed: 0, of: 0, isWhole: false)
        }
        expect(&plan, .drop(target: 1))
        plan.passed(changed: 0, of: 0, isWhole: false)
        pass(&plan, .drop(target: 1))
        expect(&plan, .over)
    }

    @Test func otherSettingsWhileOthersReadTheOldPlacesWaitForThemToo() {
        var plan = MovePlan(quietUntil: 300, targets: 2, drops: 1, verifies: true, hasMoved: true)
        #expect(!plan.isReversible)
        expect(
            &plan, .await(.others),
            MovePlan.Situation(tokens: [1, 2], isOpposed: false, isMoving: true, hasMoved: true))
        expect(&plan, .leave)
        plan.done()
        pass(&plan, .drop(target: 0))
        expect(&plan, .over)
    }

    /// Where keys have one copy.
    @Test func readsMoveWhenNobodyObjectsToTheOffer() {
        let opposed = MovePlan.Situation(tokens: [1, 2], isOpposed: true, isMoving: true, hasMoved: false)
        var plan = MovePlan(quietUntil: 100, targets: 1, drops: 0, verifies: true, offers: true)
        pass(&plan, .pass(.copy(number: 1), target: 0))
        pass(&plan, .pass(.verify, target: 0))
        expect(&plan, .offer)
        #expect(!plan.isReversible)
        plan.offered(isAccepted: false)
        #expect(plan.isReversible)
        expect(&plan, .await(.agreement), opposed)
        pass(&plan, .pass(.copy(number: 1), target: 0))
        pass(&plan, .pass(.verify, target: 0))
        expect(&plan, .offer)
        expect(&plan, .await(.servers), MovePlan.Situation(tokens: nil))
        plan.offered(isAccepted: true)
        expect(&plan, .await(.servers), MovePlan.Situation(tokens: nil))
        pass(&plan, .pass(.copy(number: 1), target: 0))
        pass(&plan, .pass(.verify, target: 0))
        expect(&plan, .offer)
        plan.offered(isAccepted: true)
        expect(&plan, .moveReads)
    }

    @Test func whatAnotherHasOfferedAndDoneNeedsNoOffer() {
        let moved = MovePlan.Situation(tokens: [1, 2], isOpposed: true, isMoving: true, hasMoved: true)
        var plan = MovePlan(quietUntil: 100, targets: 2, drops: 0, verifies: true, offers: true)
        expect(&plan, .moveReads, moved)
    }

    @Test func whatWasBroughtElsewhereIsDropped() {
        var plan = MovePlan(dropping: 2)
        #expect(!plan.isReversible)
        pass(&plan, .drop(target: 0))
        pass(&plan, .drop(target: 1))
        expect(&plan, .over)
        plan = MovePlan(dropping: 0)
        expect(&plan, .over)
    }
}

/// What proxies tell each other where no markers are kept.
struct MoveReadingTests {
    private func pool(_ ports: ClosedRange<UInt16>) -> PoolSettings {
        PoolSettings(name: "p", listen: [], nodes: ports.map { NodeSettings(address: .tcp(host: "h", port: $0)) })
    }

    @Test func eachAnswersWhatItWritesBy() throws {
        let (before, after) = (pool(1...3), pool(1...4))
        let moving = try before.next(towards: after).get()
        let handed = try #require(moving.handedOver)
        let (own, other) = (after.placesToken, before.placesToken)
        func answer(_ reading: MoveReading, of settings: PoolSettings) -> (item: MarkerItem, places: Token)? {
            reading.answer(of: settings, at: settings.placesToken)
        }
        let nothing = MoveReading()
        let seen = MoveReading(moving: own, moved: nil, hasObjection: false)
        #expect(answer(nothing, of: before) == nil)
        #expect(try #require(answer(seen, of: before)) == (.objection, own))
        #expect(answer(seen, of: after) == nil, "it began with the new places")
        #expect(try #require(answer(nothing, of: moving)) == (.moving, own))
        #expect(try #require(answer(seen, of: moving)) == (.moving, own))
        #expect(try #require(answer(seen, of: handed)) == (.moved, own))
        let elsewhere = MoveReading(moving: other, moved: nil, hasObjection: false)
        #expect(try #require(answer(elsewhere, of: moving)) == (.objection, other))
    }

    @Test func nobodyIsTakenToHaveMovedBeforeAllWereAsked() throws {
        let token = try #require(Token(7))
        var readings = MoveReadings(nodes: 2, calm: 0)
        readings.read(0, MoveReading(), now: 1)
        #expect(readings.isMoving(to: token) && !readings.isInformed && !readings.hasMoved(to: token))
        readings.lost(1)
        #expect(!readings.isMoving(to: token) && readings.isInformed && !readings.hasObjection)
        readings.read(1, MoveReading(moving: token, moved: token, hasObjection: true), now: 2)
        #expect(readings.isMoving(to: token) && readings.hasMoved(to: token) && readings.isOpposed(now: 3))
        readings.lost(1)
        #expect(!readings.isOpposed(now: 3), "who is not heard says nothing")
    }
}
