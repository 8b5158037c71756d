import DroverTesting

@testable import ProxyCore

/// What each proxy does for the keys of a node.
extension SharedHomeWorld {
    mutating func work(_ proxy: Int) {
        if let place = proxies[proxy].plan.nextRecall, now >= proxies[proxy].recallDue,
            proxies[proxy].tellings[place] == nil
        {
            tell(place, broken == .heldBeforeAway ? .away : proxies[proxy].plan.recallPhase(of: place), by: proxy)
        }
        let mayWork = isEntitled(proxy)
        if proxies[proxy].plan.round != proxies[proxy].round {
            (proxies[proxy].wait, proxies[proxy].pass) = (nil, nil)
            proxies[proxy].round = proxies[proxy].plan.round
        }
        if let until = proxies[proxy].wait {
            guard now >= until || isSkipped(proxy), mayWork || proxies[proxy].plan.isLeave else { return }
            proxies[proxy].wait = nil
            return proxies[proxy].plan.waited(now: max(now, until))
        }
        guard mayWork || proxies[proxy].pass == nil else { return }
        if let pass = proxies[proxy].pass {
            proxies[proxy].pass = nil
            return carryOut(pass, proxy)
        }
        let plan = proxies[proxy].plan
        guard (mayWork ? plan.nextTime : plan.leaveTime) <= now,
            let command = proxies[proxy].plan.nextCommand(now: now, onlyLeaves: !mayWork)
        else { return }
        proxies[proxy].round = proxies[proxy].plan.round
        switch command {
        case .wait(let until): proxies[proxy].wait = until
        case .tell(let place, let phase): tell(place, phase, by: proxy)
        default: proxies[proxy].pass = command
        }
        settle(proxy)
    }

    private func isSkipped(_ proxy: Int) -> Bool {
        proxies[proxy].plan.isLeave ? broken == .hold : broken == .quietTime
    }

    private mutating func carryOut(_ command: HomePlan.Command, _ proxy: Int) {
        let topology = proxies[proxy].topology
        let isWhole = isUp.indices.allSatisfy { reaches($0, proxy) || HomeKeys.access($0, topology) == .none }
        var (place, changed) = (0, 0)
        switch command {
        case .wait, .tell: return
        case .flush(let node):
            guard reaches(node, proxy) else { return proxies[proxy].plan.disturbed(now: now) }
            (keys.contents[node], kept[node]) = ([:], [:])
            note("proxy \(proxy) flushes \(node)")
            return proxies[proxy].plan.flushed(isDone: true, now: now)
        case .copy(let node, _):
            place = node
            if isWhole { changed = keys.fill(node, topology, drops: false) }
            // Behind its back.
            for _ in 0..<3 { write(random.pick(0..<HomeKeys.count), through: random.pick(proxies.indices)) }
        case .verify(let node):
            place = node
            if isWhole { changed = keys.fill(node, topology, drops: true) }
        case .drop(let node):
            place = node
            if isWhole { keys.dropStrays(on: node, topology) }
        }
        let result: HomePlan.PassResult = isWhole ? .whole(changed: changed, total: 40) : .cutShort
        proxies[proxy].plan.passed(result, on: place, now: now)
    }
}
