/// What is done for a pool's keys, by the one proxy that does it.
extension HomePlan {
    /// For operators.
    public var phase: String {
        switch stage {
        case nil: ""
        case .telling, .holding: "telling the other proxies"
        case .joining: "quiet time"
        case .flush, .gap: "emptying"
        case .copy(let number): "copying, pass \(number)"
        case .mend(let number): "copying what was missed, pass \(number)"
        case .verify: "verifying"
        case .proving, .leading, .leaving: "settling"
        case .drop, .dropPause: "dropping what stood in"
        }
    }

    /// Something is under way.
    public var isBusy: Bool { stage != nil }

    /// A node is taken out, and none brought home.
    public var isLeave: Bool { stage?.isLeave == true }

    /// There is something to be done that one proxy at a time does; each takes out nodes that it has lost.
    public var isWork: Bool {
        stage.map { !$0.isLeave } ?? (orphan != nil || newcomer != nil || phases.contains(.held))
    }

    /// The return that is to be called off next, whoever it is that works at it: end it with `told`, `heard` or `notTold`.
    public var nextRecall: Int? { recalls.min() }

    /// When `nextCommand` has to be asked, if nothing is under way.
    public var nextTime: UInt64 {
        if isSent { return .max }
        if case .telling = stage { return dueTime }
        if stage != nil || leaver != nil { return 0 }
        if phases.contains(.held) { return heldDue }
        return recalls.isEmpty && (orphan != nil || newcomer != nil) ? returnDue : .max
    }

    /// The same for who only takes nodes out, and tells what is decided: that there is no way back.
    public var leaveTime: UInt64 {
        guard stage == nil else { return needsNoLease ? nextTime : .max }
        return leaver != nil ? 0 : .max
    }

    private var needsNoLease: Bool { isLeave || stage == .telling(.home) }

    /// Another proxy may be at work now.
    public mutating func leaseLost() { if stage != nil, !needsNoLease { abandon() } }

    /// Whose keys are on their way, and nobody here works at it.
    private var orphan: Int? {
        phases.indices.first { place in
            guard let phase = phases[place] else { return false }
            return phase == .home && hasSweeping(of: place) || phase.isReturning
        }
    }

    /// Somebody can be rid of the node's keys, or is to be asked whether he holds any.
    private func hasSweeping(of place: Int) -> Bool {
        guard let sweep, sweep.node == place else { return true }
        return sweep.left.isEmpty || sweep.left.contains { self.place($0) == .home } || hindrance(in: sweep) != nil
    }

    /// Who is down and would have to drop keys: it is taken out instead, and will be emptied.
    private func hindrance(in sweep: Sweep) -> Int? {
        guard !awaitsSweep, homes > 0, !sweep.left.contains(where: { self.place($0) == .home }) else { return nil }
        return sweep.left.first { !isUp[$0] && (phases[$0] ?? .clean) == .clean }
    }

    /// Who is down, and whose keys others can take.
    private var leaver: Int? {
        guard !awaitsSweep, homes > 0 else { return nil }
        return phases.indices.first { !isUp[$0] && (phases[$0] ?? .clean) == .clean }
    }

    private var newcomer: Int? { phases.indices.first { phases[$0] == .away && isUp[$0] && isHeard[$0] } }

    /// - Parameter onlyLeaves: another proxy may be at work.
    public mutating func nextCommand(now: UInt64, onlyLeaves: Bool = false) -> Command? {
        guard !isSent else { return nil }
        if stage == nil { choose(now: now, onlyLeaves: onlyLeaves) }
        if stage == .drop, !endDropping() { return nil }
        guard stage != nil else { return nil }
        if case .telling = stage, now < dueTime { return nil }
        isSent = true
        switch stage {
        case nil: return nil
        case .telling(let phase): return .tell(node, phase)
        case .holding, .joining, .gap, .proving, .leading, .leaving, .dropPause: return .wait(until: dueTime)
        case .flush: return .flush(node)
        case .copy: return .copy(to: node, isLive: false)
        case .mend: return .copy(to: node, isLive: true)
        case .verify: return .verify(node)
        case .drop: return sweep?.left.first { place($0) == .home }.map { .drop(on: $0) }
        }
    }

