import DroverTesting

@testable import ProxyCore

/// Nodes, proxies and clients in one thread and in simulated time, with a fault every few seconds; all of it drawn from
/// one seed. Every read is checked against all writes of its key when it comes back.
final class Simulation {
    static let millisecond: UInt64 = 1_000_000
    static let timeout = 200 * millisecond
    static let poll = 1000 * millisecond

    let seed: UInt64
    let broken: BrokenRule?
    var generator: SeededGenerator
    private(set) var now: UInt64 = 1_000_000_000
    private var queue = EventQueue()
    var nextNumber = 0
    var nodes: [SimulatedNode] = []
    var proxies: [SimulatedProxy] = []
    var links: [[SimulatedLink]] = []
    /// What frozen nodes have received.
    var frozen: [Int: [(SimulatedConnection, () -> Void)]] = [:]
    var histories: [KeyHistory] = []
    /// Nodes that a fault has touched, or that are revoked: until every proxy takes them for full again.
    var unsound: Set<Int> = []
    var activeFaults: [Int]
    var fillingSince: [UInt64]
    var isWriting = true
    /// No write begins while all nodes are flushed: what came of it is the engine's matter, and its tests'.
    var isFlushing = false
    var flushes = 0
    private var writeNumber = 0
    /// What the checker has found; the run ends with the first.
    var complaint: String?
    var fillings = 0
    var endings: [String: Int] = [:]
    private(set) var reads = 0
    private(set) var acknowledged = 0
    var log: [String] = []
    var isLogging = false

    /// What clients do, where it is not everything: see `Pace`.
    var pace = Pace.mixed

    /// By proxy: the list of nodes in its config, by number.
    var told: [Int] = []
    var moves = 0
    /// What a schedule of moves is about, and how many faults may follow from moves.
    var aim = MoveAim.anything
    var strikesLeft = 0
    /// Keys were told to go elsewhere while they were on their way.
    var wasTurned = false
    /// Nothing is promised of what comes now.
    var isVoid = false

    /// - Parameters:
    ///   - moving: its schedule is for keys that move.
    ///   - aim: of that; else it is drawn, too.
    init(seed: UInt64, broken: BrokenRule? = nil, moving: Bool = false, aim wanted: MoveAim? = nil) {
        self.seed = seed
        self.broken = broken
        generator = SeededGenerator(seed: seed)
        let count = generator.pick(moving ? [3, 3, 4] : [2, 3, 3])
        activeFaults = Array(repeating: 0, count: count)
        fillingSince = Array(repeating: 0, count: count)
        nodes = (0..<count).map { SimulatedNode(index: $0, count: count) }
        if moving { aim = wanted ?? generator.pick(MoveAim.allCases) }
        let proxyCount = aim.proxies ?? generator.pick(moving ? [2, 2, 3] : [1, 2, 2, 3])
        told = Array(repeating: 0, count: proxyCount)
        links = (0..<proxyCount).map { _ in (0..<count).map { _ in SimulatedLink() } }
        histories = (0..<12).map { _ in KeyHistory() }
        proxies = (0..<proxyCount).map { SimulatedProxy(world: self, index: $0) }
    }

    var second: Int64 { 1_000_000 + Int64(now / 1_000_000_000) }
    /// After which a proxy that still reaches a node knows that another has revoked it.
    var bound: UInt64 { Self.poll + 2 * Self.timeout + 100 * Self.millisecond }

    /// What a look tells of an item.
    static func stored(_ item: SimulatedItem, second: Int64) -> StoredItem {
        var stored = StoredItem.missing
        stored.kind = .fresh
        stored.size = 1
        stored.flags = item.flags
        stored.cas = item.cas
        stored.ttl = item.expiry.map { $0 - second } ?? -1
        return stored
    }

    static func text(_ time: UInt64) -> String {
        let milliseconds = time / millisecond
        let digits = String(milliseconds % 1000)
        return "\(milliseconds / 1000)." + String(repeating: "0", count: 3 - digits.count) + digits
    }

    func note(_ text: @autoclosure () -> String) {
        if isLogging { log.append("\(Self.text(now)) \(text())") }
    }

    func complain(_ text: String) {
        if complaint == nil { complaint = "seed \(seed), \(Self.text(now)): \(text)" }
    }

    // MARK: Time

    func at(_ time: UInt64, _ action: @escaping () -> Void) { queue.add(at: max(time, now), action) }

    /// For what a proxy does: not if it has died, and later if it is stopped.
    func at(_ time: UInt64, of proxy: SimulatedProxy, _ action: @escaping () -> Void) {
        at(time) {
            guard proxy.isAlive else { return }
            if proxy.stopped != nil { proxy.stopped?.append(action) } else { action() }
        }
    }

    func run(until end: UInt64) {
        while complaint == nil, !isVoid, let time = queue.nextTime, time <= end {
            now = time
            queue.removeFirst()()
        }
        if complaint == nil { now = end }
    }

