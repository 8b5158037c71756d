/// What a plan tells the other proxies, and what it hears of them.
extension HomePlan {
    /// All nodes that answer keep it.
    public mutating func told(_ place: Int, _ phase: HomePhase, now: UInt64) {
        adopt(place, phase)
        guard place == node, stage == .telling(phase) else { return }
        let quiet = now.addingSaturated(quietTime)
        switch phase {
        case .held: begin(.holding, at: isAccompanied ? now.addingSaturated(holdTime) : now)
        case .away: begin(nil)
        case .joining: begin(.joining, at: quiet)
        case .proven: begin(.proving, at: quiet)
        case .leading: begin(.leading, at: quiet)
        case .home:
            sweep = Sweep(node: place, left: phases.indices.filter { $0 != place && (phases[$0]?.isAtHome ?? true) })
            succeeded()
            begin(.leaving, at: quiet)
        case .clean: abandon()
        }
    }

    /// Another proxy says so.
    public mutating func heard(_ place: Int, _ phase: HomePhase, now: UInt64) {
        let isGone = (phases[place]?.isAtHome ?? true) && !phase.isAtHome
        adopt(place, phase)
        if phase.isReturning, !isUp[place] { recalls.insert(place) }
        guard place == node else {
            if isGone { lostStandIn(place, now: now) }
            return
        }
        // Whatever was under way for it is another's now, or has to begin anew.
        guard let stage else { return }
        if stage.isReturning { fail(now: now) } else { abandon() }
    }

    /// Nobody could be told, for now.
    public mutating func notTold(_ place: Int, now: UInt64) {
        guard place == node, case .telling = stage else { return }
        // It is there again.
        if isLeaving(place), isUp[place] { return abandon() }
        begin(stage, at: now.addingSaturated(Self.pause / 4))
    }

    private mutating func adopt(_ place: Int, _ phase: HomePhase) {
        phases[place] = phase == .clean ? nil : phase
        if !phase.isReturning { recalls.remove(place) }
        if phase == .away { sweep?.left.removeAll { $0 == place } }
        if sweep?.node == place, phase != .home { sweep = nil }
    }

    /// At the start: what was found on the nodes, by the node that it is about.
    public mutating func begin(with phases: [HomePhase?]) {
        for (place, phase) in phases.enumerated() { if let phase { adopt(place, phase) } }
    }

    /// It is not decided yet whether the node's keys will be so far.
    public func isPending(_ place: Int, _ phase: HomePhase) -> Bool {
        recalls.contains(place) || place == node && stage == .telling(phase)
    }

    // MARK: Keys that have moved to other nodes

    /// All keys are where they belong, but for those of nodes that are down.
    public var isSettled: Bool {
        stage == nil && !awaitsSweep && phases.allSatisfy { ($0 ?? .away) == .away }
            && !places.contains { $0 == .back || $0 == .held }
    }

    public mutating func awaitSweep() { awaitsSweep = true }

    /// What is away from here on is emptied when it is back.
    public mutating func swept() { awaitsSweep = false }
}
