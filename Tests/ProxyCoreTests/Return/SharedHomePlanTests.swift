import Testing

@testable import ProxyCore

/// Nodes that stand in for each other, step by step, where other proxies use them as well.
struct SharedHomePlanTests {
    private typealias Course = HomeCourse

    /// Another proxy does it: this one only follows.
    @Test(
        arguments: [
            (.held, "none own"), (.away, "none away"), (.joining, "syncing joining"), (.proven, "full joining"),
            (.leading, "full leading"), (.home, "full own"), (.clean, "full own"),
        ] as [(HomePhase, String)])
    func whatOthersSayIsDone(_ phase: HomePhase, state: String) {
        var course = Course()
        course.plan.heard(1, phase, now: course.now)
        #expect(course.state(1) == state && !course.plan.isBusy && course.plan.nextRecall == nil)
        course.plan.wentDown(1, now: course.now)
        #expect(course.state(1) == (phase == .away ? "none away" : "none own"), "until all know")
        #expect((course.plan.nextRecall == 1) == phase.isReturning)
    }

    /// It is up for whoever brings the keys home, and not for this proxy.
    @Test func whoDoesNotReachTheNodeCallsItsReturnOff() {
        var course = Course()
        course.goDown(1)
        course.plan.heard(1, .joining, now: course.now)
        #expect(course.state(1) == "none own" && course.plan.nextRecall == 1)
        course.settle()
        #expect(course.state(1) == "none away" && course.plan.nextRecall == nil)
    }

    /// What stands in is out of this proxy's reach, and nobody else's.
    @Test func whoReachesOnePlaceOnlyUsesNeither() {
        var course = Course()
        course.plan.heard(1, .leading, now: course.now)
        course.plan.wentDown(0, now: course.now)
        #expect(course.state(1) == "none own" && course.state(0) == "none own" && course.plan.nextRecall == nil)
        course.plan.answers(0, now: course.now)
        #expect(course.state(1) == "full leading")
    }

    @Test func aReturnThatAnotherCallsOff() {
        var course = Course()
        course.goAndComeBack(1)
        course.run(until: .copy(1))
        let round = course.plan.round
        course.plan.heard(1, .away, now: course.now)
        #expect(course.plan.round != round && !course.plan.isBusy && course.state(1) == "none away")
        #expect(course.plan.nextTime > course.now)
        course.run()
        #expect(course.state(1) == "full own")
    }

    @Test func withOthersAStandInWaitsUntilTheyKnow() {
        var course = Course()
        course.plan.isAccompanied = true
        course.plan.wentDown(1, now: course.now)
        let start = course.now
        course.run(until: .telling(.away))
        #expect(course.now - start == course.plan.holdTime && course.state(1) == "none own")
        course.step()
        #expect(course.state(1) == "none away")
    }

    /// A lease that another proxy has for a long return does not keep a node that is lost from being taken out.
    @Test func whileAnotherIsAtWorkNodesAreTakenOut() {
        var course = Course()
        course.plan.isAccompanied = true
        course.plan.heard(1, .joining, now: course.now)
        let nothing = course.plan.nextCommand(now: course.now, onlyLeaves: true)
        #expect(nothing == nil && course.plan.leaveTime == .max && course.plan.isWork)
        course.plan.wentDown(2, now: course.now)
        #expect(course.plan.leaveTime <= course.now)
        for phase in [HomePhase.held, .away] {
            let command = course.plan.nextCommand(now: course.now, onlyLeaves: true)
            #expect(command == .tell(2, phase) && !course.plan.isWork)
            course.plan.told(2, phase, now: course.now)
            guard phase == .held else { continue }
            #expect(course.plan.leaveTime <= course.now)
            let wait = course.plan.nextCommand(now: course.now, onlyLeaves: true)
            #expect(wait == .wait(until: course.now + course.plan.holdTime))
            course.now += course.plan.holdTime
            course.plan.waited(now: course.now)
        }
        #expect(course.state(2) == "none away" && course.plan.phases[1] == .joining && course.plan.leaveTime == .max)
        course.plan.answers(2, now: course.now)
        let newcomer = course.plan.nextCommand(now: course.now, onlyLeaves: true)
        #expect(newcomer == nil, "it is not brought home without the lease")
    }

    /// Another proxy has lost one that stands in, and this one, which brings the node home, has not.
    @Test(
        arguments: [
            (.copy(1), .held, .away), (.copy(1), .away, .away), (.verify(1), .held, .home), (.mend(1), .held, .away),
            (.leading, .held, .home), (.leaving, .held, .home),
        ] as [(HomePlan.Stage, HomePhase, HomePhase)])
    func aStandInThatAnotherHasLost(_ stage: HomePlan.Stage, _ phase: HomePhase, becomes end: HomePhase) {
        var course = Course()
        course.goAndComeBack(1)
        course.run(until: stage)
        course.plan.heard(0, phase, now: course.now)
        while course.plan.phases[1] != end { guard course.step() else { break } }
        #expect(course.plan.phases[1] == end && course.plan.phases[0] == phase)
        course.plan.heard(0, .away, now: course.now)
        course.run()
        #expect((0..<3).allSatisfy { course.state($0) == "full own" })
    }

