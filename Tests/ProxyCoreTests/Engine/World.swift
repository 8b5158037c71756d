import Bytes
import DroverTesting
import ProxyCore
import Telemetry

/// An engine between clients and fake nodes, without sockets: what a worker does in a turn, on arrays.
///
/// Everything that a socket may do is a switch here: bytes come in pieces, sockets take only some bytes, nobody reads.
final class World {
    /// One end of a connection: bytes on their way to the engine, and those that it has left for later.
    struct End {
        var arriving = Arriving()
        var unread: [UInt8] = []
        /// What the engine has sent: a client's replies, a node's commands.
        var received: [UInt8] = []
        var isReading = true
        var isPaused = false
        var isOpen = true
        var hasEnded = false
        var node = 0
        /// Sent by the node and still under way.
        var delayed: [UInt8] = []
    }

    /// Bytes that are taken from the front, few at a time: none of the others is moved for that.
    struct Arriving {
        private var bytes: [UInt8] = []
        private var start = 0

        var count: Int { bytes.count - start }
        var isEmpty: Bool { count == 0 }

        mutating func take(_ count: Int) -> [UInt8] {
            let taken = Array(bytes[start..<(start + count)])
            start += count
            if isEmpty { self = Arriving() }
            return taken
        }

        static func += (left: inout Arriving, right: [UInt8]) { left.bytes += right }
    }

    let engine: Engine
    var nodes: [FakeNode]
    private(set) var clients: [UInt32: End] = [:]
    private(set) var links: [UInt32: End] = [:]
    /// Links that ever were, in order.
    private(set) var linksOpened = 0
    private(set) var reports: [NodeReport] = []
    private(set) var notices: [PoolNotice] = []
    /// Questions about missed writes that are not answered, and all that ever were.
    private(set) var misses: [MissedWrite] = []
    private(set) var missed: [MissedWrite] = []
    /// They are answered in the turn after.
    var answersMisses = true
    /// Requests for all workers' figures that are not answered.
    private(set) var figures: [UInt32] = []
    /// Keys that other engines have now and have not been told of.
    private(set) var handovers: [LockHandover] = []
    var now: UInt64 = 1_000_000_000
    /// When the engine wants to look at the time again.
    private(set) var nextLook = UInt64.max
    /// Which of `nodes` the engine means by a number.
    var server: (Int) -> Int = { $0 }
    /// Nodes that refuse connections.
    var refusing: Set<Int> = []
    /// Nil: all that there is moves at once. Else the most bytes that move at once, and the number is drawn.
    var mostBytes: Int?
    /// Nil: nodes answer at once. Else a node works off commands of one connection once in so many turns, some of them,
    /// and its replies arrive as late again: what two nodes are told in one order, they may do in another.
    var slowness: Int?
    private var generator: SeededGenerator

    init(
        nodes count: Int = 3, memory: Int = 64 << 20, rows: Int = 1 << 14, seed: UInt64 = 1,
        isUp: (Int) -> Bool = { _ in true },
        writes: WriteTable = WriteTable(), locks: WriteLocks = WriteLocks(workers: 1), number: Int = 0,
        change: (inout PoolSettings) -> Void = { _ in }
    ) {
        let list = (0..<count).map { NodeSettings(address: .tcp(host: "127.0.0.1", port: UInt16(11_211 + $0))) }
        var pool = PoolSettings(name: "test", listen: [], nodes: list)
        change(&pool)
        engine = Engine(
            Topology([pool], isUp: isUp), limits: Engine.Limits(memory: memory, clients: [1000], rows: rows),
            seed: seed, writes: writes, locks: locks, number: number)
        nodes = [FakeNode](repeating: FakeNode(), count: pool.allNodes.count)
        generator = SeededGenerator(seed: seed)
    }

    // MARK: - What tests do

    func connect() -> UInt32 {
        guard let id = engine.clientOpened(pool: 0) else { fatalError("the pool takes no more clients") }
        clients[id] = End()
        return id
    }

    /// A client that asks and does not read.
    func connectSlow(asking text: String) -> UInt32 {
        let id = connect()
        update(client: id) { $0.isReading = false }
        send(text, from: id)
        return id
    }

    func send(_ text: String, from id: UInt32) { clients[id]?.arriving += Array(text.utf8) }

    /// Sends, runs, and returns what came.
    func ask(_ text: String, from id: UInt32) -> String {
        send(text, from: id)
        run()
        return take(id)
    }

