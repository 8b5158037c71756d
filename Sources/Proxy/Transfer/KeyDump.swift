internal import Bytes
internal import MemcacheProtocol
internal import ProxyCore
internal import Reactor
internal import Sockets

/// Asks one node what a transfer has to know of it, and then for the list of its items, on a connection of its own.
///
///     connect ▶ stats ▶ stats settings ▶ (lease ▶ lru_crawler metadump ▶ items… ▶ END ▶ lease given back)
///
/// A dump is read as fast as it comes: while a reader stands still, memcached's threads do. One that stands still for
/// half a second is given up. While another dump of the node runs, whoever asked for it, this one waits.
final class KeyDump {
    private enum State { case connecting, stats, settings, leasing, waiting, asked, enabling, dumping, releasing, over }

    /// Its watches have the token that it is given, and the next.
    static let tokens: UInt64 = 2

    /// Nanoseconds without a line after which a dump that has begun is given up.
    static let patience: UInt64 = 500_000_000
    /// To the first line. Before 1.6.28 a node does not say that another dump runs, it waits; and each further try
    /// would stop one more of its threads.
    static let longWait: UInt64 = 10_000_000_000
    /// How long a busy node is asked again: somebody dumps it who takes no lease.
    static let busyLimit: UInt64 = 60_000_000_000
    /// From one try to take the lease to the next. It is tried for ever: who holds it renews it only while its dump gets
    /// on.
    static let leasePause: UInt64 = 250_000_000
    private static let capacity = 256 * 1024
    /// Lines that make no sense; each may be an item that is not copied.
    private static let garbageLimit = 1000

    let node: Int
    private let timeout: UInt64
    private let connectTimeout: UInt64
    private let address: SocketAddress?
    private var lease: DumpLease?
    /// Nil: only what is to be known of the node.
    private let servesReads: Bool?
    private let token: UInt64

    private var state = State.connecting
    private var socket = Socket.none
    private var watch = Watch.none
    private var buffer = ReceiveBuffer(capacity: KeyDump.capacity)
    private var key = LineBuffer()
    private var deadline: UInt64
    private var began: UInt64 = 0
    private var pause: UInt64 = 50_000_000
    private var hasEnabled = false
    private var garbage = 0
    private(set) var facts = NodeFacts()
    /// The node's clock is so many seconds ahead of the monotonic one.
    private(set) var clock: Int64 = 0
    private(set) var problem: PassProblem?

    var isOver: Bool { state == .over }
    var progress: PassProgress.Stage {
        state == .waiting || state == .leasing && lease?.isRefused == true ? .waiting : .listing
    }
    /// When `turn` has to be called next.
    var wakeup: UInt64 { isOver ? .max : min(deadline, lease?.nextTime ?? .max) }

    /// - Parameters:
    ///   - servesReads: clients read from the node; nil asks for no dump.
    ///   - token: the first of its `tokens`.
    init(
        of node: Int, at address: SocketAddress?, servesReads: Bool?, settings: PoolSettings, token: UInt64,
        on loop: EventLoop
    ) {
        (self.node, self.address) = (node, address)
        self.servesReads = servesReads
        self.token = token
        timeout = settings.timeout
        connectTimeout = settings.connectTimeout
        deadline = loop.now.addingSaturated(settings.connectTimeout)
        switch address.map({ Socket.connect(to: $0) }) {
        case .connected(let socket), .underWay(let socket):
            self.socket = socket
            watch = loop.watchWritable(socket.descriptor, token: token)
        case .failed, nil: end(.unreachable(node), on: loop)
        }
    }

    func close(on loop: EventLoop) { end(nil, on: loop) }

    private func end(_ problem: PassProblem?, on loop: EventLoop) {
        guard state != .over else { return }
        state = .over
        self.problem = problem
        lease?.close()
        lease = nil
        loop.remove(watch)
        watch = .none
        socket.reset()
        socket = .none
    }

    /// The time has come that `wakeup` named.
    func turn(on loop: EventLoop) {
        if let lease { turn(lease, on: loop) }
        guard !isOver, loop.now >= deadline else { return }
        switch state {
        case .connecting: end(.unreachable(node), on: loop)
        case .stats, .settings, .enabling: end(.silent(node), on: loop)
        case .waiting: ask(on: loop)
        case .asked, .dumping: end(.dumpStalled(node), on: loop)
        case .leasing, .releasing, .over: break
        }
    }

    private func turn(_ lease: DumpLease, on loop: EventLoop) {
        lease.turn(now: loop.now)
        switch (state, lease.state) {
        case (.releasing, .free), (.releasing, .lost): end(nil, on: loop)
        case (.leasing, .held): ask(on: loop)
        case (_, .taken): end(.busy(node), on: loop)
        case (_, .lost): end(.lost(node), on: loop)
        default: break
        }
    }

