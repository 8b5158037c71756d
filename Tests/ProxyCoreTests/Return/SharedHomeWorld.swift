import Distribution
import DroverTesting

@testable import ProxyCore

/// Proxies over the same nodes, in simulated time. Any may lose sight of a node alone, lose connections for a moment, or
/// stand still. What they tell each other is on the nodes, and takes as many steps there as it does in the real thing.
struct SharedHomeWorld {
    /// What is left out, to see that it is needed.
    enum BrokenRule: CaseIterable {
        case hold, quietTime, toldByAll, trust, oneOrderOfLeases, heldBeforeAway, missesRefused, firstDecides
    }

    struct Proxy {
        let owner: Token
        var plan: HomePlan
        var records: HomeRecords
        var topology: Topology
        /// Of the nodes: for the lease, and for who is told first.
        var order: [Int]
        var reaches: [Bool]
        /// Its connection to the node is lost until then.
        var isCutUntil: [UInt64]
        var pollDue: [UInt64]
        var hasRead: [Bool]
        var readAt: [UInt64?]
        /// What it knows is good until then.
        var readUntil: UInt64 = 0
        var nextTurn: UInt64 = 0
        var wait: UInt64?
        var pass: HomePlan.Command?
        var round = 0
        /// By the node that it is about, one after the other.
        var tellings: [Int: [Telling]] = [:]
        var recallDue: UInt64 = 0
        var lease: Int?
        var leaseDue: UInt64 = 0
        var idleSince: UInt64 = 0
        var misses: [(key: Int, value: Int, place: Int, phase: HomePhase)] = []
    }

    struct Telling {
        let phase: HomePhase
        var record: HomeRecord?
        var news: HomeNews?
        var changes: [HomeChange] = []
    }

    static let poll: UInt64 = 1_000_000_000
    static let timeout: UInt64 = 200_000_000

    let broken: BrokenRule?
    var random: SeededGenerator
    var now: UInt64 = 1_000_000_000
    var keys: HomeKeys
    var isUp: [Bool]
    var proxies: [Proxy]
    /// By the node that keeps it and the one that it is about.
    var kept: [[Int: (text: [UInt8], cas: UInt64)]]
    var leases: [(owner: Int, until: UInt64)?]
    /// What each key may be; 0 is a miss.
    var allowed: [Int: Set<Int>] = [:]
    /// A client waits for what becomes of its write; true: the node that has it was lost meanwhile.
    var pending: [Int: Bool] = [:]
    /// Its last write is not on the node that is brought home yet, and is lost if a node that stands in fails just then.
    var counted: Set<Int> = []
    var next = 0
    var isTroubled = true
    var killedAt: UInt64 = 0
    /// For who looks for a mistake.
    var said: [String] = []
    var history: [Int: [String]] = [:]

    init(nodes: Int, _ distribution: DistributionKind, seed: UInt64, broken: BrokenRule? = nil) {
        self.broken = broken
        random = SeededGenerator(seed: seed)
        keys = HomeKeys(nodes: nodes)
        isUp = Array(repeating: true, count: nodes)
        kept = Array(repeating: [:], count: nodes)
        leases = Array(repeating: nil, count: nodes)
        let verifies = random.once(in: 2)
        let count = random.once(in: 3) ? 3 : 2
        proxies = (0..<count).map { number in
            var plan = HomePlan(nodes: nodes, timeout: Self.timeout, poll: Self.poll, verifies: verifies)
            plan.isAccompanied = true
            let isReversed = broken == .oneOrderOfLeases && number > 0
            return Proxy(
                owner: Token(UInt64(number + 1))!, plan: plan, records: HomeRecords(nodes: nodes),
                topology: HomeKeys.topology(nodes: nodes, distribution),
                order: isReversed ? (0..<nodes).reversed() : Array(0..<nodes),
                reaches: Array(repeating: true, count: nodes), isCutUntil: Array(repeating: 0, count: nodes),
                pollDue: Array(repeating: 0, count: nodes), hasRead: Array(repeating: false, count: nodes),
                readAt: Array(repeating: nil, count: nodes))
        }
    }

    func reaches(_ node: Int, _ proxy: Int) -> Bool { isUp[node] && proxies[proxy].reaches[node] }

    /// Its control thread has a connection there.
    func isOpen(_ node: Int, _ proxy: Int) -> Bool { reaches(node, proxy) && now >= proxies[proxy].isCutUntil[node] }