    /// What the client has received since the last call.
    func take(_ id: UInt32) -> String {
        defer { clients[id]?.received = [] }
        return String(decoding: clients[id]?.received ?? [], as: UTF8.self)
    }

    func update(client id: UInt32, _ body: (inout End) -> Void) { if clients[id] != nil { body(&clients[id]!) } }

    func isOpen(_ id: UInt32) -> Bool { clients[id]?.isOpen ?? false }

    func close(client id: UInt32) {
        guard clients[id]?.isOpen == true else { return }
        clients[id]?.isOpen = false
        clients[id]?.unread = []
        engine.clientClosed(id)
    }

    /// Answers every request for figures.
    func answerFigures(_ stats: [NodeStats]) {
        for request in figures { engine.answer(figures: request, stats) }
        figures = []
    }

    /// The questions about missed writes, for who answers them himself.
    func takeMisses() -> [MissedWrite] {
        defer { misses = [] }
        return misses
    }

    func takeHandovers() -> [LockHandover] {
        defer { handovers = [] }
        return handovers
    }

    /// Answers the questions about missed writes.
    func publish(isKept: Bool = true) {
        let answered = misses
        misses = []
        for miss in answered { engine.published(node: miss.node, round: miss.round, isKept: isKept) }
    }

    /// Bytes that the node says on its own, on the connection that was opened last.
    func inject(_ text: String, fromNode node: Int) {
        guard let id = links.filter({ $0.value.node == node }).keys.max() else { return }
        links[id]?.arriving += Array(text.utf8)
    }

    /// The node's connections end, as when it is killed.
    /// - Parameter landing: the node still does what was sent to it, and nobody hears of it.
    func breakLinks(to node: Int, landing: Bool = false) {
        for (id, end) in links.sorted(by: { $0.key < $1.key }) where end.node == node {
            if landing {
                var input = end.received
                _ = nodes[node].answer(&input)
                links[id]?.received = []
            }
            engine.linkLost(id, .connectionLost)
        }
    }

    /// Turns until nothing moves any more.
    func run() {
        for _ in 0..<1_000_000 where !turn() { return }
        fatalError("the world does not come to rest")
    }

    // MARK: - A turn

    /// Returns whether anything moved.
    @discardableResult
    func turn() -> Bool {
        engine.beginTurn(at: now)
        engine.unixTime = 0  // as the nodes' clocks
        var moved = false
        if answersMisses, !misses.isEmpty {
            publish()
            moved = true
        }
        for id in clients.keys.sorted() where receive(fromClient: id) { moved = true }
        for id in links.keys.sorted() where deliver(onLink: id) { moved = true }
        for id in links.keys.sorted() where receive(fromLink: id) { moved = true }
        _ = engine.tick()
        if writeAll() { moved = true }
        for id in links.keys.sorted() where answer(onLink: id) { moved = true }
        return moved
    }

    private func drawn(_ count: Int) -> Int {
        guard let mostBytes, count > 0 else { return count }
        return min(count, Int.random(in: 1...mostBytes, using: &generator))
    }

    private func receive(fromClient id: UInt32) -> Bool {
        guard let end = clients[id], end.isOpen, !end.isPaused, !end.arriving.isEmpty else { return false }
        let bytes = clients[id]?.arriving.take(drawn(end.arriving.count)) ?? []
        clients[id]?.unread += bytes
        offer(client: id)
        return true
    }

    private func offer(client id: UInt32) {
        guard let unread = clients[id]?.unread, !unread.isEmpty else { return }
        let used = unsafe engine.received(fromClient: id, unread.span.bytes)
        clients[id]?.unread.removeFirst(used)
        if engine.isEnding(client: id) { clients[id]?.unread = [] }
        clients[id]?.isPaused = engine.isWaiting(client: id) || engine.isEnding(client: id)
    }

    private func receive(fromLink id: UInt32) -> Bool {
        guard let end = links[id], end.isOpen, !end.isPaused, !end.arriving.isEmpty else { return false }
        let unread = end.unread + (links[id]?.arriving.take(drawn(end.arriving.count)) ?? [])
        let used = unsafe engine.received(fromLink: id, unread.span.bytes)
        links[id]?.unread = Array(unread.dropFirst(used))
        return true
    }

