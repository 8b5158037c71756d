internal import ProxyCore
internal import Reactor
internal import Sockets

/// Connections of the control thread to the nodes of a pool, over which each is asked the same again and again, in its own
/// time. Nodes go by their place in the pool.
final class NodePolls {
    private struct Row {
        var due: UInt64 = 0
        var isUnderWay = false
        /// When a connection that was lost is made again.
        var reconnectAt: UInt64 = 0
        var hasFailed = false
    }

    /// The pause before a lost connection is made again: whether the node is down is soon known.
    private static let reconnectPause: UInt64 = 100_000_000

    private unowned let control: Control
    /// The pool's first node among all nodes.
    private let first: Int
    /// Twice as often as it must be: a thread that the machine holds up for half a poll does not make a reading too old.
    let interval: UInt64
    private(set) var links: [MarkerLink] = []
    private var rows: [Row]
    /// Told of every connection that has ended.
    var lost: (Int, MarkerLink.Loss) -> Void = { _, _ in }

    /// - Parameter token: a bit that those of its connections have; nil as `MarkerLink` has it.
    init(_ control: Control, of pool: Pool, token: UInt64? = nil) {
        (self.control, first) = (control, pool.firstNode)
        let settings = pool.settings
        interval = max(settings.poll / 2, 1)
        rows = Array(repeating: Row(), count: settings.servers.count)
        for place in rows.indices {
            links.append(
                MarkerLink(
                    node: first + place, on: control.loop, timeout: settings.timeout,
                    connectTimeout: settings.connectTimeout, token: token.map { $0 | UInt64(first + place) },
                    lost: { [unowned self] in
                        ended(place, $0)
                        lost(place, $0)
                    }))
        }
    }

    /// A name that is not resolved yet says nothing of the node.
    private func address(of place: Int) -> SocketAddress? {
        control.isUp(first + place) ? control.addresses[first + place] : nil
    }

    /// In each turn of the loop, before commands are sent by `flush`.
    ///
    /// - Parameter poll: asks the node, and calls `answered` when all is answered.
    func work(_ poll: (Int) -> Void) {
        let now = control.loop.now
        for place in links.indices {
            links[place].expire(now: now)
            if links[place].state == .closed, now >= rows[place].reconnectAt, let address = address(of: place) {
                links[place].connect(to: address)
            }
            guard links[place].state == .open, !rows[place].isUnderWay, now >= rows[place].due else { continue }
            (rows[place].isUnderWay, rows[place].due) = (true, now + interval)
            poll(place)
        }
    }

    /// The same for who asks no more, and still waits for answers.
    func finish() { for link in links { link.expire(now: control.loop.now) } }

    func flush() { for link in links { link.flush() } }

    /// When `work` has something to do although nothing is ready.
    var nextTime: UInt64 {
        var next = deadline
        for place in links.indices {
            switch links[place].state {
            case .closed: if address(of: place) != nil { next = min(next, rows[place].reconnectAt) }
            case .connecting: break
            case .open: if !rows[place].isUnderWay { next = min(next, rows[place].due) }
            }
        }
        return next
    }

    /// The same for `finish`.
    var deadline: UInt64 { links.reduce(.max) { min($0, $1.deadline) } }

    /// - Returns: the node has failed since it answered last.
    func answered(_ place: Int) -> Bool {
        defer { (rows[place].isUnderWay, rows[place].hasFailed) = (false, false) }
        return rows[place].hasFailed
    }

    var areUnderWay: Bool { rows.contains(where: \.isUnderWay) }

    /// The next poll is due then, at the latest.
    func hurry(_ place: Int, to time: UInt64) { rows[place].due = min(rows[place].due, time) }

    /// A connection may be made again.
    func reconnect(_ place: Int) { rows[place].reconnectAt = control.loop.now }

    private func ended(_ place: Int, _ loss: MarkerLink.Loss) {
        let now = control.loop.now
        rows[place].isUnderWay = false
        // A node that was slow once is asked again at once.
        rows[place].reconnectAt = loss == .timeout && !rows[place].hasFailed ? now : now + Self.reconnectPause
        rows[place].hasFailed = true
    }
}
