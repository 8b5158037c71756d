import DroverTesting

@testable import ProxyCore

/// What proxies say on the nodes, and hear there.
extension SharedHomeWorld {
    // MARK: Polls

    mutating func ask(_ proxy: Int) {
        for node in isUp.indices where isOpen(node, proxy) && now >= proxies[proxy].pollDue[node] {
            proxies[proxy].pollDue[node] = now + Self.poll / 2
            var isWhole = true
            for other in isUp.indices where other != node && !take(other, from: node, proxy) { isWhole = false }
            proxies[proxy].hasRead[node] = true
            proxies[proxy].plan.hears(node, true)
            if isWhole { proxies[proxy].readAt[node] = now }
            // What one node was told is known to whoever reads most of them, sooner or later.
            let last = proxies[proxy].readAt.compactMap { $0 }.max()
            if let time = broken == .toldByAll ? last : proxies[proxy].plan.readTime(of: proxies[proxy].readAt) {
                proxies[proxy].readUntil = max(proxies[proxy].readUntil, time + Self.poll)
            }
        }
    }

    /// False: it says something new, which is not heard just now.
    private mutating func take(_ other: Int, from node: Int, _ proxy: Int) -> Bool {
        guard proxies[proxy].plan.isBelieved(node) else { return true }
        let record = kept[node][other].flatMap { unsafe HomeRecord(text: $0.text.span.bytes) }
        guard proxies[proxy].tellings[other] == nil else {
            return !proxies[proxy].records.isNews(record, of: other, besides: proxies[proxy].owner)
        }
        if let record, proxies[proxy].records.hear(record, of: other) {
            heard(other, record, proxy)
        } else if let answer = proxies[proxy].records.answer(to: record, of: other) {
            var change = HomeChange(answer, of: other, on: node, from: nil, life: 0)
            while let command = change.nextCommand() { change.received(carryOut(command), isOpen: true) }
        }
        return true
    }

    private mutating func heard(_ place: Int, _ record: HomeRecord, _ proxy: Int) {
        if record.owner == proxies[proxy].owner {
            if proxies[proxy].plan.isPending(place, record.phase) { return }
        } else {
            proxies[proxy].leaseDue = max(proxies[proxy].leaseDue, now + Self.leasePause)
        }
        note("proxy \(proxy) hears \(record.phase) of \(place)")
        if record.phase == .held || record.phase == .away { lose(place) }
        proxies[proxy].plan.heard(place, record.phase, now: now)
        settle(proxy)
    }

    /// As memcached does.
    private mutating func carryOut(_ command: MarkerCommand) -> MarkerReply {
        guard case .away(let place) = command.item else { return .failed }
        let there = kept[command.node][place]
        switch command.action {
        case .read: return there.map { .value($0.text, cas: $0.cas) } ?? .missing
        case .store(let text, let condition):
            switch condition {
            case .always: break
            case .ifMissing: guard there == nil else { return .refused }
            case .ifSame(let cas): guard there?.cas == cas else { return .refused }
            }
            next += 1
            kept[command.node][place] = (text, UInt64(next))
            return .done(cas: UInt64(next))
        case .delete, .deleteSame:
            kept[command.node][place] = nil
            return .done(cas: 0)
        }
    }

    // MARK: Telling

    mutating func tell(_ place: Int, _ phase: HomePhase, by proxy: Int) {
        proxies[proxy].tellings[place, default: []].append(Telling(phase: phase))
    }

    /// One step with each node that is being told.
    mutating func say(_ proxy: Int) {
        for place in proxies[proxy].tellings.keys.sorted() {
            guard var telling = proxies[proxy].tellings[place]?.first else { continue }
            if telling.news == nil {
                if let result = begin(&telling, of: place, by: proxy) {
                    conclude(place, telling, result, by: proxy)
                    continue
                }
            } else {
                for index in telling.changes.indices.reversed() where random.pick(0..<3) > 0 {
                    step(&telling, index, proxy)
                }
            }
            goOn(&telling, of: place, by: proxy)
            if let result = telling.news?.result {
                conclude(place, telling, result, by: proxy)
            } else {
                proxies[proxy].tellings[place]?[0] = telling
            }
        }
    }

    private mutating func begin(_ telling: inout Telling, of place: Int, by proxy: Int) -> HomeTelling? {
        let plan = proxies[proxy].plan
        let record = proxies[proxy].records.next(telling.phase, of: place, by: proxies[proxy].owner)
        telling.record = record
        var others = proxies[proxy].order.filter { $0 != place && plan.isBelieved($0) && plan.isUp[$0] }
        if broken == .firstDecides { others.shuffle(using: &random) }
        if others.isEmpty { return plan.hasKeepers(of: place) ? .unsaid : .unable }
        var open = others.filter { isOpen($0, proxy) }
        if broken == .toldByAll, !open.isEmpty { open = [random.pick(open)] }
        if open.isEmpty || broken != .toldByAll && open.count < others.count { return .unsaid }
        telling.news = HomeNews(record, to: open)
        return nil
    }

