internal import ProxyCore
internal import Reactor
internal import Sockets

/// The right to have a node list its items: two dumps of one node stop threads of it, and other proxies, and other pools,
/// have the same nodes. Held by an item on the node, for as long as the dump takes; that of a proxy that dies expires.
///
///     connecting ▶ asked ▶ held ⟲ renewed ▶ releasing ▶ free
///                    │ ▲     └▶ taken, lost
///                    ▼ │
///                  refused
///
/// On a connection of its own: the dump has the other.
final class DumpLease {
    enum State: Equatable {
        case connecting, asked, held, releasing, free
        /// Another has it; it is asked for again.
        case refused
        /// This one has run out while this thread stood still, and another has it.
        case taken
        /// The connection is.
        case lost
    }

    private(set) var state = State.connecting
    /// The last that was heard of it.
    private(set) var isRefused = false
    private var lease: Lease
    private let link: MarkerLink
    private let loop: EventLoop
    private let pause: UInt64
    private var nextTry: UInt64 = .max
    /// An answer is awaited.
    private var isSent = false

    /// - Parameters:
    ///   - pause: from one try to the next, in nanoseconds.
    ///   - token: of its watches.
    init(
        of node: Int, at address: SocketAddress?, timeout: UInt64, connectTimeout: UInt64, pause: UInt64,
        token: UInt64, on loop: EventLoop
    ) {
        var generator = SystemRandomNumberGenerator()
        lease = Lease(node: node, owner: Token(using: &generator), item: .dump)
        (self.loop, self.pause) = (loop, pause)
        link = MarkerLink(
            node: node, on: loop, timeout: timeout, connectTimeout: connectTimeout, token: token, lost: { _ in })
        link.connect(to: address)
    }

    /// When `turn` has to be called next.
    var nextTime: UInt64 { min(link.deadline, nextTry, state == .held ? lease.renewalTime : .max) }

    func ready(_ what: Readiness) { link.ready(what) }

    func turn(now: UInt64) {
        link.expire(now: now)
        switch state {
        case .connecting where link.state == .open: take()
        case .refused where now >= nextTry: take()
        case .held: if let command = lease.renewing(now: now) { send(command) }
        default: break
        }
        if link.state == .closed, state != .free { state = .lost }
        link.flush()
    }

    private func take() {
        (state, nextTry) = (.asked, .max)
        send(fresh().taking())
    }

    private func fresh() -> Lease {
        lease = Lease(node: lease.node, owner: lease.owner, item: .dump)
        return lease
    }

    private func send(_ command: MarkerCommand) {
        isSent = true
        link.send(command, names: []) { [unowned self] reply in
            isSent = false
            received(reply)
            if state == .releasing { giveBack() }
        }
    }

    private func received(_ reply: MarkerReply) {
        let wasHeld = lease.isHeld
        switch reply {
        case .done:
            lease.renewed(reply, now: loop.now)
            if state == .asked { state = .held }
        // It was flushed, evicted, or has run out.
        case .refused where wasHeld && state == .held: send(fresh().taking())
        case .refused where state == .held: state = .taken
        case .refused:
            _ = fresh()
            guard state == .asked else { return }
            (state, isRefused, nextTry) = (.refused, true, loop.now.addingSaturated(pause))
        // A node that can store nothing has to be dumped all the same.
        case .value, .missing, .failed:
            _ = fresh()
            if state == .asked, link.state == .open { state = .held }
        }
    }

    /// The dump is over; `free` when the node has heard of it.
    func release() {
        state = .releasing
        if !isSent { giveBack() }
    }

    private func giveBack() {
        guard lease.isHeld, link.state == .open else { return state = .free }
        link.send(lease.releasing(), names: []) { [unowned self] _ in state = .free }
    }

    /// Best effort, where nothing is waited for.
    func close() {
        if state == .held, lease.isHeld, !isSent {
            link.send(lease.releasing(), names: []) { _ in }
            link.flush()
        }
        link.fail()
    }
}

@available(*, unavailable, message: "it never leaves its thread")
extension DumpLease: Sendable {}
