/// What a plan tells the other proxies, and what it hears of them.
extension HomePlan {
    /// All nodes that answer keep it.
    public mutating func told(_ place: Int, _ phase: HomePhase, now: UInt64) {
        adopt(place, phase)
        // A return was called off: this proxy goes on with that.
        if phase == .held, stage == nil { (node, isAlone, stage) = (place, false, .telling(.held)) }
        guard place == node, stage == .telling(phase) else { return }
        let quiet = now.addingSaturated(quietTime)
        switch phase {
        case .held: begin(.holding, at: now.addingSaturated(holdTime))
        case .away: begin(nil)
        case .joining: begin(.joining, at: quiet)
        case .proven: begin(.proving, at: quiet)
        case .leading: begin(.leading, at: quiet)
        case .home:
            sweep = Sweep(node: place, left: phases.indices.filter { $0 != place && (phases[$0]?.isAtHome ?? true) })
            succeeded()
            // Where nobody stood in, nothing is on its way to anybody else.
            begin(.leaving, at: isAlone && !isAccompanied ? now : quiet)
        case .clean: abandon()
        }
    }

    /// Another proxy says so.
    public mutating func heard(_ place: Int, _ phase: HomePhase, now: UInt64) {
        let isGone = (phases[place]?.isAtHome ?? true) && !phase.isAtHome
        adopt(place, phase)
        if isGone { noteLoss(of: place) }
        if phase.isReturning, !isUp[place] { recalls.insert(place) }
        // Whoever had the lease before says it late: two at once are in each other's way.
        if phase.isReturning, place != node, stage?.isReturning == true {
            recalls.insert(place)
            restart(now: now)
        }
        if phase == .held { heldDue = now.addingSaturated(heldPatience) }
        guard place == node else {
            if isGone { lostStandIn(place, now: now) }
            return
        }
        // Whatever was under way for it is another's now, or has to begin anew.
        guard let stage else { return }
        if stage.isReturning { fail(now: now) } else { abandon() }
    }

    /// Not all could be told, for now.
    ///
    /// - Parameter isUnsaid: nobody was.
    public mutating func notTold(_ place: Int, isUnsaid: Bool, now: UInt64) {
        guard place == node, case .telling = stage else { return }
        if !isUnsaid { isRumored = true }
        // It is there again, and nobody thinks otherwise.
        if isLeaving(place), isUp[place], !isRumored { return abandon() }
        begin(stage, at: now.addingSaturated(Self.tellPause))
    }

    private mutating func adopt(_ place: Int, _ phase: HomePhase) {
        phases[place] = phase == .clean ? nil : phase
        if !phase.isReturning { recalls.remove(place) }
        if phase != .leading { soleHolders.remove(place) }
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

    /// How far the keys of a node are whose return is called off. Where it decides, others may read it until they know:
    /// nobody uses its keys before that.
    public func recallPhase(of place: Int) -> HomePhase {
        isAccompanied && phases[place] == .leading ? .held : .away
    }

    /// The node that the lease of who brings keys home is on: the first one whose keys are at home.
    ///
    /// - Parameters:
    ///   - order: the same for all proxies.
    ///   - isUnable: it can keep nothing, so nobody has anything there.
    ///   - isRead: what it keeps is known.
    /// - Returns: nil until the right one is read. With another, two proxies would each have a lease.
    public func leasePlace(in order: [Int], isUnable: (Int) -> Bool, isRead: (Int) -> Bool) -> Int? {
        let believed = order.filter { isUp[$0] && isBelieved($0) }
        guard let place = believed.first(where: { !isUnable($0) }) ?? believed.first else { return nil }
        return isRead(place) ? place : nil
    }

    /// When what is known of all nodes was true.
    ///
    /// - Parameters:
    ///   - times: by place: when it was last read.
    ///   - isUnable: it can keep nothing.
    /// - Returns: when most of those that count had been read. One that is away, unknown to this proxy, tells nothing of
    ///   itself, nor what it has missed.
    public func readTime(of times: [UInt64?], isUnable: (Int) -> Bool = { _ in false }) -> UInt64? {
        let all = times.indices.filter { isUp[$0] && isBelieved($0) }
        let able = all.filter { !isUnable($0) }
        // Where nobody keeps anything there is nothing to be known.
        let believed = able.isEmpty ? all : able
        let read = believed.compactMap { times[$0] }.sorted(by: >)
        let needed = believed.count / 2
        return read.count > needed ? read[needed] : nil
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