    /// - Parameters:
    ///   - offset: of the watch's among its `tokens`.
    ///   - take: gets each item, with its key.
    func ready(_ offset: UInt64, _ what: Readiness, on loop: EventLoop, _ take: (DumpedItem, RawSpan) -> Void) {
        guard !isOver else { return }
        if offset == 1 {
            lease?.ready(what)
            return
        }
        if state == .connecting {
            loop.remove(watch)
            watch = .none
            guard socket.takeError() == 0 else { return end(.unreachable(node), on: loop) }
            watch = loop.watchReadable(socket.descriptor, token: token)
            return send("stats\r\n", .stats, for: timeout, on: loop)
        }
        // Twice, so that what has come meanwhile waits no longer than it must.
        for _ in 0..<2 {
            switch socket.receive(into: &buffer) {
            case .bytes: if state == .dumping { deadline = loop.now.addingSaturated(Self.patience) }
            case .wouldBlock: return
            case .closed, .failed: return end(.lost(node), on: loop)
            }
            readAll(on: loop, take)
            if isOver { return }
            if !buffer.makeRoom(limit: Self.capacity) { return end(.refused(node), on: loop) }
        }
    }

    private func send(_ text: StaticString, _ next: State, for time: UInt64, on loop: EventLoop) {
        socket.sendOnce(text)
        state = next
        deadline = loop.now.addingSaturated(time)
    }

    private func takeLease(on loop: EventLoop) {
        guard servesReads != nil else { return end(nil, on: loop) }
        let lease = DumpLease(
            of: node, at: address, timeout: max(timeout, Self.patience), connectTimeout: connectTimeout,
            pause: Self.leasePause, token: token + 1, on: loop)
        self.lease = lease
        (state, deadline) = (.leasing, .max)
        turn(lease, on: loop)
    }

    private func ask(on loop: EventLoop) {
        guard let servesReads else { return end(nil, on: loop) }
        if began == 0 { began = loop.now }
        send(facts.dump(servesReads: servesReads).command, .asked, for: Self.longWait, on: loop)
    }

    // MARK: Replies

    private func readAll(on loop: EventLoop, _ take: (DumpedItem, RawSpan) -> Void) {
        buffer.offer { bytes in
            var start = 0
            while !isOver, start < bytes.byteCount {
                let rest = bytes.extracting(start..<bytes.byteCount)
                guard
                    let length = state == .stats || state == .settings
                        ? readStat(rest, on: loop) : readLine(rest, on: loop, take)
                else { break }
                start += length
            }
            return start
        }
    }

    /// The length of what was read; nil if there is nothing whole.
    private func readStat(_ bytes: RawSpan, on loop: EventLoop) -> Int? {
        switch ReplyParser.parse(bytes, for: .stats) {
        case .needMore: return nil
        case .stat(let length):
            facts.read(bytes.extracting(0..<length))
            return length
        case .end(let length):
            if state == .stats { statsEnded(on: loop) } else { settingsEnded(on: loop) }
            return length
        default:
            end(.refused(node), on: loop)
            return nil
        }
    }

    private func statsEnded(on loop: EventLoop) {
        guard let time = facts.unixTime else { return end(.refused(node), on: loop) }
        clock = time - Int64(loop.now / 1_000_000_000)
        if facts.isTooOld { return end(.tooOld(node), on: loop) }
        send("stats settings\r\n", .settings, for: timeout, on: loop)
    }

    private func settingsEnded(on loop: EventLoop) {
        if !facts.keepsCAS { return end(.withoutCAS(node), on: loop) }
        takeLease(on: loop)
    }

    private func readLine(_ bytes: RawSpan, on loop: EventLoop, _ take: (DumpedItem, RawSpan) -> Void) -> Int? {
        guard let newline = bytes.firstNewline(from: 0) else {
            if bytes.byteCount > DumpLine.limit { end(.refused(node), on: loop) }
            return nil
        }
        let line = DumpLine.parse(bytes.extracting(0..<newline), key: &key)
        if case .item(let item) = line, state == .asked || state == .dumping {
            if state == .asked {
                state = .dumping
                deadline = loop.now.addingSaturated(Self.patience)
            }
            key.withBytes { take(item, $0) }
        } else {
            answered(line, on: loop)
        }
        return newline + 1
    }

    private func answered(_ line: DumpLine, on loop: EventLoop) {
        switch (state, line) {
        case (.asked, .ok): deadline = loop.now.addingSaturated(Self.longWait)
        case (.asked, .end), (.dumping, .end):
            (state, deadline) = (.releasing, .max)
            lease?.release()
        case (.asked, .busy): wait(on: loop)
        case (.asked, .disabled):
            if hasEnabled { return end(.crawlerDisabled(node), on: loop) }
            hasEnabled = true
            send("lru_crawler enable\r\n", .enabling, for: timeout, on: loop)
        case (.asked, .notAllowed): end(.dumpNotAllowed(node), on: loop)
        case (.enabling, .ok): ask(on: loop)
        case (.enabling, _): end(.crawlerDisabled(node), on: loop)
        case (.dumping, .garbled):
            // On a node whose items are stale every one counts; of others one is missed.
            garbage += 1
            if servesReads != true || garbage > Self.garbageLimit { end(.refused(node), on: loop) }
        default: end(.refused(node), on: loop)
        }
    }

    private func wait(on loop: EventLoop) {
        guard loop.now - began < Self.busyLimit else { return end(.busy(node), on: loop) }
        state = .waiting
        deadline = loop.now.addingSaturated(pause)
        pause = min(pause * 2, 2_000_000_000)
    }
}
