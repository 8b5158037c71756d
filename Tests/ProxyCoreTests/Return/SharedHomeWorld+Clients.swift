import DroverTesting

@testable import ProxyCore

/// What clients write and read through any of the proxies.
extension SharedHomeWorld {
    func places(_ key: Int, _ proxy: Int) -> [Int] { HomeKeys.places(key, proxies[proxy].topology) }

    func access(_ node: Int, _ proxy: Int) -> NodeAccess { HomeKeys.access(node, proxies[proxy].topology) }

    private func isTrusted(_ proxy: Int) -> Bool { broken == .trust || now < proxies[proxy].readUntil }

    mutating func write(_ key: Int, through proxy: Int) {
        let all = places(key, proxy)
        guard isTrusted(proxy), pending[key] == nil, all.allSatisfy({ access($0, proxy) != .none }) else { return }
        let isFaulty = isTroubled && all.count > 1 && random.once(in: 20)
        let unlucky = isFaulty ? random.pick(all) : -1
        let taking = all.filter { reaches($0, proxy) && $0 != unlucky }
        guard !taking.isEmpty else { return }
        next += 1
        let (isDelete, isCount) = (random.once(in: 4), random.once(in: 4))
        let value = isDelete ? 0 : next
        for node in taking {
            // A command that depends on what is there is a delete where that is not known.
            let isUnknown = isDelete || isCount && access(node, proxy) == .syncing
            keys.contents[node][key] = isUnknown ? nil : next
        }
        let isPartial = isCount && !isDelete && all.contains { access($0, proxy) == .syncing }
        // What is not acknowledged may be there all the same, or be again.
        allowed[key, default: [0]].formUnion(isPartial ? [value, 0] : [value])
        history[key, default: []].append("\(now / 1_000_000) \(proxy) writes \(value) to \(taking) of \(all)")
        guard taking.contains(where: { access($0, proxy) == .full }) else { return }
        if taking.count == all.count {
            acknowledge(key, value)
            if isPartial { counted.insert(key) } else { counted.remove(key) }
        } else {
            for place in all where !taking.contains(place) { miss(key, value, on: place, through: proxy) }
        }
        settle(proxy)
    }

    private mutating func acknowledge(_ key: Int, _ value: Int) { allowed[key] = [value] }

    private mutating func miss(_ key: Int, _ value: Int, on place: Int, through proxy: Int) {
        switch proxies[proxy].plan.missedWrite(place, now: now) {
        case .kept: acknowledge(key, value)
        case .refused where broken == .missesRefused: acknowledge(key, value)
        case .refused: break
        case .when(let place, let phase):
            pending[key] = false
            proxies[proxy].misses.append((key, value, place, phase))
        }
    }

    mutating func answerMisses(_ proxy: Int) {
        for miss in proxies[proxy].misses where !proxies[proxy].plan.isPending(miss.place, miss.phase) {
            let isLost = pending.removeValue(forKey: miss.key) == true
            guard proxies[proxy].plan.phases[miss.place] == miss.phase else { continue }
            acknowledge(miss.key, miss.value)
            if isLost { allowed[miss.key]?.insert(0) }
        }
        let plan = proxies[proxy].plan
        proxies[proxy].misses.removeAll { !plan.isPending($0.place, $0.phase) }
    }

    func complaint(_ key: Int, through proxy: Int) -> String? {
        guard isTrusted(proxy), let node = places(key, proxy).first(where: { access($0, proxy) == .full }),
            reaches(node, proxy)
        else { return nil }
        let (found, wanted) = (keys.contents[node][key] ?? 0, allowed[key] ?? [0])
        if wanted.contains(found) { return nil }
        let phases = proxies.map { $0.plan.phases.map { "\($0.map { "\($0)" } ?? "-")" } }
        let past = history[key, default: []].suffix(8)
        return "key \(key), node \(node), proxy \(proxy): \(found) instead of \(wanted), \(phases), \(past)"
    }
}
