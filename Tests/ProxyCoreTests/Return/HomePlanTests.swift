import Testing

@testable import ProxyCore

/// Nodes that stand in for each other, step by step.
struct HomePlanTests {
    private static let quiet: UInt64 = 1_400_000_000
    private typealias Course = HomeCourse

    /// Until what has moved to other nodes is dropped where it was, others might have something old.
    @Test func nobodyStandsInBeforeTheSweepAfterAMove() {
        var course = Course()
        course.plan.awaitSweep()
        #expect(!course.plan.isSettled && !course.step())
        course.plan.wentDown(1, now: course.now)
        #expect(course.state(1) == "none own" && course.plan.phases[1] == nil)
        course.plan.answers(1, now: course.now)
        #expect(course.state(1) == "full own", "nothing was acknowledged meanwhile")
        course.plan.wentDown(2, now: course.now)
        course.plan.swept()
        course.settle()
        #expect(course.state(2) == "none away" && course.plan.phases[2] == .away && course.plan.isSettled)
    }

    @Test func aNodeThatComesBack() {
        var course = Course()
        let start = course.now
        course.plan.wentDown(1, now: start)
        #expect(course.state(1) == "none own" && course.state(0) == "full own", "nobody has been told")
        course.settle()
        #expect(course.state(1) == "none away" && course.state(0) == "full own")
        course.plan.answers(1, now: start)
        #expect(course.state(1) == "none away")
        course.step()
        let first = course.plan.nextCommand(now: start)
        #expect(first == .wait(until: start + Self.quiet))
        #expect(course.state(1) == "syncing joining")
        #expect((0..<3).allSatisfy { course.plan.verdict(on: $0).isMarked })
        course.now = start + Self.quiet
        course.plan.waited(now: course.now)
        course.said = []
        course.results = [
            .whole(changed: 500, total: 500), .whole(changed: 3, total: 500), .whole(changed: 2, total: 500),
            .whole(changed: 1, total: 500),
        ]
        course.run(until: .leading)
        #expect(course.state(1) == "full leading")
        let waits = course.said.count { if case .wait = $0 { true } else { false } }
        #expect(waits == 2, "between the flushes, and before both places count")
        #expect(
            course.said.filter { if case .wait = $0 { false } else { true } } == [
                .flush(1), .flush(1), .copy(to: 1, isLive: false), .copy(to: 1, isLive: false),
                .copy(to: 1, isLive: true), .verify(1), .copy(to: 1, isLive: true), .verify(1),
            ])
        course.said = []
        course.run()
        #expect(course.said.count == 4 && Array(course.said.suffix(2)) == [.drop(on: 0), .drop(on: 2)])
        #expect(course.state(1) == "full own" && !course.plan.isBusy && course.plan.nextTime == .max)
        #expect((0..<3).allSatisfy { !course.plan.verdict(on: $0).isMarked })
    }

    @Test func whileItIsFilledOthersDecide() {
        var course = Course()
        course.goAndComeBack(1)
        for (stage, state) in [
            (.flush(1), "syncing joining"), (.copy(1), "syncing joining"), (.proving, "full joining"),
            (.mend(1), "full joining"), (.verify(1), "full joining"), (.leading, "full leading"),
            (.leaving, "full own"),
        ] as [(HomePlan.Stage, String)] {
            course.run(until: stage)
            #expect(course.state(1) == state, "\(stage)")
        }
    }

    @Test func withoutVerificationItIsCopiedUntilNothingIsMissing() {
        var course = Course(verifies: false)
        course.goAndComeBack(0)
        course.results = [.whole(changed: 0, total: 0), .whole(changed: 4, total: 9)]
        course.run(until: .leading)
        #expect(course.said.count { $0 == .copy(to: 0, isLive: true) } == 2 && !course.said.contains(.verify(0)))
    }

    @Test func whatGoesDownBeforeTheOthersAreSweptKeepsItsKeys() {
        var course = Course()
        course.goAndComeBack(1)
        course.run(until: .leaving)
        course.plan.wentDown(1, now: course.now)
        #expect(course.state(1) == "none own")
        course.run()
        #expect(course.said.suffix(2) == [.drop(on: 0), .drop(on: 2)])
        #expect(course.state(1) == "none away", "now others may stand in")
    }

    @Test func whatAnswersBeforeThatHasNothingToCatchUpWith() {
        var course = Course()
        course.goAndComeBack(1)
        course.run(until: .drop)
        course.plan.wentDown(2, now: course.now)
        course.plan.answers(2, now: course.now)
        #expect(course.state(2) == "full own")
        course.run()
        #expect(course.said.suffix(2) == [.drop(on: 0), .drop(on: 2)], "it still holds keys of others")
    }

    @Test func oneAfterTheOther() {
        var course = Course(nodes: 5)
        course.goAndComeBack(3)
        course.goAndComeBack(1)
        course.run(until: .joining)
        #expect(course.state(1) == "syncing joining" && course.state(3) == "none away")
        course.run()
        #expect((0..<5).allSatisfy { course.state($0) == "full own" })
        #expect(
            course.said.filter { $0 == .flush(1) || $0 == .flush(3) } == [.flush(1), .flush(1), .flush(3), .flush(3)])
    }

    /// What becomes of the node that is brought home, and of one that stands in, when something happens to one of them.
    @Test(
        arguments: [
            (.copy(1), "down", 1, "none away", "full own"), (.copy(1), "down", 0, "none away", "none away"),
            (.verify(1), "down", 1, "none away", "full own"), (.verify(1), "down", 0, "full own", "none own"),
            (.leading, "down", 0, "full own", "none own"), (.leading, "down", 1, "none away", "full own"),
            (.copy(1), "missed", 1, "none away", "full own"), (.copy(1), "missed", 0, "syncing joining", "full own"),
            (.proving, "missed", 1, "none away", "full own"), (.proving, "missed", 0, "full own", "full own"),
            (.leading, "missed", 0, "full own", "full own"), (.flush(2), "lost", 1, "none away", "full own"),
            (.leading, "lost", 1, "none away", "full own"), (.leaving, "lost", 1, "full own", "full own"),
        ] as [(HomePlan.Stage, String, Int, String, String)])
    func disturbances(_ stage: HomePlan.Stage, what: String, to node: Int, newcomer: String, other: String) {
        var course = Course()
        course.goAndComeBack(1)
        course.run(until: stage)
        let round = course.plan.round
        switch what {
        case "down": course.goDown(node)
        case "missed":
            let isKept = course.misses(node)
            #expect(isKept)
        default: course.plan.disturbed(now: course.now)
        }
        course.settle()
        #expect(course.state(1) == newcomer && course.state(0) == other)
        #expect((course.plan.round != round) == (newcomer != "syncing joining" && stage != .leaving))
        course.plan.answers(0, now: course.now)
        course.plan.answers(1, now: course.now)
        course.run()
        #expect((0..<3).allSatisfy { course.state($0) == "full own" })
    }

    /// What is being copied may have to be taken back.
    @Test func nothingIsCompleteInTheMiddleOfACopy() {
        var course = Course()
        course.goAndComeBack(1)
        course.run(until: .mend(1))
        let isKept = course.misses(0)
        #expect(!isKept && course.state(1) == "full joining")
        course.goDown(0)
        #expect(course.state(1) == "none away" && course.state(0) == "none away")
    }

    @Test func whatOnlyStandsInsTookIsNotAcknowledgedWhenTheNodeIsHome() {
        var course = Course()
        course.goAndComeBack(1)
        course.run(until: .leaving)
        let (ofNode, ofOther) = (course.misses(1), course.misses(0))
        #expect(!ofNode && ofOther)
    }

    @Test func whereNobodyStandsInItIsEmptied() {
        var course = Course(nodes: 2)
        course.goDown(0)
        course.goDown(1)
        #expect(course.state(1) == "none own", "somebody keeps the keys")
        course.plan.answers(0, now: course.now)
        course.step()
        #expect(course.state(0) == "none away", "what it holds may be old")
        course.run()
        #expect(course.said.count { $0 == .flush(0) } == 2 && course.said.count == 5, "and others may hold what is old")
        #expect(course.said.last == .wait(until: course.now), "nothing of its keys is under way to anybody else")
        #expect(course.state(0) == "full own" && course.state(1) == "none away")
        course.plan.answers(1, now: course.now)
        course.run()
        #expect(course.state(1) == "full own")
    }

    @Test func whatCannotBeDoneIsGivenUp() {
        var course = Course()
        course.goAndComeBack(1)
        course.results = [.impossible]
        course.run()
        #expect(course.plan.isHopeless && course.state(1) == "full own" && !course.plan.isBusy)

        var stubborn = Course()
        stubborn.goAndComeBack(1)
        stubborn.results = Array(repeating: .cutShort, count: 9)
        stubborn.run()
        #expect(!stubborn.plan.isHopeless && stubborn.state(1) == "full own")
        #expect(stubborn.said.count { $0 == .copy(to: 1, isLive: false) } == 10)
    }

    /// What other proxies are told, and what one that is started later makes of it.
    @Test func whatOthersHaveToKnow() {
        var course = Course()
        course.goAndComeBack(1)
        for (stage, phase) in [
            (.flush(1), .joining), (.copy(1), .joining), (.verify(1), .proven), (.leading, .leading), (.leaving, .home),
            (.drop, .home),
        ] as [(HomePlan.Stage, HomePhase)] {
            course.run(until: stage)
            #expect(course.plan.phases[1] == phase, "\(stage)")
        }
        course.run()
        #expect(course.plan.phases[1] == nil)

        for phase in [HomePhase.joining, .proven, .held, .away] {
            var later = Course()
            later.plan.begin(with: [nil, phase, nil])
            later.run()
            #expect(later.said.count { $0 == .flush(1) } == 2 && later.state(1) == "full own", "\(phase)")
        }
        // One that decides holds all; and nobody may have been told that it is home, and alone has taken more.
        for phase in [HomePhase.leading, .home] {
            var home = Course()
            home.plan.begin(with: [nil, phase, nil])
            #expect(home.state(1) == (phase == .home ? "full own" : "full leading"))
            home.run()
            #expect(home.said == [.wait(until: home.now), .drop(on: 0), .drop(on: 2)])
            #expect(home.plan.isSettled && home.plan.phases[1] == nil)
        }
    }

    @Test func aSweepIsTriedAgain() {
        var course = Course()
        course.goAndComeBack(1)
        course.run(until: .drop)
        course.said = []
        course.results = [.cutShort]
        course.run()
        #expect(course.said == [.drop(on: 0), .wait(until: course.now), .drop(on: 0), .drop(on: 2)])
        #expect(!course.plan.isHopeless)
    }
}
