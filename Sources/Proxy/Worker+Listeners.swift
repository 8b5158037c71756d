internal import Reactor
internal import Sockets

/// A listening socket and the pool whose clients come to it.
struct PoolListener: Sendable {
    var pool: Int
    var listener: Listener
    /// Each worker has a socket of its own; a Unix socket is one for all, and is closed by the last.
    var isShared: Bool
}

struct ListenerRow {
    var pool: Int
    var listener: Listener
    var isShared: Bool
    var watch: Watch
}

/// Listening: each worker accepts for itself.
extension Worker {
    /// Connections taken in one turn, so that a flood of them does not starve the others.
    private static var acceptBatch: Int { 64 }

    func addListener(_ listener: PoolListener, _ index: Int) {
        let watch = loop.watchReadable(
            listener.listener.socket.descriptor, token: WatchToken(.listener, UInt32(index), 0).bits)
        listeners.append(
            ListenerRow(pool: listener.pool, listener: listener.listener, isShared: listener.isShared, watch: watch))
    }

    func accept(on index: Int) {
        guard index < listeners.count else { return }
        for _ in 0..<Self.acceptBatch {
            switch listeners[index].listener.accept() {
            case .client(let socket): add(client: socket, pool: listeners[index].pool)
            case .none: return
            case .failed:
                // Most likely out of descriptors: trying again at once would only spin.
                for row in listeners { loop.pause(row.watch) }
                listenAgain = loop.now + 100_000_000
                return
            }
        }
    }

    func resumeListeners() {
        listenAgain = .max
        for row in listeners { loop.resume(row.watch) }
    }

    func closeListeners() {
        listenAgain = .max
        for row in listeners {
            loop.remove(row.watch)
            if !row.isShared { row.listener.socket.close() }
        }
        listeners = []
    }
}