    mutating func note(_ text: String) { said.append("\(now / 1_000_000) ms: \(text)") }

    // MARK: What happens

    /// What it held may be lost: also where one proxy alone does not reach it, for the others have to give it up.
    mutating func lose(_ node: Int) {
        for key in 0..<HomeKeys.count {
            let isThere = proxies.indices.contains { places(key, $0).contains(node) } || keys.contents[node][key] != nil
            guard isThere || counted.contains(key) else { continue }
            history[key, default: []].append("\(now / 1_000_000) lost \(node)")
            allowed[key, default: [0]].insert(0)
            if pending[key] != nil { pending[key] = true }
        }
    }

    private mutating func happen() {
        let node = random.pick(isUp.indices)
        guard proxies.indices.allSatisfy({ reaches(node, $0) }) else {
            isUp[node] = true
            for proxy in proxies.indices { proxies[proxy].reaches[node] = true }
            return note("node \(node) is back")
        }
        let troubled = isUp.indices.count { node in proxies.indices.contains { !reaches(node, $0) } }
        // They have to reach a node in common, whose keys are at home.
        let hasCommon = isUp.indices.contains { other in
            other != node
                && proxies.indices.allSatisfy { reaches(other, $0) && proxies[$0].plan.place(other) == .home }
        }
        guard hasCommon, troubled * 2 + 2 <= isUp.count + 1 else { return }
        // What one that stands still would have to hear is lost with who keeps it, until others have written it anew.
        let areAllAwake = proxies.allSatisfy { $0.nextTurn < now + Self.poll }
        switch random.pick(0..<(areAllAwake ? 4 : 3)) {
        case 0, 1:
            let proxy = random.pick(proxies.indices)
            proxies[proxy].reaches[node] = false
            note("proxy \(proxy) is cut off from node \(node)")
        case 2:
            // It stands still, and forgets nothing.
            lose(node)
            isUp[node] = false
            note("node \(node) is frozen")
        default:
            lose(node)
            isUp[node] = false
            (keys.contents[node], kept[node], leases[node]) = ([:], [:], nil)
            killedAt = now
            note("node \(node) is killed")
        }
    }

    /// The proxy's connections to some nodes are lost for a moment.
    private mutating func cut(_ proxy: Int) {
        for node in isUp.indices where random.once(in: 2) {
            proxies[proxy].isCutUntil[node] = now + UInt64(random.pick(50...400)) * 1_000_000
            lostLink(node, proxy)
        }
    }

    mutating func lostLink(_ node: Int, _ proxy: Int) {
        proxies[proxy].hasRead[node] = false
        proxies[proxy].plan.hears(node, false)
        if proxies[proxy].lease == node { proxies[proxy].lease = nil }
    }

    mutating func heal() {
        isTroubled = false
        for node in isUp.indices {
            isUp[node] = true
            for proxy in proxies.indices { proxies[proxy].reaches[node] = true }
        }
    }

    // MARK: Time

    mutating func tick() {
        now += UInt64(random.pick(5...80)) * 1_000_000
        if isTroubled, random.once(in: 80) { happen() }
        for proxy in proxies.indices where now >= proxies[proxy].nextTurn {
            if isTroubled, random.once(in: broken == .toldByAll ? 15 : 40) { cut(proxy) }
            for node in isUp.indices where !isOpen(node, proxy) { lostLink(node, proxy) }
            see(proxy)
            ask(proxy)
            for _ in 0..<random.pick(1...6) { say(proxy) }
            for _ in 0..<2 { work(proxy) }
            settle(proxy)
            let mayStand = isTroubled && now > killedAt + 3 * Self.poll
            let pause = mayStand && random.once(in: 150) ? random.pick([1_500, 4_000, 15_000]) : random.pick(10...200)
            proxies[proxy].nextTurn = now + UInt64(pause) * 1_000_000
        }
    }

    /// Workers know before clients are answered.
    mutating func settle(_ proxy: Int) {
        let (plan, topology) = (proxies[proxy].plan, proxies[proxy].topology)
        if !isUp.indices.allSatisfy({ plan.verdict(on: $0) == topology.nodes[$0].verdict }) {
            proxies[proxy].topology = topology.with { plan.verdict(on: $0) }
        }
        answerMisses(proxy)
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

    /// All keys are where they belong, and nobody has anything to do.
    var isAtRest: Bool {
        proxies.allSatisfy { $0.plan.places.allSatisfy { $0 == .home } && !$0.plan.isBusy && $0.misses.isEmpty }
    }
}
