import Distribution
import DroverTesting
import Testing

@testable import ProxyCore

/// Nodes that go and come back at random, under the whole plan and the real ring: what is read is what was written last,
/// or nothing where its only node was lost.
struct HomeSimulationTests {
    private struct Pool {
        static let keyCount = HomeKeys.count

        var random: SeededGenerator
        var plan: HomePlan
        var topology: Topology
        var now: UInt64 = 1_000_000_000
        var keys: HomeKeys
        var isUp: [Bool]
        var written: [Int: Int] = [:]
        /// Its last write was lost with its node.
        var mayMiss: Set<Int> = []
        var next = 0
        var wait: UInt64?
        var pass: HomePlan.Command?
        var round = 0
        var isTroubled = true

        init(nodes: Int, _ distribution: DistributionCase, seed: UInt64) {
            random = SeededGenerator(seed: seed)
            plan = HomePlan(nodes: nodes, timeout: 200_000_000, verifies: random.once(in: 2))
            topology = HomeKeys.topology(nodes: nodes, distribution.kind)
            keys = HomeKeys(nodes: nodes)
            isUp = Array(repeating: true, count: nodes)
        }

        mutating func publish() {
            let plan = plan
            guard !isUp.indices.allSatisfy({ plan.verdict(on: $0) == topology.nodes[$0].verdict }) else { return }
            topology = topology.with { plan.verdict(on: $0) }
        }

        func places(_ key: Int) -> [Int] { HomeKeys.places(key, topology) }

        func access(_ node: Int) -> NodeAccess { topology.nodes[node].verdict.access }

        // MARK: Clients

        mutating func write(_ key: Int) {
            let all = places(key)
            let usable = all.filter { isUp[$0] && access($0) != .none }
            // A node that is dead and not known to be: the write fails, and nobody knows what it did.
            guard usable.count == all.count else { return }
            guard usable.contains(where: { access($0) == .full }) else { return }
            next += 1
            let isDelete = random.once(in: 4)
            let isCount = random.once(in: 4)
            for node in all {
                // A command that depends on what is there is a delete where that is not known.
                keys.contents[node][key] = isDelete || isCount && access(node) == .syncing ? nil : next
            }
            written[key] = isDelete ? nil : next
            mayMiss.remove(key)
        }

        func complaint(_ key: Int) -> String? {
            guard let node = places(key).first(where: { access($0) == .full }), isUp[node] else { return nil }
            let found = keys.contents[node][key]
            if found == written[key] || found == nil && mayMiss.contains(key) { return nil }
            return "key \(key) on node \(node): \(found ?? 0) instead of \(written[key] ?? 0)"
        }

        // MARK: Nodes

        mutating func lose(_ node: Int, isRestart: Bool) {
            for key in 0..<Self.keyCount where places(key).first(where: { access($0) == .full }) ?? node == node {
                mayMiss.insert(key)
            }
            isUp[node] = false
            if isRestart { keys.contents[node] = [:] }
            // A key that was counted up while it was copied is not on the newcomer yet.
            guard plan.stage == .proving else { return }
            mayMiss.formUnion((0..<Self.keyCount).filter { places($0).count == 2 })
        }

        mutating func happen() {
            let node = random.pick(keys.contents.indices)
            if isUp[node], isUp.count(where: { !$0 }) * 2 + 2 <= isUp.count + 1 {
                lose(node, isRestart: random.once(in: 2))
                plan.wentDown(node, now: now)
            } else if !isUp[node] {
                isUp[node] = true
                plan.answers(node, now: now)
            } else if plan.isBusy, random.once(in: 3) {
                plan.disturbed(now: now)
            }
            publish()
        }

        // MARK: Work

        mutating func work() {
            if plan.round != round { (round, wait, pass) = (plan.round, nil, nil) }
            if let place = plan.nextRecall {
                plan.told(place, .away, now: now)
            } else if let until = wait {
                now = until
                wait = nil
                plan.waited(now: now)
            } else if let command = pass {
                pass = nil
                carryOut(command)
            } else {
                if plan.nextTime != .max { now = max(now, plan.nextTime) }
                switch plan.nextCommand(now: now) {
                case nil: break
                case .wait(let until): wait = until
                case .tell(let place, let phase):
                    if isTroubled, random.once(in: 4) {
                        plan.notTold(place, isUnsaid: false, now: now)
                    } else {
                        plan.told(place, phase, now: now)
                    }
                case let command: pass = command
                }
                round = plan.round
            }
            publish()
        }

        mutating func carryOut(_ command: HomePlan.Command) {
            switch command {
            case .wait, .tell: break
            case .flush(let node):
                if isUp[node] { keys.contents[node] = [:] }
                plan.flushed(isDone: true, now: now)
            case .copy(let node, _):
                let changed = keys.fill(node, topology, drops: false)
                // Behind its back.
                for _ in 0..<3 { write(random.pick(0..<Self.keyCount)) }
                plan.passed(.whole(changed: changed, total: 40), on: node, now: now)
            case .verify(let node):
                let changed = keys.fill(node, topology, drops: true)
                plan.passed(.whole(changed: changed, total: 40), on: node, now: now)
            case .drop(let node):
                guard isUp[node] else { return plan.passed(.cutShort, on: node, now: now) }
                keys.dropStrays(on: node, topology)
                plan.passed(.whole(changed: 0, total: 40), on: node, now: now)
            }
        }
    }

    enum DistributionCase: String, CaseIterable {
        case ketama, modula, jump, rendezvous, maglev

        var kind: DistributionKind { DistributionKind(rawValue: rawValue)! }
    }

    @Test(arguments: DistributionCase.allCases)
    func whatIsReadIsWhatWasWrittenLast(_ distribution: DistributionCase) {
        let base = SeededGenerator.fromEnvironment()
        let rounds = environment("DROVER_ROUNDS").flatMap(Int.init) ?? 6
        for index in 0..<UInt64(rounds) {
            let seed = base.seed &+ index
            var pool = Pool(nodes: 2 + Int(seed % 4), distribution, seed: seed)
            for step in 0..<600 {
                var touched = Array(0..<Pool.keyCount)
                switch pool.random.pick(0..<10) {
                case 0: if pool.random.once(in: 3) { pool.happen() }
                case 1, 2, 3: pool.work()
                default:
                    touched = [pool.random.pick(0..<Pool.keyCount)]
                    pool.write(touched[0])
                }
                let complaints = touched.compactMap { pool.complaint($0) }
                guard complaints.isEmpty else {
                    Issue.record("DROVER_SEED=\(seed), step \(step): \(complaints)")
                    return
                }
            }
            // All is well in the end, and stays so.
            pool.isTroubled = false
            for node in pool.isUp.indices where !pool.isUp[node] {
                pool.isUp[node] = true
                pool.plan.answers(node, now: pool.now)
            }
            for _ in 0..<300 { pool.work() }
            #expect(pool.plan.places.allSatisfy { $0 == .home } && !pool.plan.isBusy, "DROVER_SEED=\(seed)")
            for node in pool.keys.contents.indices {
                let strays = pool.keys.contents[node].keys.filter { pool.places($0) != [node] }
                #expect(strays.isEmpty, "DROVER_SEED=\(seed): node \(node) holds \(strays)")
            }
        }
    }
}