    // MARK: Clients

    func startClients() {
        for key in histories.indices { writeLater(key) }
        for _ in 0..<2 { readLater() }
    }

    private func writeLater(_ key: Int) {
        let pause = pace.pause(key)
        at(now + UInt64(generator.random(below: pause)) * Self.millisecond) { [unowned self] in startWrite(key) }
    }

    /// Now, beside what is to be written anyway.
    func writeAll(where isMeant: (Int) -> Bool = { _ in true }) {
        for key in histories.indices where isMeant(key) && !histories[key].isPending { startWrite(key, isExtra: true) }
    }

    private func startWrite(_ key: Int, isExtra: Bool = false) {
        guard isWriting else { return }
        func next() { if !isExtra { writeLater(key) } }
        guard !histories[key].isPending, !isFlushing else { return next() }
        // Mostly through the same proxy; where another has written last, only after the bound: before, it may act on
        // an old value.
        var choices = proxies.filter { $0.isAlive && $0.stopped == nil && $0.nextWays == nil && $0.start == .serving }
        if let last = histories[key].writes.last, last.ended == .max || last.ended + bound > now {
            choices.removeAll { $0.number != last.proxy }
        } else if let last = histories[key].writes.last, !generator.once(in: 4) {
            let same = choices.filter { $0.number == last.proxy }
            if !same.isEmpty { choices = same }
        }
        guard !choices.isEmpty else { return next() }
        let proxy = generator.pick(choices)
        writeNumber += 1
        let number = writeNumber
        let expiry = generator.pick([nil, nil, second + 3, second + 30])
        var operation: SimulatedProxy.Operation =
            switch generator.random(below: pace == .alike ? 1 : 10) {
            case 0 where pace == .alike: .set(expiry: nil)
            case 0...3: .set(expiry: expiry)
            case 4, 5: .delete
            case 6, 7: .touch(expiry: generator.pick([second + 2, second + 60]))
            default: .modify
            }
        // What a touch or a change leaves has to be known.
        switch operation {
        case .touch, .modify:
            if histories[key].settled?.value == nil { operation = .delete }
            // It may expire between one copy's answer and the next's.
            if (histories[key].settled?.expiry ?? .max) <= second + 2 { histories[key].mayBeMissed = true }
        case .set, .delete: break
        }
        let outcome = histories[key].outcome(of: operation, number: number)
        histories[key].begin(
            KeyHistory.Write(
                number: number, operation: operation, proxy: proxy.number, started: now, value: outcome.value,
                expiry: outcome.expiry), now: now)
        note("proxy \(proxy.index) key \(key) \(operation) as \(number) \(proxy.access(proxy.copies(of: key)))")
        var isOver = false
        proxy.write(operation, key, number: number) { [unowned self] verdict in
            isOver = true
            ended(key, number, verdict)
            if aim == .ends { dieAtEnd(proxy) }
            // The worst moment: what it knew of a missed write is only where it has published it.
            if proxy.markers.nodes.contains(where: \.hasMissed), generator.once(in: 60) { die(proxy.index) }
            next()
        }
        // The proxy may die and say nothing.
        at(now + 2_000 * Self.millisecond) { [unowned self] in
            guard !isOver, !proxy.isAlive else { return }
            ended(key, number, .failed)
            next()
        }
    }

    /// To the history of each key a flush is a delete.
    func beginFlush(by proxy: Int) -> Int {
        writeNumber += 1
        flushes += 1
        for key in histories.indices {
            histories[key].begin(
                KeyHistory.Write(number: writeNumber, operation: .delete, proxy: proxy, started: now), now: now)
        }
        return writeNumber
    }

    func ended(_ key: Int, _ number: Int, _ verdict: SimulatedProxy.Verdict) {
        if case .acknowledged = verdict { acknowledged += 1 }
        note("key \(key) write \(number) \(verdict)")
        let isSound = everyCopy(of: key).allSatisfy { !unsound.contains($0) }
        if let wrong = histories[key].end(number: number, verdict, now: now, isSound: isSound, bound: bound) {
            complain("\(wrong); key \(key), read by write \(number)")
        }
    }

    private func readLater() {
        at(now + UInt64(generator.random(below: 80)) * Self.millisecond) { [unowned self] in
            defer { readLater() }
            let choices = proxies.filter { $0.isAlive && $0.nextWays == nil }
            guard isWriting, !choices.isEmpty else { return }
            // One that is stopped answers when it goes on.
            let proxy = generator.pick(choices)
            let key = generator.random(below: histories.count)
            let (asked, from) = (now, second)
            at(now, of: proxy) { [unowned self] in read(key, through: proxy, asked: asked, from: from) }
        }
    }

