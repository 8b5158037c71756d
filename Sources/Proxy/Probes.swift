internal import Bytes
internal import Reactor
internal import Sockets

/// Questions to nodes that are down: connect, ask for the version, wait for the answer. A frozen server connects and
/// takes the question, so only the answer counts.
struct Probes: ~Copyable {
    struct Result {
        var node: Int
        var isAnswered: Bool
    }

    private struct Probe {
        var node: Int
        var socket: Socket
        var watch: Watch
        var deadline: UInt64
        var hasAsked = false
        var outcome: Bool?
    }

    private var probes: [Probe] = []

    /// Tokens of probes have this bit and the node's number.
    static let token: UInt64 = 1 << 40

    var nextDeadline: UInt64 { probes.map(\.deadline).min() ?? .max }

    /// - Parameter address: nil when the node's name is not resolved: the probe fails at once.
    mutating func start(_ node: Int, at address: SocketAddress?, deadline: UInt64, on loop: EventLoop) {
        var probe = Probe(node: node, socket: .none, watch: .none, deadline: deadline)
        switch address.map({ Socket.connect(to: $0) }) {
        case .connected(let socket), .underWay(let socket):
            probe.socket = socket
            probe.watch = loop.watchWritable(socket.descriptor, token: Self.token | UInt64(node))
        case .failed, nil:
            probe.outcome = false
            probe.deadline = loop.now
        }
        probes.append(probe)
    }

    /// The socket of the node's probe is ready.
    mutating func ready(node: Int, _ what: Readiness, on loop: EventLoop) {
        guard let index = probes.firstIndex(where: { $0.node == node && $0.outcome == nil }) else { return }
        if !probes[index].hasAsked {
            loop.remove(probes[index].watch)
            probes[index].watch = .none
            guard probes[index].socket.takeError() == 0 else {
                probes[index].outcome = false
                return
            }
            probes[index].hasAsked = true
            probes[index].socket.sendOnce("version\r\n")
            probes[index].watch = loop.watchReadable(
                probes[index].socket.descriptor, token: Self.token | UInt64(node))
            return
        }
        var buffer = ReceiveBuffer(capacity: 256)
        switch probes[index].socket.receive(into: &buffer) {
        case .bytes: probes[index].outcome = buffer.unread.isEqual(to: "VERSION ", at: 0)
        case .wouldBlock: break
        case .closed, .failed: probes[index].outcome = false
        }
    }

    /// The probes that are decided, or out of time; they are forgotten.
    mutating func takeResults(now: UInt64, on loop: EventLoop) -> [Result] {
        var results: [Result] = []
        probes.removeAll { probe in
            guard probe.outcome != nil || now >= probe.deadline else { return false }
            loop.remove(probe.watch)
            probe.socket.reset()
            results.append(Result(node: probe.node, isAnswered: probe.outcome ?? false))
            return true
        }
        return results
    }
}
