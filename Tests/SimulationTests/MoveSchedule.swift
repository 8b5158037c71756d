import DroverTesting

@testable import ProxyCore

/// What clients do.
enum Pace {
    /// Some keys are written all the time, others hardly ever: what a node missed of those is what it may keep.
    case mixed
    /// The same, and all values live for ever: nothing but a number tells which of two is older.
    case alike

    /// The longest time between two writes of a key, in milliseconds.
    func pause(_ key: Int) -> Int {
        switch self {
        case .mixed: key < 4 ? 300 : 6000
        case .alike: 20_000
        }
    }
}

/// What the faults of a schedule of moves are about: with each, other rules of the protocol matter.
enum MoveAim: CaseIterable {
    /// They come at any time.
    case anything
    /// They follow when a proxy has gone over to other places, and others have not.
    case turns
    /// Keys are to go, to stay, and to go once more.
    case doubts
    /// While one compares the last node, another misses writes of a node that was compared before, and hardly any others.
    case misses
    /// As soon as one proxy reads keys where they are to be, a node hears nothing for a moment.
    case outages
    /// The only proxy dies when it has just left the old places.
    case ends
    /// One is started by the places before while the others go on.
    case latecomers

    /// Nil is some.
    var proxies: Int? {
        switch self {
        // Of several none turns back while others may be about to go on.
        case .ends, .doubts: 1
        case .anything, .turns, .misses, .outages, .latecomers: nil
        }
    }
}

extension Simulation {
    /// One proxy after the other is told of other nodes, and at times of those before again, while faults go on.
    func playMoves(faults: Int = 5) -> String? {
        if aim == .misses { pace = .alike }
        startClients()
        run(until: now + 3_000 * Self.millisecond)
        if aim == .doubts {
            tellAll(1, within: 1000)
            run(until: now + UInt64(1000 + generator.random(below: 9000)) * Self.millisecond)
            tellAll(0, within: 1000)
            run(until: now + UInt64(1000 + generator.random(below: 9000)) * Self.millisecond)
            tellAll(1, within: 4000)
        } else if aim == .latecomers {
            die(0, for: UInt64(2000 + generator.random(below: 4000)) * Self.millisecond)
            tellAll(1, within: 500, besides: 0)
            at(now + 15_000 * Self.millisecond) { [unowned self] in tellAll(1, within: 1000) }
        } else {
            tellAll(1, within: aim == .anything ? 9000 : 2000)
            if generator.once(in: 3) {
                at(now + UInt64(9000 + generator.random(below: 20_000)) * Self.millisecond) { [unowned self] in
                    tellAll(0, within: 6000)
                }
            }
        }
        strikesLeft = aim == .turns ? faults : 1
        for _ in 0..<faults where complaint == nil {
            run(until: now + UInt64(200 + generator.random(below: 8000)) * Self.millisecond)
            switch aim {
            case .turns, .ends, .latecomers, .misses, .outages: break
            case .anything, .doubts:
                if generator.once(in: 3) { die(generator.random(below: proxies.count)) } else { fault(flushes: false) }
            }
        }
        run(until: now + 20_000 * Self.millisecond)
        isWriting = false
        run(until: now + 60_000 * Self.millisecond)
        if complaint == nil, !isVoid { checkEnd() }
        return complaint
    }

    /// What it has compared on the nodes before this one it does not look at again.
    func verifies(_ target: Int, by proxy: SimulatedProxy) {
        guard aim == .misses, strikesLeft > 0, target == nodes.count - 1 else { return }
        strikesLeft -= 1
        let node = generator.random(below: target)
        let time = UInt64(230 + generator.random(below: 400)) * Self.millisecond
        partition(node, from: proxies.indices.filter { $0 != proxy.index }, for: time)
        writeAll { [unowned self] in
            !copies(of: $0, in: proxy.ways.reads).contains(node) && copies(of: $0, in: proxy.ways.goal).contains(node)
        }
    }

    /// A proxy has gone over to other places.
    func turned(_ proxy: SimulatedProxy) {
        if aim == .ends, proxy.ways.writes == nil { writeAll() }
        if aim == .outages, proxy.ways.hasMoved, strikesLeft > 0 {
            strikesLeft -= 1
            let time = UInt64(300 + generator.random(below: 2000)) * Self.millisecond
            return partition(generator.random(below: nodes.count), from: Array(proxies.indices), for: time)
        }
        guard aim == .turns, strikesLeft > 0, generator.once(in: 2) else { return }
        strikesLeft -= 1
        let pause = UInt64(generator.random(below: generator.pick([5, 200, 1500]))) * Self.millisecond
        at(now + pause) { [unowned self] in strike(after: proxy.index) }
    }

    /// It has just acknowledged the first write that the old places have not got.
    func dieAtEnd(_ proxy: SimulatedProxy) {
        guard strikesLeft > 0, proxy.ways.writes == nil, proxy.turnedAt > 0, now < proxy.turnedAt + 3 * Self.millisecond
        else { return }
        strikesLeft -= 1
        // Nothing that expires tells any more.
        die(proxy.index, for: 12_000 * Self.millisecond + duration(3000))
    }

    private func strike(after index: Int) {
        let node = generator.random(below: nodes.count)
        let others = proxies.indices.filter { $0 != index }
        switch generator.random(below: 8) {
        case 0: die(index)
        case 1: for index in proxies.indices { die(index) }
        case 2: die(generator.pick(others))
        case 3: stop(generator.pick(others), for: duration(8000))
        case 4, 5: partition(node, from: others, for: duration(12_000))
        case 6: freeze(node, for: duration(4000))
        default: restart(node)
        }
    }

    private func tellAll(_ list: Int, within milliseconds: Int, besides latecomer: Int? = nil) {
        for index in proxies.indices where index != latecomer {
            at(now + UInt64(generator.random(below: milliseconds)) * Self.millisecond) { [unowned self] in
                note("proxy \(index) is told of list \(list)")
                told[index] = list
                tell(index)
            }
        }
    }

    /// Not in the middle of another change, and when it serves.
    func tell(_ index: Int) {
        let proxy = proxies[index]
        at(now, of: proxy) { [unowned self] in
            if proxy.start == .serving, proxy.nextWays == nil, proxy.mayTurnBack(to: told[index]) {
                return proxy.tell(told[index])
            }
            at(now + 50 * Self.millisecond, of: proxy) { [unowned self] in tell(index) }
        }
    }

    /// All keys have come where the configs have them.
    func checkMoved() {
        for proxy in proxies where proxy.isAlive && proxy.ways != KeyWays(reads: told[proxy.index]) {
            complain(
                "L2: proxy \(proxy.index) still goes by \(proxy.ways), \(proxy.underWay) under way, "
                    + "\(proxy.move?.describe() ?? "nothing moves them")")
        }
    }
}
