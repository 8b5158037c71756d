internal import Bytes
internal import Glibc
internal import ProxyCore
internal import Reactor
internal import Sockets
internal import Telemetry

/// One thread, one loop, one world: its own client and node connections, its own engine, its own counters.
///
/// A turn has two halves. First everything that is ready is read and given to the engine, which parses, routes and
/// scatters. Then everything that has piled up is written: one write per node and per client, whatever the number of
/// requests. No decision is made here; `Engine` makes them.
final class Worker {
    /// What a worker is made from, on its own thread.
    struct Plan: Sendable {
        var number: Int
        var topology: Topology
        var addresses: [SocketAddress?]
        var limits: Engine.Limits
        var seed: UInt64
        /// Of all workers.
        var writes: WriteTable
        var locks: WriteLocks
        var peers: [Mailbox<ToWorker>]
        var listeners: [PoolListener]
        var mailbox: Mailbox<ToWorker>
        var control: Mailbox<ToControl>
    }

    /// Bytes that one read may bring: as much as a busy node sends in a turn.
    static let scratchSize = 256 * 1024
    /// Chunks freed, 4 MiB, that are worth a look at all of the allocator's memory; and for how long no more must have been.
    private static let trimCount = 256
    private static let trimDelay: UInt64 = 5_000_000_000

    let loop = EventLoop()
    let engine: Engine
    let number: Int
    let mailbox: Mailbox<ToWorker>
    let control: Mailbox<ToControl>
    /// Of all workers, by number.
    let peers: [Mailbox<ToWorker>]
    var addresses: [SocketAddress?]
    var listeners: [ListenerRow] = []

    let clients = Stack<ClientRow>()
    let links = Stack<LinkRow>()
    var scratch = ReceiveBuffer(capacity: Worker.scratchSize)
    var leftovers = BufferPool(capacity: 4096)
    /// Bytes that `leftovers` may have: half of the worker's memory.
    let leftoverLimit: Int
    let vector = SendVector()

    var loopStats = LoopStats()
    /// When the engine wants to look at the time again; at first at once, so that it is told the date.
    private var nextTick: UInt64 = 0
    /// When listeners that ran out of descriptors are tried again.
    var listenAgain = UInt64.max
    var stopAt = UInt64.max
    /// When the allocator is asked to give up what it keeps.
    private var trimAt = UInt64.max
    private var isStopped = false

    init(_ plan: Plan) {
        number = plan.number
        engine = Engine(
            plan.topology, limits: plan.limits, seed: plan.seed, writes: plan.writes, locks: plan.locks,
            number: plan.number)
        leftoverLimit = plan.limits.memory / 2
        mailbox = plan.mailbox
        control = plan.control
        peers = plan.peers
        addresses = plan.addresses
        _ = loop.watchReadable(mailbox.descriptor, token: WatchToken(.mailbox, 0, 0).bits)
        for (index, listener) in plan.listeners.enumerated() { addListener(listener, index) }
    }

    func run() {
        while !isStopped {
            loop.turn(until: min(nextTick, listenAgain, stopAt, trimAt))
            loopStats.turns &+= 1
            if engine.isMistrustDue(at: loop.now) { beginLate() } else { engine.beginTurn(at: loop.now) }
            for index in 0..<loop.readyCount {
                let (token, what) = loop.ready(at: index)
                handle(WatchToken(bits: token), what)
            }
            if loop.now >= nextTick {
                engine.unixTime = Int64(time(nil))
                nextTick = engine.tick() ?? .max
            }
            if loop.now >= listenAgain { resumeListeners() }
            writeAll()
            nextTick = min(nextTick, engine.endTurn())
            considerTrimming()
            if stopAt != .max { considerStopping() }
        }
        finish()
    }

    /// Some pool's nodes are not to be used any more. But where this thread was held up, better news may be there, and wait
    /// to be read.
    @inline(never)
    private func beginLate() {
        let letters = mailbox.takeAll()
        for case .trusted(let pool, let time) in letters { engine.trust(pool: pool, until: time) }
        engine.beginTurn(at: loop.now)
        for message in letters { receive(message) }
    }

    /// Large values or a crowd of slow readers are over, and their memory goes back to the system. Not at once: while there
    /// are more of them, it would only be fetched again, page by page.
    @inline(__always)
    private func considerTrimming() {
        if engine.queues.chunks.returned >= Self.trimCount {
            engine.queues.chunks.forgetReturned()
            trimAt = loop.now + Self.trimDelay
        } else if loop.now >= trimAt {
            trimAt = .max
            FreeMemory.release()
        }
    }