    @Test func whoCannotTellTriesAgain() {
        var course = Course()
        course.plan.isAccompanied = true
        course.plan.wentDown(1, now: course.now)
        let first = course.plan.nextCommand(now: course.now)
        #expect(first == .tell(1, .held))
        course.plan.notTold(1, isUnsaid: false, now: course.now)
        #expect(course.state(1) == "none own" && course.plan.nextTime > course.now)
        course.run()
        #expect(course.state(1) == "none away")
    }

    /// A missed write is acknowledged when it is known to all that the node has missed something.
    @Test func aMissedWriteWaitsForWhatOthersSay() {
        for (phase, isKept) in [(.away, true), (.home, false)] as [(HomePhase, Bool)] {
            var course = Course()
            course.plan.heard(1, .leading, now: course.now)
            let answer = course.plan.missedWrite(1, now: course.now)
            #expect(answer == .when(1, .away))
            #expect(course.plan.isPending(1, .away) && course.plan.nextRecall == 1)
            course.plan.heard(1, phase, now: course.now)
            #expect(!course.plan.isPending(1, .away) && (course.plan.phases[1] == .away) == isKept)
        }
        var follower = Course()
        follower.plan.heard(1, .proven, now: follower.now)
        let answer = follower.plan.missedWrite(0, now: follower.now)
        #expect(answer == .refused)
    }

    /// Others may have the node decide for a while yet, and what stands in take that over.
    @Test func whatLeadsIsHeldBeforeOthersStandIn() {
        for (phase, recall, answer) in [
            (.joining, .away, .when(1, .away)), (.proven, .away, .when(1, .away)), (.leading, .held, .refused),
        ] as [(HomePhase, HomePhase, HomePlan.MissAnswer)] {
            var course = Course()
            course.plan.isAccompanied = true
            course.plan.heard(1, phase, now: course.now)
            let given = course.plan.missedWrite(1, now: course.now)
            #expect(given == answer && course.plan.recallPhase(of: 1) == recall, "\(phase)")
            #expect(course.plan.nextRecall == 1)
            let start = course.now
            course.plan.told(1, recall, now: start)
            while course.plan.phases[1] != .away { guard course.step() else { break } }
            #expect(course.state(1) == "none away")
            #expect(course.now - start == (recall == .held ? course.plan.holdTime : 0))
        }
        var alone = Course()
        alone.plan.heard(1, .leading, now: alone.now)
        let answer = alone.plan.missedWrite(1, now: alone.now)
        #expect(answer == .when(1, .away) && alone.plan.recallPhase(of: 1) == .away)
    }

    /// What stood in is lost while others still read it: the node is not home at once.
    @Test(
        arguments: [(.verify(1), .away, .away), (.leading, .leading, .home)]
            as [(HomePlan.Stage, HomePhase, HomePhase)])
    func nothingIsCompleteBeforeOthersKnow(_ stage: HomePlan.Stage, _ soon: HomePhase, later: HomePhase) {
        var course = Course()
        course.plan.isAccompanied = true
        course.goAndComeBack(1)
        course.run(until: stage)
        let isKept = course.plan.missedWrite(0, now: course.now)
        #expect(isKept == .refused && course.plan.stage == stage)
        course.plan.wentDown(0, now: course.now)
        #expect(course.state(1) == "none own")
        while let place = course.plan.nextRecall { course.plan.told(place, .away, now: course.now) }
        #expect(course.plan.phases[1] == soon)
        while course.plan.phases[1] != later { guard course.step() else { break } }
        #expect(course.plan.phases[1] == later)
    }

    /// Who worked at the return is lost, or its lease, with one that stood in for a node that decides already: to empty that
    /// would lose what is nowhere else.
    @Test(arguments: ["before", "after", "for another"]) func theOnlyWholeCopyIsNotEmptied(_ when: String) {
        var course = Course(nodes: 2)
        course.plan.isAccompanied = true
        course.goAndComeBack(1)
        course.run(until: .leading)
        if when == "before" { course.plan.wentDown(0, now: course.now) }
        course.plan.abandon()
        if when == "after" { course.plan.wentDown(0, now: course.now) }
        if when == "for another" { course.plan.heard(0, .held, now: course.now) }
        course.said = []
        let start = course.now
        while course.plan.phases[1] == .leading { guard course.step() else { break } }
        #expect(course.plan.phases[1] == .home && !course.said.contains(.flush(1)))
        #expect(course.now >= start + course.plan.quietTime, "all know by then that it decides")

        var other = Course(nodes: 3)
        other.plan.isAccompanied = true
        other.goAndComeBack(1)
        other.run(until: .leading)
        other.plan.abandon()
        other.step()
        #expect(other.plan.nextRecall == 1, "what stands in has it all, and the node may be another process")
    }