    private mutating func goOn(_ telling: inout Telling, of place: Int, by proxy: Int) {
        guard let record = telling.record else { return }
        for keeper in telling.news?.nextKeepers() ?? [] {
            let from = proxies[proxy].records.known[place]
            telling.changes.append(HomeChange(record, of: place, on: keeper, from: .some(from), life: 0))
        }
    }

    private mutating func step(_ telling: inout Telling, _ index: Int, _ proxy: Int) {
        let keeper = telling.changes[index].keeper
        guard let command = telling.changes[index].nextCommand() else { return }
        var reply = MarkerReply.failed
        if isOpen(keeper, proxy) {
            let isLost = isTroubled && random.once(in: 60)
            // It may have got there, and the answer not come.
            if !isLost || random.once(in: 2) { reply = carryOut(command) }
            if isLost {
                reply = .failed
                proxies[proxy].isCutUntil[keeper] = now + 100_000_000
                lostLink(keeper, proxy)
            }
        }
        telling.changes[index].received(reply, isOpen: isOpen(keeper, proxy))
        guard let outcome = telling.changes[index].outcome else { return }
        telling.changes.remove(at: index)
        telling.news?.answered(outcome)
    }

    private mutating func conclude(_ place: Int, _ telling: Telling, _ result: HomeTelling, by proxy: Int) {
        proxies[proxy].tellings[place]?.removeFirst()
        if proxies[proxy].tellings[place]?.isEmpty == true { proxies[proxy].tellings[place] = nil }
        guard let record = telling.record else { return }
        if result != .unsaid { note("proxy \(proxy) says \(telling.phase) of \(place): \(result)") }
        switch result {
        case .told, .unable:
            if telling.phase == .held || telling.phase == .away { lose(place) }
            _ = proxies[proxy].records.hear(record, of: place)
            proxies[proxy].plan.told(place, telling.phase, now: now)
        case .refused(let seen):
            _ = proxies[proxy].records.hear(seen, of: place)
            if seen.phase == .held || seen.phase == .away { lose(place) }
            proxies[proxy].plan.heard(place, seen.phase, now: now)
        case .failed, .unsaid:
            proxies[proxy].plan.notTold(place, isUnsaid: result == .unsaid, now: now)
            proxies[proxy].recallDue = now + HomePlan.tellPause
        }
        settle(proxy)
    }

    // MARK: The lease

    static let leasePause: UInt64 = 500_000_000

    /// It may bring keys home.
    mutating func isEntitled(_ proxy: Int) -> Bool {
        if let node = proxies[proxy].lease { renewLease(on: node, proxy) }
        let plan = proxies[proxy].plan
        if let node = proxies[proxy].lease {
            if plan.isBusy || plan.nextTime != .max {
                proxies[proxy].idleSince = now
            } else if now >= proxies[proxy].idleSince + Self.poll {
                (leases[node], proxies[proxy].lease) = (nil, nil)
            }
            return true
        }
        proxies[proxy].plan.leaseLost()
        if plan.isBusy, !proxies[proxy].plan.isBusy { note("proxy \(proxy) leaves \(plan.node) to another") }
        guard proxies[proxy].plan.isWork, max(proxies[proxy].plan.nextTime, proxies[proxy].leaseDue) <= now else {
            return false
        }
        proxies[proxy].leaseDue = now + Self.leasePause
        if let place = leasePlace(proxy) { takeLease(on: place, proxy) }
        return false
    }

    private func leasePlace(_ proxy: Int) -> Int? {
        let (plan, order, hasRead) = (proxies[proxy].plan, proxies[proxy].order, proxies[proxy].hasRead)
        guard broken == .oneOrderOfLeases else {
            return plan.leasePlace(in: order, isUnable: { _ in false }, isRead: { hasRead[$0] })
        }
        return order.first { plan.isBelieved($0) && hasRead[$0] }
    }

    private mutating func renewLease(on node: Int, _ proxy: Int) {
        guard isOpen(node, proxy), leases[node].map({ $0.owner == proxy || now >= $0.until }) ?? true else {
            return proxies[proxy].lease = nil
        }
        leases[node] = (proxy, now + Lease.span)
        guard broken != .oneOrderOfLeases, let place = leasePlace(proxy), place != node else { return }
        (leases[node], proxies[proxy].lease) = (nil, nil)
        takeLease(on: place, proxy)
    }

    private mutating func takeLease(on place: Int, _ proxy: Int) {
        guard leases[place].map({ $0.owner == proxy || now >= $0.until }) ?? true else { return }
        leases[place] = (proxy, now + Lease.span)
        proxies[proxy].lease = place
    }
}