    /// A node that is lost waits for nothing else; and while it is held no other can come home.
    private mutating func choose(now: UInt64, onlyLeaves: Bool) {
        if let place = leaver { return takeOut(place) }
        guard !onlyLeaves else { return }
        if let place = phases.firstIndex(of: .held) {
            if now >= heldDue { takeOut(place) }
            return
        }
        guard recalls.isEmpty, now >= returnDue else { return }
        if let place = orphan {
            (node, isAlone) = (place, false)
            if !isAccompanied, phases[place] == .leading {
                // It holds all that was acknowledged; and it may have been home already, of which nobody was told.
                begin(.telling(.home))
            } else if soleHolders.contains(place) {
                // When all know that it decides it is home: to fill it anew would lose what is nowhere else.
                begin(.leading, at: now.addingSaturated(quietTime))
            } else if phases[place]?.isReturning == true {
                // Whoever was at it may have left the node half filled.
                recalls.insert(place)
            } else {
                // Whoever said it may not have told all.
                begin(sweep?.node == place ? .drop : .telling(.home))
            }
        } else if let place = newcomer {
            (node, isAlone) = (place, homes == 0)
            if isAlone { begin(.joining, at: now.addingSaturated(quietTime)) } else { begin(.telling(.joining)) }
        }
    }

    /// Who is alone has nobody who would have to know first.
    private mutating func takeOut(_ place: Int) {
        (node, isAlone) = (place, false)
        begin(.telling(isAccompanied ? .held : .away))
    }

    /// False: there is nothing to do for now.
    private mutating func endDropping() -> Bool {
        guard let sweep, !sweep.left.contains(where: { place($0) == .home }) else { return true }
        if let place = hindrance(in: sweep) {
            takeOut(place)
        } else if sweep.left.isEmpty {
            begin(.telling(.clean))
        } else {
            begin(nil)
            return false
        }
        return true
    }

    public mutating func waited(now: UInt64) {
        guard isSent, now >= dueTime else { return }
        switch stage {
        case .holding: begin(.telling(.away))
        case .joining: begin(.flush(1))
        case .gap: begin(.flush(2))
        case .proving: begin(.mend(1))
        case .leading: complete()
        case .leaving, .dropPause: begin(.drop)
        default: break
        }
    }

    /// - Parameter isDone: false: the node refuses to be flushed.
    public mutating func flushed(isDone: Bool, now: UInt64) {
        guard isSent, case .flush(let count) = stage else { return }
        if !isDone {
            giveUp()
        } else if count == 1 {
            begin(.gap, at: now.addingSaturated(Self.flushGap))
        } else {
            begin(isAlone ? .telling(.home) : .copy(1))
        }
    }

    public mutating func passed(_ result: PassResult, on place: Int, now: UInt64) {
        guard isSent else { return }
        guard case .whole(let changed, let total) = result else {
            return failed(result, on: place, now: now)
        }
        switch stage {
        case .copy(let number):
            let isOver = FillingPlan.isLittle(changed, of: total) || number == Self.copyLimit
            begin(isOver ? .telling(.proven) : .copy(number + 1))
        case .mend(let number) where verifies: begin(.verify(number))
        case .mend(let number), .verify(let number):
            begin(changed == 0 || number == Self.mendLimit ? .telling(.leading) : .mend(number + 1))
        case .drop: swept(place)
        default: break
        }
    }

    private mutating func failed(_ result: PassResult, on place: Int, now: UInt64) {
        guard stage == .drop else { return result == .impossible ? giveUp() : fail(now: now) }
        tries += 1
        if result == .impossible || tries == Self.dropLimit {
            isHopeless = true
            swept(place)
        } else {
            begin(.dropPause, at: now.addingSaturated(Self.pause))
        }
    }

    private mutating func swept(_ place: Int) {
        sweep?.left.removeAll { $0 == place }
        tries = 0
        begin(.drop)
    }

    /// The node is used as it is.
    private mutating func giveUp() {
        isHopeless = true
        begin(.telling(.clean))
    }
}
