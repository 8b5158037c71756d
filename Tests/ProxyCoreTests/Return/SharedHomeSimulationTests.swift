import Distribution
import DroverTesting
import Testing

@testable import ProxyCore

/// Two proxies over the same nodes, either of which may lose sight of one alone, stand still, or not get through to tell
/// the other: what is read through either is what was written last through any, or nothing where its node was lost.
struct SharedHomeSimulationTests {
    private static let poll: UInt64 = 1_000_000_000

    private struct Proxy {
        let owner: Token
        var plan: HomePlan
        var records: HomeRecords
        var topology: Topology
        var reaches: [Bool]
        /// What it knows is good for `poll` from then on.
        var readAt: UInt64 = 0
        var nextTurn: UInt64 = 0
        var wait: UInt64?
        var pass: HomePlan.Command?
        var round = 0
    }

    private struct Pool {
        var random: SeededGenerator
        var now: UInt64 = 1_000_000_000
        var keys: HomeKeys
        var isUp: [Bool]
        var proxies: [Proxy]
        /// What the nodes keep, by the node that it is about.
        var kept: [HomeRecord?]
        var lease: (owner: Int, until: UInt64)?
        var written: [Int: Int] = [:]
        /// Its last write was lost with its node.
        var mayMiss: Set<Int> = []
        /// Its last write is not on the node that is brought home yet, and is lost if a node that stands in fails just then.
        var counted: Set<Int> = []
        var next = 0
        var isTroubled = true
        /// For who looks for a mistake.
        var said: [String] = []

        init(nodes: Int, _ distribution: DistributionKind, seed: UInt64) {
            random = SeededGenerator(seed: seed)
            keys = HomeKeys(nodes: nodes)
            isUp = Array(repeating: true, count: nodes)
            kept = Array(repeating: nil, count: nodes)
            let verifies = random.once(in: 2)
            proxies = (UInt64(1)...2).map {
                var plan = HomePlan(
                    nodes: nodes, timeout: 200_000_000, poll: SharedHomeSimulationTests.poll, verifies: verifies)
                plan.isAccompanied = true
                return Proxy(
                    owner: Token($0)!, plan: plan, records: HomeRecords(nodes: nodes),
                    topology: HomeKeys.topology(nodes: nodes, distribution),
                    reaches: Array(repeating: true, count: nodes))
            }
        }

        func places(_ key: Int, _ proxy: Int) -> [Int] { HomeKeys.places(key, proxies[proxy].topology) }

        func access(_ node: Int, _ proxy: Int) -> NodeAccess { HomeKeys.access(node, proxies[proxy].topology) }

        func reaches(_ node: Int, _ proxy: Int) -> Bool { isUp[node] && proxies[proxy].reaches[node] }

        // MARK: Clients

        private func isTrusted(_ proxy: Int) -> Bool { now < proxies[proxy].readAt + SharedHomeSimulationTests.poll }

        mutating func write(_ key: Int, through proxy: Int) {
            let all = places(key, proxy)
            guard isTrusted(proxy), all.allSatisfy({ reaches($0, proxy) && access($0, proxy) != .none }),
                all.contains(where: { access($0, proxy) == .full })
            else { return }
            next += 1
            let (isDelete, isCount) = (random.once(in: 4), random.once(in: 4))
            for node in all {
                // A command that depends on what is there is a delete where that is not known.
                keys.contents[node][key] = isDelete || isCount && access(node, proxy) == .syncing ? nil : next
            }
            written[key] = isDelete ? nil : next
            mayMiss.remove(key)
            if isCount, !isDelete, all.contains(where: { access($0, proxy) == .syncing }) {
                counted.insert(key)
            } else {
                counted.remove(key)
            }
        }

        /// The other has called the node's return off while that decided, or ended it before, and this one has not heard of it
        /// for less than `poll`: in that time it may read what is older.
        private func isCutShort(_ node: Int, _ proxy: Int) -> Bool {
            switch (proxies[proxy].plan.phases[node], kept[node]?.phase) {
            case (.leading, .held), (.leading, .away), (.leading, .joining): true
            case (.joining, .home), (.proven, .home), (.joining, .clean), (.proven, .clean): true
            default: false
            }
        }