    private func read(_ key: Int, through proxy: SimulatedProxy, asked: UInt64, from: Int64) {
        proxy.read(key) { [unowned self] item in
            reads += 1
            guard let item else {
                if let wrong = histories[key].checkMiss(asked: asked, second: second, bound: bound) {
                    complain("\(wrong); key \(key), read through proxy \(proxy.index)")
                }
                return
            }
            if let wrong = histories[key].check(
                value: item.value, flags: item.flags, asked: asked, proxy: proxy.number, second: from, bound: bound)
            {
                complain("\(wrong); key \(key), read through proxy \(proxy.index)")
            }
        }
    }

    // MARK: What can be relied on

    /// A fault touches the node, or it is revoked: keys with no sound copy left are exempt.
    func becameUnsound(_ node: Int) {
        unsound.insert(node)
        for key in histories.indices where isGroundless(key) { histories[key].isExempt = true }
    }

    /// By what stands on the nodes, or stood there before a flush of all.
    private func isProven(_ node: Int) -> Bool {
        let nodes = nodes.map { $0.unflushed(second: second) }
        guard nodes[node].isAlive, let token = nodes[node].ready(second) else { return false }
        return nodes.allSatisfy { peer in
            guard peer.index != node, peer.isAlive else { return true }
            let standing = peer.standing(of: node, second)
            if let standing, standing.isRevoked, standing.token == nil || standing.token == token { return false }
            return peer.ready(second) == nil || standing?.confirms(token) == true
        }
    }

    func review() {
        for node in nodes.indices {
            guard isProven(node) else {
                becameUnsound(node)
                continue
            }
            guard unsound.contains(node), activeFaults[node] == 0 else { continue }
            let agreed = proxies.allSatisfy {
                !$0.isAlive || $0.stopped != nil || $0.markers.access(node, now: now) == .full
            }
            if agreed { unsound.remove(node) }
        }
    }

    /// A node has carried out a request.
    func executed(_ request: NodeRequest, _ reply: NodeReply, at node: Int, by proxy: SimulatedProxy) {
        let name: ItemName
        switch request {
        case .set(let found, _, _): name = found
        case .delete(let found, _): name = found
        default: return
        }
        guard name >= 1000, case .done = reply else { return }
        if name == MarkerItem.filling.name, case .set(_, _, .always) = request { fillingSince[node] = now }
        review()
        if name == MarkerItem.ready.name, case .set = request {
            note("node \(node) ready, proven \(isProven(node))")
            if isProven(node) { checkFilled(node, by: proxy) }
        }
    }

    /// A node has just become readable.
    private func checkFilled(_ node: Int, by proxy: SimulatedProxy) {
        for key in histories.indices where proxy.copies(of: key).contains(node) && !histories[key].isExempt {
            let item = nodes[node].item(key, second: second)
            if let item,
                let wrong = histories[key].check(
                    value: item.value, flags: item.flags, asked: now, proxy: nil, second: second, bound: 0)
            {
                complain("\(wrong); key \(key) on node \(node), just filled")
            }
            let other = proxy.copies(of: key).first { $0 != node }!
            guard histories[key].settled != nil, !unsound.contains(other),
                let source = nodes[other].item(key, second: second), (source.expiry ?? .max) > second + 1
            else { continue }
            guard let item else {
                // What is modified meanwhile is a miss.
                if histories[key].lastActivity < fillingSince[node] {
                    complain("P1: key \(key) was not copied to node \(node)")
                }
                continue
            }
            let isFaithful =
                item.value == source.value && item.flags == source.flags
                && (item.expiry == nil) == (source.expiry == nil)
                && abs((item.expiry ?? 0) - (source.expiry ?? 0)) <= 3
            if !isFaithful { complain("P4: key \(key) on node \(node) is not as on \(other)") }
        }
    }

    /// All is quiet and whole: what do the nodes hold?
    func checkEnd() {
        for node in nodes.indices {
            for proxy in proxies where proxy.isAlive && proxy.markers.access(node, now: now) != .full {
                complain("L1: node \(node) does not come back for proxy \(proxy.index); endings \(endings)")
            }
        }
        checkMoved()
        for key in histories.indices where !histories[key].isExempt {
            let items = copies(of: key, in: told[0]).map { nodes[$0].item(key, second: second) }
            for item in items {
                guard let item else { continue }
                if let wrong = histories[key].check(
                    value: item.value, flags: item.flags, asked: now, proxy: nil, second: second, bound: 0)
                {
                    complain("\(wrong); key \(key) in the end")
                }
            }
            guard let last = histories[key].settled else { continue }
            let found = Set(items.compactMap { $0?.value })
            if found.count > 1 { complain("P5: key \(key) has values \(found)") }
            if last.value != nil, (last.expiry ?? .max) > second + 2, found.isEmpty, !histories[key].mayBeLost {
                complain("P1: key \(key) is lost")
            }
        }
    }
}
