internal import Logging
internal import ProxyCore
internal import Reactor

/// What the proxies of a pool tell each other about nodes whose keys are elsewhere: the nodes keep it about each other.
extension HomeKeeper {
    // MARK: At the start

    var isInformed: Bool { talk.isInformed }

    /// Who has not answered by now says nothing.
    func begin() {
        talk.begin()
        plan.begin(with: talk.records.known.map { $0?.phase })
        for (place, phase) in plan.phases.enumerated() {
            guard let phase else { continue }
            control.logger.notice(
                phase == .home
                    ? "a node's keys came home before the start" : "others stood in for a node before the start",
                metadata: control.describe(first + place, [:]))
        }
    }

    // MARK: What others say

    func heard(_ place: Int, _ record: HomeRecord) {
        guard !isRetired else { return }
        if record.owner == talk.owner {
            // Not all have heard it yet, and it is being said again.
            if plan.isPending(place, record.phase) { return }
        } else {
            talk.leaveLease()
        }
        let before = plan.phases[place]
        plan.heard(place, record.phase, now: now)
        tell(of: place, from: before)
        review("another proxy has called it off")
        publish()
        answerMisses()
    }

    /// For operators, of what others do.
    private func tell(of place: Int, from before: HomePhase?) {
        let text: String
        switch plan.phases[place] {
        case .held where before == nil, .away where before == nil:
            text = "another proxy does not reach a node: it is not used, and others stand in"
        case nil where before != nil: text = "another proxy has brought a node's keys home"
        default: return
        }
        control.logger.notice("\(text)", metadata: control.describe(first + place, [:]))
    }

    // MARK: What this one says

    func tell(_ place: Int, _ phase: HomePhase) {
        talk.tell(place, phase, mayBeAlone: !plan.hasKeepers(of: place)) { [weak self] in
            self?.told(place, phase, $0)
        }
    }

    private func told(_ place: Int, _ phase: HomePhase, _ result: HomeTelling) {
        guard !isRetired else { return }
        plan.isAccompanied = talk.isAccompanied
        switch result {
        case .told: plan.told(place, phase, now: now)
        case .unable:
            if plan.hasKeepers(of: place), !isToldAlone {
                isToldAlone = true
                control.logger.warning(
                    "no node can keep what other proxies have to know: each goes by itself",
                    metadata: control.describe(first + place, [:]))
            }
            plan.told(place, phase, now: now)
        case .refused(let record): plan.heard(place, record.phase, now: now)
        case .failed, .unsaid:
            plan.notTold(place, isUnsaid: result == .unsaid, now: now)
            recallDue = now + HomePlan.tellPause
        }
        review("the node is not to be used")
        publish()
        answerMisses()
    }

    /// Returns that cannot go on, whoever works at them.
    func callOff() {
        guard let place = plan.nextRecall, now >= recallDue, !talk.isTelling(place) else { return }
        tell(place, plan.recallPhase(of: place))
    }

    var nextRecallTime: UInt64 { plan.nextRecall.map { talk.isTelling($0) ? .max : recallDue } ?? .max }

    func answerMisses() {
        let (open, decided) = (
            misses.filter { plan.isPending($0.place, $0.phase) }, misses.filter { !plan.isPending($0.place, $0.phase) }
        )
        misses = open
        for miss in decided { miss.answer(plan.phases[miss.place] == miss.phase) }
    }

    // MARK: Trust

    /// Until when what was read is good; not with each answer of each node.
    func tellTrust() {
        let time = talk.goodUntil
        guard !isRetired, time != trusted, !control.workers.isEmpty else { return }
        if time < trusted || time - trusted > settings.poll / 8 { trust(until: time) }
    }

    func trust(until time: UInt64) {
        trusted = time
        for worker in control.workers { worker.send(.trusted(pool: pool, until: time)) }
    }
}
