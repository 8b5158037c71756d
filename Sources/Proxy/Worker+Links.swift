internal import Bytes
internal import ProxyCore
internal import Reactor
internal import Sockets
internal import Telemetry

/// Nodes' sockets.
extension Worker {
    func open(link id: UInt32) {
        guard !engine.isClosed(link: id) else { return }
        while links.count <= Int(id) { links.push(LinkRow()) }
        guard let address = addresses[engine.node(ofLink: id)] else {
            engine.linkLost(id, .connectFailed)
            return
        }
        let generation = links[Int(id)].generation &+ 1
        switch Socket.connect(to: address) {
        case .failed: engine.linkLost(id, .connectFailed)
        case .connected(let socket):
            links[Int(id)] = LinkRow(socket: socket, generation: generation)
            connected(id)
        case .underWay(let socket):
            let watch = loop.watchWritable(socket.descriptor, token: WatchToken(.link, id, generation).bits)
            links[Int(id)] = LinkRow(socket: socket, writeWatch: watch, generation: generation, isConnecting: true)
        }
    }

    private func connected(_ id: UInt32) {
        let row = links[Int(id)]
        links[Int(id)].readWatch = loop.watchReadable(
            row.socket.descriptor, token: WatchToken(.link, id, row.generation).bits)
        engine.linkConnected(id)
    }

    /// The attempt to connect is decided, or the socket takes bytes again.
    func linkWritable(_ id: UInt32) {
        loop.remove(links[Int(id)].writeWatch)
        links[Int(id)].writeWatch = .none
        guard links[Int(id)].isConnecting else {
            write(link: id)
            return
        }
        links[Int(id)].isConnecting = false
        if links[Int(id)].socket.takeError() != 0 {
            engine.linkLost(id, .connectFailed)
        } else {
            connected(id)
        }
    }

    func read(link id: UInt32) {
        loopStats.reads &+= 1
        let leftover = links[Int(id)].leftover
        let socket = links[Int(id)].socket
        let result: IOResult
        if leftover == BufferPool.none {
            result = socket.receive(into: &scratch)
            if case .bytes = result {
                scratch.offer { engine.received(fromLink: id, $0) }
                if !scratch.isEmpty { keepRest(ofLink: id) }
            }
        } else {
            result = leftovers.with(leftover) { buffer in
                guard buffer.makeRoom(limit: Self.scratchSize) else { return .closed }
                return socket.receive(into: &buffer)
            }
            if case .bytes = result { offerLeftover(ofLink: id) }
        }
        switch result {
        case .bytes, .wouldBlock: break
        case .closed, .failed: engine.linkLost(id, .connectionLost)
        }
    }

    /// Part of a reply line: it waits for the rest.
    private func keepRest(ofLink id: UInt32) {
        let leftover = leftovers.take()
        links[Int(id)].leftover = leftover
        leftovers.with(leftover) { $0.take(from: &scratch) }
    }

    private func offerLeftover(ofLink id: UInt32) {
        let leftover = links[Int(id)].leftover
        let engine = engine
        let isEmpty = leftovers.with(leftover) { buffer -> Bool in
            buffer.offer { engine.received(fromLink: id, $0) }
            return buffer.isEmpty
        }
        guard isEmpty else { return }
        links[Int(id)].leftover = BufferPool.none
        leftovers.giveBack(leftover)
    }

    func write(link id: UInt32) {
        // Of a link that has failed meanwhile there is nothing.
        var queue = engine.beginSending(toLink: id)
        // A write that failed may have moved its requests to a link that is still to be opened, this turn.
        guard Int(id) < links.count else { return }
        let row = links[Int(id)]
        guard row.socket.isOpen, !row.isConnecting, row.writeWatch == .none else { return }
        while !queue.isEmpty {
            loopStats.writes &+= 1
            switch row.socket.send(queue, in: engine.queues, with: vector) {
            case .bytes(let count):
                let isShort = count < queue.count && !vector.wasFull
                queue = engine.sent(toLink: id, count)
                guard isShort else { continue }
                awaitWritable(link: id)
            case .wouldBlock: awaitWritable(link: id)
            case .closed, .failed: engine.linkLost(id, .connectionLost)
            }
            return
        }
    }

    private func awaitWritable(link id: UInt32) {
        let row = links[Int(id)]
        links[Int(id)].writeWatch = loop.watchWritable(
            row.socket.descriptor, token: WatchToken(.link, id, row.generation).bits)
    }

    func pause(link id: UInt32) {
        guard !engine.isClosed(link: id) else { return }
        loop.pause(links[Int(id)].readWatch)
    }

    func unpause(link id: UInt32) {
        guard !engine.isClosed(link: id) else { return }
        loop.resume(links[Int(id)].readWatch)
    }

    /// With a reset: what was given up on must not land on the node later.
    func close(link id: UInt32) {
        if Int(id) < links.count, links[Int(id)].socket.isOpen {
            let row = links[Int(id)]
            loop.remove(row.readWatch)
            loop.remove(row.writeWatch)
            if row.leftover != BufferPool.none { leftovers.giveBack(row.leftover) }
            row.socket.reset()
            links[Int(id)] = LinkRow(generation: row.generation)
        }
        engine.released(link: id)
    }
}