        func complaint(_ key: Int, through proxy: Int) -> String? {
            guard isTrusted(proxy), let node = places(key, proxy).first(where: { access($0, proxy) == .full }),
                reaches(node, proxy)
            else { return nil }
            if places(key, proxy).contains(where: { isCutShort($0, proxy) }) { return nil }
            let found = keys.contents[node][key]
            if found == written[key] || found == nil && mayMiss.contains(key) { return nil }
            let phases = proxies.map { $0.plan.phases.map { "\($0.map { "\($0)" } ?? "-")" } }
            return "key \(key), node \(node), proxy \(proxy): \(found ?? 0) instead of \(written[key] ?? 0), \(phases)"
        }

        // MARK: Nodes

        /// What it held may be lost: also where one proxy alone does not reach it, for the other has to give it up.
        private mutating func lose(_ node: Int) {
            mayMiss.formUnion(counted)
            for key in 0..<HomeKeys.count where proxies.indices.contains(where: { places(key, $0).contains(node) }) {
                mayMiss.insert(key)
            }
        }

        private mutating func happen() {
            let node = random.pick(isUp.indices)
            let isWhole = proxies.indices.allSatisfy { reaches(node, $0) }
            guard isWhole else {
                isUp[node] = true
                for proxy in proxies.indices { proxies[proxy].reaches[node] = true }
                return
            }
            let troubled = isUp.indices.count { node in proxies.indices.contains { !reaches(node, $0) } }
            // They have to reach a node in common, whose keys are at home.
            let common = isUp.indices.contains { other in
                other != node
                    && proxies.indices.allSatisfy {
                        reaches(other, $0) && proxies[$0].plan.place(other) == .home
                    }
            }
            guard common, troubled * 2 + 2 <= isUp.count + 1 else { return }
            if random.once(in: 2) {
                proxies[random.pick(proxies.indices)].reaches[node] = false
            } else {
                lose(node)
                isUp[node] = false
                keys.contents[node] = [:]
            }
        }

        mutating func heal() {
            isTroubled = false
            for node in isUp.indices {
                isUp[node] = true
                for proxy in proxies.indices { proxies[proxy].reaches[node] = true }
            }
        }

        // MARK: Proxies

        mutating func tick() {
            now += UInt64(random.pick(20...150)) * 1_000_000
            if isTroubled, random.once(in: 50) { happen() }
            for proxy in proxies.indices where now >= proxies[proxy].nextTurn {
                for place in kept.indices {
                    guard let record = kept[place], proxies[proxy].records.hear(record, of: place) else { continue }
                    proxies[proxy].plan.heard(place, record.phase, now: now)
                }
                proxies[proxy].readAt = now
                see(proxy)
                for _ in 0..<2 { work(proxy) }
                publish(proxy)
                let pause = isTroubled && random.once(in: 100) ? random.pick([3_000, 15_000]) : random.pick(20...400)
                proxies[proxy].nextTurn = now + UInt64(pause) * 1_000_000
            }
        }

        private mutating func publish(_ proxy: Int) {
            let (plan, topology) = (proxies[proxy].plan, proxies[proxy].topology)
            guard !isUp.indices.allSatisfy({ plan.verdict(on: $0) == topology.nodes[$0].verdict }) else { return }
            proxies[proxy].topology = topology.with { plan.verdict(on: $0) }
        }

        /// It finds out sooner or later.
        private mutating func see(_ proxy: Int) {
            for node in isUp.indices where proxies[proxy].plan.isUp[node] != reaches(node, proxy) {
                guard random.once(in: 2) else { continue }
                if reaches(node, proxy) {
                    proxies[proxy].plan.answers(node, now: now)
                } else {
                    lose(node)
                    proxies[proxy].plan.wentDown(node, now: now)
                }
            }
        }

        private mutating func isEntitled(_ proxy: Int) -> Bool {
            let plan = proxies[proxy].plan
            if let held = lease, held.owner == proxy, now < held.until {
                lease = plan.isBusy || plan.nextTime != .max ? (proxy, now + Lease.span) : nil
                return true
            }
            if plan.isBusy, !plan.isLeave { proxies[proxy].plan.abandon() }
            guard plan.isWork, plan.nextTime <= now, lease.map({ now >= $0.until }) ?? true else { return false }
            lease = (proxy, now + Lease.span)
            return true
        }

