@testable import ProxyCore

/// Follows a plan: what it said, with the time running on over its waits.
struct HomeCourse {
    var plan: HomePlan
    var now: UInt64 = 10_000_000_000
    var said: [HomePlan.Command] = []
    /// What the next passes find.
    var results: [HomePlan.PassResult] = []

    init(nodes: Int = 3, verifies: Bool = true) {
        plan = HomePlan(nodes: nodes, timeout: 200_000_000, poll: 1_000_000_000, verifies: verifies)
    }

    /// One command, carried out. False when there is none. Other proxies hear of what is told.
    @discardableResult
    mutating func step() -> Bool {
        if let place = plan.nextRecall {
            plan.told(place, .away, now: now)
            return true
        }
        if plan.nextTime > now, plan.nextTime != .max { now = plan.nextTime }
        guard let command = plan.nextCommand(now: now) else { return plan.nextRecall != nil }
        if case .tell = command {} else if !plan.isLeave { said.append(command) }
        switch command {
        case .tell(let place, let phase): plan.told(place, phase, now: now)
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

    /// What has to be told is told, and what is down is taken out, if it can be.
    mutating func settle() {
        while plan.nextRecall != nil || isTelling || !plan.isBusy && plan.places.contains(.held) {
            guard step() else { return }
        }
    }

    private var isTelling: Bool {
        guard !plan.isLeave else { return true }
        if case .telling = plan.stage { return true } else { return false }
    }

    mutating func goDown(_ node: Int) {
        plan.wentDown(node, now: now)
        settle()
    }

    mutating func goAndComeBack(_ node: Int) {
        goDown(node)
        plan.answers(node, now: now)
    }

    mutating func misses(_ node: Int) -> Bool {
        let answer = plan.missedWrite(node, now: now)
        settle()
        switch answer {
        case .kept: return true
        case .refused: return false
        case .when(let place, let phase): return plan.phases[place] == phase
        }
    }

    /// Where the node's keys are, and whether it is used.
    func state(_ node: Int) -> String { "\(plan.verdict(on: node).access) \(plan.verdict(on: node).keys)" }
}