    @inline(__always)
    private func handle(_ token: WatchToken, _ what: Readiness) {
        switch token.kind {
        case .client:
            let id = token.index
            guard clients[Int(id)].generation == token.generation, clients[Int(id)].socket.isOpen else { return }
            if what.contains(.readable) { read(client: id) }
            if what.contains(.writable) { write(client: id) }
        case .link:
            let id = token.index
            guard links[Int(id)].generation == token.generation, links[Int(id)].socket.isOpen else { return }
            if what.contains(.writable) { linkWritable(id) }
            if what.contains(.readable), links[Int(id)].socket.isOpen { read(link: id) }
        case .listener: accept(on: Int(token.index))
        case .mailbox: for message in mailbox.takeAll() { receive(message) }
        case .none: break
        }
    }

    /// The second half of a turn. What is written may wake clients that waited, whose requests are then written too.
    private func writeAll() {
        while true {
            engine.endReceiving()
            if !engine.work.wishes.isEmpty { grantWishes() }
            while let id = engine.work.links.pop() { write(link: id) }
            while let id = engine.work.closing.pop() { close(link: id) }
            while let id = engine.work.clients.pop() { write(client: id) }
            while let miss = engine.work.misses.pop() { control.send(.missed(worker: number, miss)) }
            if engine.isDone(besides: leftovers.bytesInUse) || engine.work.isEmpty && !relieve() { break }
        }
        if engine.takeMoved() { control.send(.moved(worker: number)) }
    }

    /// In their order, and those that they lead to.
    @inline(never)
    private func grantWishes() {
        var index = 0
        while index < engine.work.wishes.count {
            grant(engine.work.wishes[index])
            index += 1
        }
        engine.work.wishes.removeAll()
    }

    private func grant(_ wish: Wish) {
        switch wish {
        case .open(let id): open(link: id)
        case .pause(let id): pause(link: id)
        case .unpause(let id): unpause(link: id)
        case .resume(let id): feed(client: id)
        case .figures(let request): control.send(.figures(worker: number, request: request))
        case .report(let report): control.send(.report(report))
        case .notice(let notice): control.send(.notice(notice))
        case .handOver(let handover): peers[handover.worker].send(.granted(key: handover.key))
        }
    }

    @inline(never)
    private func relieve() -> Bool {
        engine.relieve(besides: leftovers.bytesInUse, among: clients.count) { id in
            let row = clients[Int(id)]
            guard row.socket.isOpen else { return nil }
            return row.leftover == BufferPool.none ? 0 : leftovers.with(row.leftover) { $0.capacity }
        }
    }

    // MARK: - Stopping

    private func receive(_ message: ToWorker) {
        switch message {
        case .adopt(let topology): engine.adopt(topology)
        case .move: engine.beginMoves()
        case .address(let node, let address):
            while addresses.count <= node { addresses.append(nil) }
            addresses[node] = address
        case .snapshot: sendSnapshot()
        case .published(let node, let round, let isKept):
            engine.published(node: node, round: round, isKept: isKept)
        case .granted(let key): engine.granted(key: key)
        case .trusted(let pool, let time): engine.trust(pool: pool, until: time)
        case .figures(let request, let stats): engine.answer(figures: request, stats)
        case .drain(let deadline): beginDraining(until: deadline)
        }
    }

    private func sendSnapshot() {
        loopStats.bufferBytes = engine.queues.memoryInUse + leftovers.bytesInUse
        var snapshot = WorkerSnapshot(loop: loopStats)
        for index in 0..<engine.poolStats.count { snapshot.pools.append(engine.poolStats[index]) }
        for index in 0..<engine.nodeStats.count { snapshot.nodes.append(engine.nodeStats[index]) }
        control.send(.snapshot(worker: number, snapshot))
    }

    private func beginDraining(until deadline: UInt64) {
        stopAt = deadline
        closeListeners()
        engine.hurryRepairs()
        for id in 0..<UInt32(clients.count) where clients[Int(id)].socket.isOpen { engine.drain(client: id) }
    }

    private func considerStopping() {
        isStopped = engine.clientCount == 0 && !engine.isRepairing || loop.now >= stopAt
    }

    /// Whoever is still connected at the deadline is cut off.
    private func finish() {
        let cutOff = engine.clientCount
        for id in 0..<UInt32(clients.count) where clients[Int(id)].socket.isOpen { close(client: id) }
        for id in 0..<UInt32(links.count) where links[Int(id)].socket.isOpen { links[Int(id)].socket.close() }
        sendSnapshot()
        control.send(.stopped(worker: number, cutOff: cutOff, unrepaired: engine.unrepaired))
    }
}

@available(*, unavailable, message: "a worker never leaves its thread")
extension Worker: Sendable {}
