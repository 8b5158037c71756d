internal import Bytes
internal import ProxyCore
internal import Reactor
internal import Sockets

/// A connection to one node over which a lane's commands go: written together once a turn, answered in order.
final class ItemLink {
    private static let capacity = 128 * 1024

    let node: Int
    private let token: UInt64
    private let timeout: UInt64
    private let queues: ByteQueues
    private(set) var socket = Socket.none
    private var readWatch = Watch.none
    private var writeWatch = Watch.none
    private var isConnecting = false
    private(set) var problem: PassProblem?

    /// What is to be written, and the chunk that lines are written into.
    private var waiting = ByteQueue()
    private var open = OpenChunk()
    var received = ReceiveBuffer(capacity: ItemLink.capacity)
    /// Items whose replies are awaited, in order.
    private var awaited: [UInt32]
    private var first = 0
    private(set) var awaitedCount = 0
    /// Of a value that is being read, its CR LF included; whether anybody needs it; what its header said; and whether
    /// the CR was there.
    var valueLeft = 0
    var keepsValue = true
    var found = StoredItem.missing
    var hasCR = false
    /// By when the node has to be heard of.
    private(set) var deadline = UInt64.max

    /// - Parameters:
    ///   - depth: items under way at once: each has at most one command here.
    init(
        to node: Int, at address: SocketAddress?, timeout: UInt64, connectTimeout: UInt64, depth: Int,
        queues: ByteQueues, token: UInt64, on loop: EventLoop
    ) {
        self.node = node
        self.token = token
        self.timeout = timeout
        self.queues = queues
        awaited = Array(repeating: 0, count: depth)
        switch address.map({ Socket.connect(to: $0) }) {
        case .connected(let socket):
            self.socket = socket
            readWatch = loop.watchReadable(socket.descriptor, token: token)
        case .underWay(let socket):
            self.socket = socket
            isConnecting = true
            writeWatch = loop.watchWritable(socket.descriptor, token: token)
            deadline = loop.now.addingSaturated(connectTimeout)
        case .failed, nil: problem = .unreachable(node)
        }
    }

    /// With a reset: what was given up on must not land on the node later.
    func close(on loop: EventLoop) {
        loop.remove(readWatch)
        loop.remove(writeWatch)
        (readWatch, writeWatch) = (.none, .none)
        socket.reset()
        socket = .none
        queues.clear(&waiting)
        queues.close(&open)
        deadline = .max
    }

    func fail(_ problem: PassProblem) {
        if self.problem == nil { self.problem = problem }
    }

    func expire(now: UInt64) {
        if now >= deadline { fail(isConnecting ? .unreachable(node) : .silent(node)) }
    }

    // MARK: Commands

    /// - Parameters:
    ///   - line: with its CR LF.
    ///   - body: what follows it; it is taken over.
    func add(_ line: RawSpan, body: inout ByteQueue, of item: UInt32, now: UInt64) {
        if !queues.append(line, to: &waiting, through: &open) { fail(.memory) }
        queues.move(&body, behind: &waiting)
        precondition(awaitedCount < awaited.count)
        var place = first + awaitedCount
        if place >= awaited.count { place -= awaited.count }
        awaited[place] = item
        if awaitedCount == 0, !isConnecting { deadline = now.addingSaturated(timeout) }
        awaitedCount += 1
    }

    /// The item whose reply comes next. There must be one.
    var nextItem: UInt32 { awaited[first] }

    func answered() {
        awaitedCount -= 1
        first = first + 1 == awaited.count ? 0 : first + 1
    }

    // MARK: The socket

    /// What the node has sent is in `received`; false if there is nothing new, or it never will be.
    func receive(on loop: EventLoop) -> Bool {
        if isConnecting {
            becomeConnected(on: loop)
            return false
        }
        guard received.makeRoom(limit: Self.capacity) else {
            fail(.refused(node))
            return false
        }
        switch socket.receive(into: &received) {
        case .bytes: return true
        case .wouldBlock: return false
        case .closed, .failed:
            fail(.lost(node))
            return false
        }
    }

    /// After what was received is read: the node is given its time anew.
    func heard(now: UInt64) { deadline = awaitedCount > 0 ? now.addingSaturated(timeout) : .max }

    private func becomeConnected(on loop: EventLoop) {
        loop.remove(writeWatch)
        writeWatch = .none
        isConnecting = false
        guard socket.takeError() == 0 else { return fail(.unreachable(node)) }
        readWatch = loop.watchReadable(socket.descriptor, token: token)
        heard(now: loop.now)
    }

    /// The socket takes bytes again; what waits is written at the end of the turn.
    func becomeWritable(on loop: EventLoop) {
        if isConnecting { return becomeConnected(on: loop) }
        loop.remove(writeWatch)
        writeWatch = .none
    }

    func write(with vector: borrowing SendVector, on loop: EventLoop) {
        guard !isConnecting, writeWatch == .none, problem == nil else { return }
        while !waiting.isEmpty {
            switch socket.send(waiting, in: queues, with: vector) {
            case .bytes(let count):
                let isShort = count < waiting.count && !vector.wasFull
                queues.consume(count, from: &waiting)
                if isShort { return awaitWritable(on: loop) }
            case .wouldBlock: return awaitWritable(on: loop)
            case .closed, .failed: return fail(.lost(node))
            }
        }
        queues.rewind(&open)
    }

    private func awaitWritable(on loop: EventLoop) {
        writeWatch = loop.watchWritable(socket.descriptor, token: token)
    }
}