        private mutating func work(_ proxy: Int) {
            if let place = proxies[proxy].plan.nextRecall { tell(place, .away, by: proxy) }
            let mayWork = isEntitled(proxy)
            if proxies[proxy].plan.round != proxies[proxy].round {
                (proxies[proxy].wait, proxies[proxy].pass) = (nil, nil)
                proxies[proxy].round = proxies[proxy].plan.round
            }
            if let until = proxies[proxy].wait {
                guard now >= until, mayWork || proxies[proxy].plan.isLeave else { return }
                proxies[proxy].wait = nil
                return proxies[proxy].plan.waited(now: now)
            }
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
        }

        /// The nodes may not hear of it, or their answer not come.
        private mutating func tell(_ place: Int, _ phase: HomePhase, by proxy: Int) {
            let (from, owner) = (proxies[proxy].records.known[place], proxies[proxy].owner)
            let record = proxies[proxy].records.next(phase, of: place, by: owner)
            if isTroubled, random.once(in: 10) { return proxies[proxy].plan.notTold(place, now: now) }
            if let there = kept[place], from.map({ there > $0 }) ?? true {
                _ = proxies[proxy].records.hear(there, of: place)
                return proxies[proxy].plan.heard(place, there.phase, now: now)
            }
            if phase == .held || phase == .away && kept[place]?.phase == .held { lose(place) }
            kept[place] = record
            said.append("\(now / 1_000_000) ms: proxy \(proxy) says \(phase) of \(place)")
            if isTroubled, random.once(in: 10) { return proxies[proxy].plan.notTold(place, now: now) }
            _ = proxies[proxy].records.hear(record, of: place)
            proxies[proxy].plan.told(place, phase, now: now)
        }

        private mutating func carryOut(_ command: HomePlan.Command, _ proxy: Int) {
            let topology = proxies[proxy].topology
            let isWhole = isUp.indices.allSatisfy {
                reaches($0, proxy) || HomeKeys.access($0, topology) == .none
            }
            var (place, changed) = (0, 0)
            switch command {
            case .wait, .tell: return
            case .flush(let node):
                guard reaches(node, proxy) else { return proxies[proxy].plan.disturbed(now: now) }
                keys.contents[node] = [:]
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

    @Test(arguments: HomeSimulationTests.DistributionCase.allCases)
    func whatIsReadIsWhatWasWrittenLast(_ distribution: HomeSimulationTests.DistributionCase) {
        let base = SeededGenerator.fromEnvironment()
        let rounds = environment("DROVER_ROUNDS").flatMap(Int.init) ?? 4
        for index in 0..<UInt64(rounds) {
            let seed = base.seed &+ index
            var pool = Pool(nodes: 3 + Int(seed % 3), distribution.kind, seed: seed)
            for step in 0..<3000 {
                pool.tick()
                let key = pool.random.pick(0..<HomeKeys.count)
                if pool.random.once(in: 2) { pool.write(key, through: pool.random.pick(0..<2)) }
                let looked = step % 20 == 0 ? Array(0..<HomeKeys.count) : [key]
                let complaints = (0..<2).flatMap { proxy in looked.compactMap { pool.complaint($0, through: proxy) } }
                guard complaints.isEmpty else {
                    Issue.record("DROVER_SEED=\(seed), step \(step): \(complaints); \(pool.said.suffix(12))")
                    return
                }
            }
            pool.heal()
            for _ in 0..<2000 { pool.tick() }
            for proxy in pool.proxies {
                #expect(proxy.plan.places.allSatisfy { $0 == .home } && !proxy.plan.isBusy, "DROVER_SEED=\(seed)")
            }
            for node in pool.isUp.indices {
                let strays = pool.keys.contents[node].keys.filter { pool.places($0, 0) != [node] }
                #expect(strays.isEmpty, "DROVER_SEED=\(seed): node \(node) holds \(strays)")
            }
        }
    }
}