    private func writeAll() -> Bool {
        var moved = false
        repeat {
            engine.endReceiving()
            moved = grantWishes() || moved
            while let id = engine.work.links.pop() { moved = write(link: id) || moved }
            while let id = engine.work.closing.pop() {
                links[id] = nil
                engine.released(link: id)
            }
            while let id = engine.work.clients.pop() { moved = write(client: id) || moved }
            while let miss = engine.work.misses.pop() {
                misses.append(miss)
                missed.append(miss)
                moved = true
            }
        } while !engine.isDone(besides: unread) && !(engine.work.isEmpty && !relieve())
        nextLook = engine.endTurn()
        return moved
    }

    private func grantWishes() -> Bool {
        var moved = false
        var index = 0
        while index < engine.work.wishes.count {
            moved = grant(engine.work.wishes[index]) || moved
            index += 1
        }
        engine.work.wishes.removeAll()
        return moved
    }

    /// Whether there may be more to receive now.
    private func grant(_ wish: Wish) -> Bool {
        switch wish {
        case .open(let id): open(link: id)
        case .pause(let id): links[id]?.isPaused = true
        case .unpause(let id):
            links[id]?.isPaused = false
            return true
        case .resume(let id):
            feed(id)
            return true
        case .figures(let request): figures.append(request)
        case .report(let report): reports.append(report)
        case .notice(let notice): notices.append(notice)
        case .handOver(let handover): handovers.append(handover)
        }
        return false
    }

    private var unread: Int { clients.values.reduce(0) { $0 + $1.unread.count } }

    private func relieve() -> Bool {
        let count = (clients.keys.max().map { Int($0) } ?? -1) + 1
        return engine.relieve(besides: unread, among: count) { id in
            clients[id].flatMap { $0.isOpen ? $0.unread.count : nil }
        }
    }

    private func feed(_ id: UInt32) {
        guard clients[id]?.isOpen == true else { return }
        engine.resumed(client: id)
        clients[id]?.isPaused = false
        offer(client: id)
        if clients[id]?.hasEnded == true, !engine.isWaiting(client: id) { engine.clientEnded(id) }
    }

    private func open(link id: UInt32) {
        guard !engine.isClosed(link: id) else { return }
        let node = server(engine.node(ofLink: id))
        if refusing.contains(node) {
            engine.linkLost(id, .connectFailed)
            return
        }
        links[id] = End()
        links[id]?.node = node
        linksOpened += 1
        engine.linkConnected(id)
    }
}

/// The sending half.
extension World {
    private func write(link id: UInt32) -> Bool {
        let bytes = bytes(of: engine.beginSending(toLink: id))
        guard links[id] != nil else { return false }
        links[id]?.received += bytes
        if !bytes.isEmpty { _ = engine.sent(toLink: id, bytes.count) }
        return !bytes.isEmpty
    }

    private func write(client id: UInt32) -> Bool {
        let bytes = bytes(of: engine.beginSending(toClient: id).queue)
        // No copy of the end is held here: it would make a copy of all that the client has received.
        guard clients[id]?.isOpen == true, clients[id]?.isReading == true || bytes.isEmpty else { return false }
        clients[id]?.received += bytes
        if !bytes.isEmpty { _ = engine.sent(toClient: id, bytes.count) }
        if engine.isFinished(client: id) { close(client: id) }
        return !bytes.isEmpty
    }

    /// The client's socket takes bytes again.
    func startReading(_ id: UInt32) {
        update(client: id) { $0.isReading = true }
        _ = write(client: id)
    }

    private func answer(onLink id: UInt32) -> Bool {
        guard var input = links[id]?.received, !input.isEmpty, let node = links[id]?.node else { return false }
        if isLate, !nodes[node].isFrozen { return true }
        let before = input.count
        let reply = nodes[node].answer(&input, most: slowness == nil ? .max : 1 + drawn(from: 3))
        links[id]?.received = input
        if slowness == nil { links[id]?.arriving += reply } else { links[id]?.delayed += reply }
        return input.count != before
    }

    /// Replies that are under way arrive.
    private func deliver(onLink id: UInt32) -> Bool {
        guard let delayed = links[id]?.delayed, !delayed.isEmpty else { return false }
        if isLate { return true }
        links[id]?.arriving += delayed
        links[id]?.delayed = []
        return true
    }

    private var isLate: Bool { slowness.map { drawn(from: $0) > 0 } ?? false }

    private func drawn(from count: Int) -> Int { Int.random(in: 0..<count, using: &generator) }

    private func bytes(of queue: ByteQueue) -> [UInt8] {
        var bytes: [UInt8] = []
        engine.queues.forEachRun(of: queue) { run in
            unsafe run.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
            return true
        }
        return bytes
    }
}
