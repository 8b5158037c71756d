internal import Bytes
internal import Reactor
internal import Sockets

extension LoadWorker {
    func connect(_ connection: LoadConnection) {
        switch Socket.connect(to: plan.target) {
        case .connected(let socket):
            connection.socket = socket
            opened(connection)
        case .underWay(let socket):
            connection.socket = socket
            connection.state = .connecting
            connection.writeWatch = loop.watchWritable(socket.descriptor, token: UInt64(connection.index))
        case .failed(let code):
            refused(connection, code)
        }
    }

    private func refused(_ connection: LoadConnection, _ code: Int32) {
        if !everConnected { news.send(.failed(code)) }
        connection.state = .closed
        connection.retryAt = loop.now + Self.retryInterval
    }

    private func opened(_ connection: LoadConnection) {
        connection.state = .open
        connection.readWatch = loop.watchReadable(connection.socket.descriptor, token: UInt64(connection.index))
        openConnections += 1
        if !everConnected, openConnections == connections.count {
            everConnected = true
            news.send(.connected)
        }
        if stage == .sending { fill(connection) }
    }

    /// What became ready on one connection, in one turn. An entry may be of a connection that this very turn has ended.
    func serve(_ connection: LoadConnection, _ what: Readiness) {
        switch connection.state {
        case .closed: return
        case .connecting:
            loop.remove(connection.writeWatch)
            connection.writeWatch = .none
            let code = connection.socket.takeError()
            guard code == 0 else {
                close(connection)
                return refused(connection, code)
            }
            opened(connection)
        case .open:
            if what.contains(.readable) { receive(connection) }
            if connection.state == .open, !connection.outbox.isEmpty { flush(connection) }
        }
    }

    /// One write of what is queued; the socket is watched for room only while some is left.
    func flush(_ connection: LoadConnection) {
        guard !connection.outbox.isEmpty else { return }
        switch connection.socket.send(connection.outbox, in: queues, with: vector) {
        case .bytes(let count):
            tally.bytesSent += count
            queues.consume(count, from: &connection.outbox)
        case .wouldBlock: break
        case .closed, .failed: return lose(connection, counted: true)
        }
        if connection.outbox.isEmpty {
            guard connection.writeWatch != .none else { return }
            loop.remove(connection.writeWatch)
            connection.writeWatch = .none
        } else if connection.writeWatch == .none {
            connection.writeWatch = loop.watchWritable(
                connection.socket.descriptor, token: UInt64(connection.index))
        }
    }

    /// Ends a connection with what was in flight on it; `retryLost` opens it again.
    func lose(_ connection: LoadConnection, counted: Bool) {
        guard connection.state == .open else { return }
        if counted { tally.lost += 1 }
        let lost = connection.forget(keeping: queues)
        tally.unanswered += lost
        inFlight -= lost
        openConnections -= 1
        close(connection)
        connection.retryAt = loop.now + Self.retryInterval
    }

    private func close(_ connection: LoadConnection) {
        loop.remove(connection.readWatch)
        loop.remove(connection.writeWatch)
        connection.readWatch = .none
        connection.writeWatch = .none
        connection.socket.close()
        connection.socket = .none
        connection.state = .closed
    }

    func retryLost() {
        guard openConnections < connections.count, everConnected else { return }
        for connection in connections where connection.state == .closed && loop.now >= connection.retryAt {
            connect(connection)
        }
    }

    func closeAll() {
        for connection in connections where connection.state != .closed { close(connection) }
    }
}