    /// The proxy stops when that has just been decided.
    @Test func whatCannotBeTakenBackIsToldByWhoStops() {
        var course = Course(nodes: 2)
        course.goAndComeBack(1)
        course.run(until: .verify(1))
        course.plan.wentDown(0, now: course.now)
        #expect(course.plan.leaveTime <= course.now)
        let command = course.plan.nextCommand(now: course.now, onlyLeaves: true)
        #expect(command == .tell(1, .home))
        course.plan.told(1, .home, now: course.now)
        #expect(course.state(1) == "full own" && course.plan.leaveTime == .max)
    }

    /// Another proxy is at work from then on; what is decided is told nevertheless.
    @Test func whoLosesTheLeaseLeavesAllButWhatIsDecided() {
        var course = Course(nodes: 3)
        course.plan.isAccompanied = true
        course.goAndComeBack(1)
        course.run(until: .verify(1))
        var other = course
        other.plan.leaseLost()
        #expect(!other.plan.isBusy && other.state(1) == "full joining")

        course.run(until: .telling(.home))
        course.plan.leaseLost()
        #expect(course.plan.stage == .telling(.home) && course.plan.leaveTime <= course.now)
        course.step()
        #expect(course.plan.stage == .leaving && course.state(1) == "full own")
        course.plan.leaseLost()
        #expect(!course.plan.isBusy && course.state(1) == "full own")
    }

    /// A node that is lost does not wait until a return that failed is tried again.
    @Test(arguments: [false, true]) func aLossWaitsForNoReturn(_ isAccompanied: Bool) {
        var course = Course(nodes: 5)
        course.plan.isAccompanied = isAccompanied
        let first: HomePhase = isAccompanied ? .held : .away
        course.goAndComeBack(1)
        for _ in 0..<5 {
            course.run(until: .flush(1))
            course.plan.disturbed(now: course.now)
            course.settle()
        }
        #expect(course.plan.nextTime > course.now + 3_000_000_000, "the return has to wait")
        course.plan.wentDown(3, now: course.now)
        #expect(course.plan.leaveTime <= course.now && course.plan.nextTime <= course.now)
        let command = course.plan.nextCommand(now: course.now, onlyLeaves: true)
        #expect(command == .tell(3, first))

        var other = Course(nodes: 5)
        other.plan.isAccompanied = isAccompanied
        other.goAndComeBack(1)
        other.run(until: .copy(1))
        other.plan.wentDown(3, now: other.now)
        #expect(other.plan.nextRecall == 1)
        let next = other.plan.nextCommand(now: other.now)
        #expect(next == .tell(3, first), "nor until that return is called off")
    }

    /// All have it on the same node, or on none.
    @Test func whereTheLeaseIs() {
        let (order, every) = ([2, 0, 1], Set([0, 1, 2]))
        for (away, unable, read, place) in [
            ([], [], every, 2), ([2], [], every, 0), ([2, 0], [], every, 1), ([], [2], every, 0),
            ([], every, every, 2), ([], [], [0, 1], nil), ([2], [], [1], nil), ([], [2], [1], nil),
        ] as [([Int], Set<Int>, Set<Int>, Int?)] {
            var course = Course()
            for place in away { course.plan.heard(place, .away, now: course.now) }
            let found = course.plan.leasePlace(
                in: order, isUnable: { unable.contains($0) }, isRead: { read.contains($0) })
            #expect(found == place, "\(away), \(unable), \(read)")
        }
    }

    /// What one node says of the others is not enough: it may be the one that is away.
    @Test func whatIsReadFromMostNodesIsTrusted() {
        for (times, away, time) in [
            ([5, 7, 9], [], 7), ([nil, 7, 9], [], 7), ([nil, nil, 9], [], nil), ([5, 7, 9], [2], 5),
            ([nil, 7, 9], [2], nil), ([5, nil, nil], [1, 2], 5),
        ] as [([UInt64?], [Int], UInt64?)] {
            var course = Course()
            for place in away { course.plan.heard(place, .away, now: course.now) }
            #expect(course.plan.readTime(of: times) == time, "\(times), \(away)")
        }
        let plan = Course().plan
        #expect(plan.readTime(of: [5, 7, 9], isUnable: { $0 > 0 }) == 5 && plan.readTime(of: [5, 7, 9]) == 7)
        #expect(plan.readTime(of: [5, 7, 9], isUnable: { _ in true }) == 7, "nobody says anything")
    }
}
