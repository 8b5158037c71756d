internal import Bytes
internal import Reactor
internal import Sockets

/// A request that waits for its reply.
struct Pending {
    enum Kind { case get, set }

    var kind: Kind
    /// The draw that tells its keys; in the prefill, the key itself.
    var seed: UInt64
    /// Monotonic nanoseconds: when it was sent or, in open loop, should have been.
    var due: UInt64
}

/// One connection to the target: its requests in flight, oldest first, and how far the reply in progress is.
final class LoadConnection {
    enum State { case closed, connecting, open }

    /// What the next bytes are.
    enum Expecting {
        case line
        /// The rest of key `number`'s value and of the CR LF behind it.
        case value(number: Int, offset: Int, left: Int)
    }

    let index: Int
    var state = State.closed
    var socket = Socket.none
    var readWatch = Watch.none
    var writeWatch = Watch.none
    /// When a lost connection is tried again.
    var retryAt: UInt64 = 0

    var inbox: ReceiveBuffer
    var outbox = ByteQueue()

    var expecting = Expecting.line
    /// Values of the oldest request that have come, and the position in it of the next that may.
    var served = 0
    var nextPosition = 0

    private var ring: [Pending]
    private var head = 0
    private(set) var inFlight = 0
    /// Stands in the list of connections that may send.
    var isListed = false

    init(index: Int, depth: Int, inboxSize: Int) {
        self.index = index
        inbox = ReceiveBuffer(capacity: inboxSize)
        ring = Array(repeating: Pending(kind: .get, seed: 0, due: 0), count: depth)
    }

    var hasRoom: Bool { inFlight < ring.count }
    var oldest: Pending { ring[head] }

    func push(_ pending: Pending) {
        var place = head + inFlight
        if place >= ring.count { place -= ring.count }
        ring[place] = pending
        inFlight += 1
    }

    func pop() {
        head = head + 1 == ring.count ? 0 : head + 1
        inFlight -= 1
        served = 0
        nextPosition = 0
    }

    /// Forgets all that was in flight; returns how much that was.
    func forget(keeping queues: borrowing ByteQueues) -> Int {
        let lost = inFlight
        inFlight = 0
        served = 0
        nextPosition = 0
        expecting = .line
        inbox.consume(inbox.count)
        queues.clear(&outbox)
        return lost
    }
}
