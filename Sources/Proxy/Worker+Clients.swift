internal import Bytes
internal import MemcacheProtocol
internal import ProxyCore
internal import Reactor
internal import Sockets
internal import Telemetry

/// Clients' sockets.
extension Worker {
    func add(client socket: Socket, pool: Int) {
        guard let id = engine.clientOpened(pool: pool) else {
            socket.sendOnce(ReplyText.tooManyClients.bytes)
            socket.close()
            return
        }
        while clients.count <= Int(id) { clients.push(ClientRow()) }
        let generation = clients[Int(id)].generation &+ 1
        let watch = loop.watchReadable(socket.descriptor, token: WatchToken(.client, id, generation).bits)
        clients[Int(id)] = ClientRow(socket: socket, readWatch: watch, generation: generation)
    }

    @inline(__always)
    func read(client id: UInt32) {
        loopStats.reads &+= 1
        let leftover = clients[Int(id)].leftover
        guard leftover == BufferPool.none else {
            readMore(client: id, leftover)
            return
        }
        switch clients[Int(id)].socket.receive(into: &scratch) {
        case .bytes:
            scratch.offer { engine.received(fromClient: id, $0) }
            if !scratch.isEmpty { keepRest(ofClient: id) }
        case .wouldBlock: break
        case .closed: end(client: id)
        case .failed: close(client: id)
        }
    }

    /// Part of a command came before: read behind it.
    private func readMore(client id: UInt32, _ leftover: UInt32) {
        let socket = clients[Int(id)].socket
        let limit = leftovers.bytesInUse < leftoverLimit ? Self.longestLine : 0
        let result = leftovers.with(leftover) { buffer -> IOResult? in
            guard buffer.makeRoom(limit: limit) else { return nil }
            return socket.receive(into: &buffer)
        }
        switch result {
        case .bytes: offerLeftover(ofClient: id)
        case .wouldBlock: break
        case .closed: end(client: id)
        case .failed: close(client: id)
        case nil: closeForMemory(client: id)
        }
    }

    /// Room for the longest line that the parser waits for, and a read behind it.
    private static var longestLine: Int { 2 << 20 }

    private func offerLeftover(ofClient id: UInt32) {
        let leftover = clients[Int(id)].leftover
        let engine = engine
        let isEmpty = leftovers.with(leftover) { buffer -> Bool in
            buffer.offer { engine.received(fromClient: id, $0) }
            return buffer.isEmpty
        }
        if isEmpty || engine.isEnding(client: id) { dropLeftover(ofClient: id) }
        considerPausing(client: id)
    }

    private func keepRest(ofClient id: UInt32) {
        defer { scratch.consume(scratch.count) }
        if !engine.isEnding(client: id) {
            guard leftovers.bytesInUse + scratch.count <= leftoverLimit else {
                closeForMemory(client: id)
                return
            }
            let leftover = leftovers.take()
            clients[Int(id)].leftover = leftover
            leftovers.with(leftover) { $0.take(from: &scratch) }
        }
        considerPausing(client: id)
    }

    private func closeForMemory(client id: UInt32) {
        engine.ranOut(client: id)
        close(client: id)
    }

    private func dropLeftover(ofClient id: UInt32) {
        let leftover = clients[Int(id)].leftover
        guard leftover != BufferPool.none else { return }
        clients[Int(id)].leftover = BufferPool.none
        leftovers.giveBack(leftover)
    }

    /// Does not read a client whose bytes could not be used now.
    private func considerPausing(client id: UInt32) {
        let shouldPause = engine.isWaiting(client: id) || engine.isEnding(client: id) || clients[Int(id)].hasEnded
        guard shouldPause != clients[Int(id)].isPaused else { return }
        clients[Int(id)].isPaused = shouldPause
        if shouldPause { loop.pause(clients[Int(id)].readWatch) } else { loop.resume(clients[Int(id)].readWatch) }
    }

    /// The engine takes the client's bytes again.
    func feed(client id: UInt32) {
        guard clients[Int(id)].socket.isOpen else { return }
        engine.resumed(client: id)
        if clients[Int(id)].leftover != BufferPool.none {
            offerLeftover(ofClient: id)
        } else {
            considerPausing(client: id)
        }
        if clients[Int(id)].hasEnded, !engine.isWaiting(client: id) { engine.clientEnded(id) }
    }

    /// The client sends nothing more; what it sent is still answered.
    private func end(client id: UInt32) {
        clients[Int(id)].hasEnded = true
        engine.clientEnded(id)
        considerPausing(client: id)
    }

    /// Sends what is queued, in one write if it fits one vector.
    @inline(__always)
    func write(client id: UInt32) {
        var (queue, isLeaving) = engine.beginSending(toClient: id)
        let (socket, writeWatch) = (clients[Int(id)].socket, clients[Int(id)].writeWatch)
        guard socket.isOpen else { return }
        while !queue.isEmpty {
            loopStats.writes &+= 1
            switch socket.send(queue, in: engine.queues, with: vector) {
            case .bytes(let count):
                let isShort = count < queue.count && !vector.wasFull
                queue = engine.sent(toClient: id, count)
                guard isShort else { continue }
                awaitWritable(client: id)
            case .wouldBlock: awaitWritable(client: id)
            case .closed, .failed: close(client: id)
            }
            return
        }
        if writeWatch != .none {
            loop.remove(writeWatch)
            clients[Int(id)].writeWatch = .none
        }
        if isLeaving { considerClosing(client: id) }
    }

    private func considerClosing(client id: UInt32) {
        if engine.isFinished(client: id) {
            close(client: id)
        } else if engine.isEnding(client: id) {
            considerPausing(client: id)
        }
    }

    private func awaitWritable(client id: UInt32) {
        guard clients[Int(id)].writeWatch == .none else { return }
        let row = clients[Int(id)]
        clients[Int(id)].writeWatch = loop.watchWritable(
            row.socket.descriptor, token: WatchToken(.client, id, row.generation).bits)
    }

    func close(client id: UInt32) {
        let row = clients[Int(id)]
        guard row.socket.isOpen else { return }
        dropLeftover(ofClient: id)
        loop.remove(row.readWatch)
        loop.remove(row.writeWatch)
        row.socket.close()
        clients[Int(id)] = ClientRow(generation: row.generation)
        engine.clientClosed(id)
    }
}
