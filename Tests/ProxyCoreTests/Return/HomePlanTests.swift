import Testing

@testable import ProxyCore

/// Nodes that stand in for each other, step by step.
struct HomePlanTests {
    private static let timeout: UInt64 = 200_000_000
    private static let quiet: UInt64 = 1_400_000_000

    /// Follows a plan: what it said, with the time running on over its waits.
    private struct Course {
        var plan: HomePlan
        var now: UInt64 = 10_000_000_000
        var said: [HomePlan.Command] = []
        /// What the next passes find.
        var results: [HomePlan.PassResult] = []

        init(nodes: Int = 3, verifies: Bool = true) {
            plan = HomePlan(nodes: nodes, timeout: HomePlanTests.timeout, verifies: verifies)
        }

        /// One command, carried out. False when there is none.
        @discardableResult
        mutating func step() -> Bool {
            if plan.nextTime > now, plan.nextTime != .max { now = plan.nextTime }
            guard let command = plan.nextCommand(now: now) else { return false }
            said.append(command)
            switch command {
            case .wait(let until):
                now = until
                plan.waited(now: now)
            case .flush: plan.flushed(isDone: true, now: now)
            case .copy(let node, _), .verify(let node), .drop(let node):
                let result = results.isEmpty ? .whole(changed: 0, total: 0) : results.removeFirst()
                plan.passed(result, on: node, now: now)
            }
            return true
        }

        mutating func run() { while step() {} }

        mutating func run(until stage: HomePlan.Stage) {
            while plan.stage != stage { guard step() else { return } }
        }

        mutating func goAndComeBack(_ node: Int) {
            plan.wentDown(node, now: now)
            plan.answers(node, now: now)
        }

        /// Where the node's keys are, and whether it is used.
        func state(_ node: Int) -> String { "\(plan.verdict(on: node).access) \(plan.verdict(on: node).keys)" }
    }

    /// Until what has moved to other nodes is dropped where it was, others might have something old.
    @Test func nobodyStandsInBeforeTheSweepAfterAMove() {
        var course = Course()
        course.plan.awaitSweep()
        #expect(!course.plan.isSettled && !course.step())
        course.plan.wentDown(1, now: course.now)
        #expect(course.state(1) == "none own" && course.plan.record(of: 1) == nil)
        course.plan.answers(1, now: course.now)
        #expect(course.state(1) == "full own", "nothing was acknowledged meanwhile")
        course.plan.wentDown(2, now: course.now)
        course.plan.swept()
        #expect(course.state(2) == "none away" && course.plan.record(of: 2) == .away && course.plan.isSettled)
    }

    @Test func aNodeThatComesBack() {
        var course = Course()
        let start = course.now
        course.plan.wentDown(1, now: start)
        #expect(course.state(1) == "none away" && course.state(0) == "full own")
        course.plan.answers(1, now: start)
        #expect(course.state(1) == "none away")
        let first = course.plan.nextCommand(now: start)
        #expect(first == .wait(until: start + Self.quiet))
        #expect(course.state(1) == "syncing joining")
        #expect((0..<3).allSatisfy { course.plan.verdict(on: $0).isMarked })
        course.now = start + Self.quiet
        course.plan.waited(now: course.now)
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
        course.step()
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
        case "down": course.plan.wentDown(node, now: course.now)
        case "missed":
            let isKept = course.plan.missedWrite(node, now: course.now)
            #expect(isKept)
        default: course.plan.disturbed(now: course.now)
        }
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
        let isKept = course.plan.missedWrite(0, now: course.now)
        #expect(!isKept && course.state(1) == "full joining")
        course.plan.wentDown(0, now: course.now)
        #expect(course.state(1) == "none away" && course.state(0) == "none away")
    }

    @Test func whatOnlyStandsInsTookIsNotAcknowledgedWhenTheNodeIsHome() {
        var course = Course()
        course.goAndComeBack(1)
        course.run(until: .leaving)
        let (ofNode, ofOther) = (
            course.plan.missedWrite(1, now: course.now), course.plan.missedWrite(0, now: course.now)
        )
        #expect(!ofNode && ofOther)
    }

    @Test func whereNobodyStandsInItIsEmptied() {
        var course = Course(nodes: 2)
        course.plan.wentDown(0, now: course.now)
        course.plan.wentDown(1, now: course.now)
        #expect(course.state(1) == "none own", "somebody keeps the keys")
        course.plan.answers(0, now: course.now)
        course.step()
        #expect(course.state(0) == "none away", "what it holds may be old")
        course.run()
        #expect(course.said.count { $0 == .flush(0) } == 2 && course.said.count == 4)
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

    /// What a proxy that is started later finds on the nodes, and what it makes of it.
    @Test func whatIsKeptForTheNextProxy() {
        var course = Course()
        course.plan.wentDown(1, now: course.now)
        #expect(course.plan.record(of: 1) == .away && course.plan.record(of: 0) == nil)
        course.plan.answers(1, now: course.now)
        for (stage, record) in [
            (.flush(1), .away), (.copy(1), .away), (.verify(1), .away), (.leading, .home), (.leaving, .home),
            (.drop, .home),
        ] as [(HomePlan.Stage, HomePlan.Record)] {
            course.run(until: stage)
            #expect(course.plan.record(of: 1) == record, "\(stage)")
        }
        course.run()
        #expect(course.plan.record(of: 1) == nil)

        var away = Course()
        away.plan.begin(with: [1: .away])
        #expect(away.state(1) == "none away")
        away.run()
        #expect(away.said.count { $0 == .flush(1) } == 2 && away.state(1) == "full own")

        var home = Course()
        home.plan.begin(with: [1: .home])
        #expect(home.state(1) == "full own" && home.plan.nextTime == 0)
        home.run()
        #expect(home.said == [.drop(on: 0), .drop(on: 2)])
        #expect(HomePlan.Record.away.joined(.home) == .home && HomePlan.Record.away.joined(.away) == .away)
        for record in [HomePlan.Record.away, .home] { #expect(HomePlan.Record(text: record.text) == record) }
        #expect(HomePlan.Record(text: Array("1 ?".utf8)) == nil)
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
