public import Bytes
internal import MemcacheProtocol
internal import Telemetry

/// Clients: their coming and going, and their bytes on the way in.
extension Engine {
    /// A new connection; nil when the pool has as many as it may.
    public func clientOpened(pool: Int) -> UInt32? {
        guard !isDraining, clientCounts[pool] < limits.clients[pool] else {
            poolStats[pool].connectionsRefused &+= 1
            poolStats[pool].errors.count(.clientLimit)
            return nil
        }
        clientCounts[pool] += 1
        poolStats[pool].connections &+= 1
        poolStats[pool].connectionsTotal &+= 1
        return clients.take(Client(flags: .open, pool: UInt16(pool)))
    }

    /// Bytes of a client. Returns how many were used up; the rest must be offered again with what comes after, or,
    /// if `isWaiting`, when the client is on the `resuming` list.
    public func received(fromClient id: UInt32, _ bytes: RawSpan) -> Int {
        var offset = 0
        while offset < bytes.byteCount {
            if clients[id].bodyLeft > 0 {
                let taken = takeBody(of: id, bytes.extracting(droppingFirst: offset))
                offset += taken
                if taken == 0 { break }
                continue
            }
            guard mayProceed(id) else { break }
            let rest = bytes.extracting(droppingFirst: offset)
            switch parse(rest, of: id) {
            case .needMore: return offset
            case .refused(let refusal): offset += refuse(refusal, rest, from: id)
            case .request(let head):
                let used = begin(head, rest, from: id)
                if used == 0 {
                    clients[id].flags.insert(.waiting)
                    return offset
                }
                offset += used
            }
        }
        return offset
    }

    /// The client's unread bytes wait for something else than more bytes.
    public func isWaiting(client id: UInt32) -> Bool { clients[id].flags.contains(.waiting) }

    /// Nothing more is wanted from the client.
    public func isEnding(client id: UInt32) -> Bool {
        !clients[id].flags.isDisjoint(with: [.ending, .broken])
    }

    /// The client ended its side: what it asked before is still answered.
    public func clientEnded(_ id: UInt32) {
        if clients[id].bodyLeft > 0, !isWaiting(client: id) { abandonBody(of: id) }
        clients[id].flags.insert(.inputEnded)
        markDirty(client: id)
    }

    /// The connection is gone, or was closed by the shell. Replies still to come are thrown away; the row is free.
    public func clientClosed(_ id: UInt32) {
        if clients[id].bodyLeft > 0 { abandonBody(of: id) }
        let pool = Int(clients[id].pool)
        clientCounts[pool] -= 1
        poolStats[pool].connections &-= 1
        var slot = clients[id].first
        while slot != none {
            let next = requests[slot].next
            requests[slot].client = none
            queues.clear(&requests[slot].reply)
            if requests[slot].flags.contains(.done) { free(request: slot) }
            slot = next
        }
        queues.clear(&clients[id].output)
        clients[id].flags = []
        clients.free(id)
        resumePausedLinks()
    }

    // MARK: - Output

    /// What is to be sent to the client.
    public func output(ofClient id: UInt32) -> ByteQueue { clients[id].output }

    /// The client's socket took so many bytes.
    public func sent(toClient id: UInt32, _ count: Int) {
        queues.consume(count, from: &clients[id].output)
        poolStats[Int(clients[id].pool)].bytesOut &+= UInt64(count)
        if clients[id].flags.contains(.waiting) { considerResuming(id) }
        if !pausedLinks.isEmpty { resumePausedLinks() }
    }

    /// The shell has begun with the client's entry in `work.clients`.
    public func unmark(client id: UInt32) { clients[id].flags.remove(.dirty) }

    /// Everything asked is answered and sent, and nothing more is wanted: close it.
    public func isFinished(client id: UInt32) -> Bool {
        let client = clients[id]
        if client.flags.contains(.broken) { return client.output.isEmpty }
        guard client.depth == 0, client.output.isEmpty else { return false }
        return client.flags.contains(.ending) || client.flags.contains(.inputEnded) && !client.flags.contains(.waiting)
    }

    func markDirty(client id: UInt32) {
        guard !clients[id].flags.contains(.dirty) else { return }
        clients[id].flags.insert(.dirty)
        work.clients.push(id)
    }

    // MARK: - Flow

    /// Whether the client's next command may be looked at; if not, the client is marked as waiting.
    private func mayProceed(_ id: UInt32) -> Bool {
        let client = clients[id]
        guard client.flags.isDisjoint(with: [.ending, .broken]) else { return false }
        if isFree(client) { return true }
        if client.depth >= pipelineLimit(of: client) {
            if !client.flags.contains(.waiting) { poolStats[Int(client.pool)].errors.count(.pipelineLimit) }
        }
        clients[id].flags.insert(.waiting)
        return false
    }

    private func isFree(_ client: Client) -> Bool {
        client.depth < pipelineLimit(of: client) && client.output.count < Self.outputHighWater && client.blockers == 0
            && !client.flags.contains(.exclusive)
    }

    /// Puts a waiting client on the list to be fed again, once there is room for more than one request.
    func considerResuming(_ id: UInt32) {
        let client = clients[id]
        guard client.flags.contains(.waiting), client.flags.isDisjoint(with: [.resuming, .broken]) else { return }
        if client.bodyLeft > 0 {
            guard mayStreamMore(client) else { return }
        } else {
            guard client.flags.isDisjoint(with: [.ending, .exclusive]), client.blockers == 0,
                client.depth <= pipelineLimit(of: client) / 2, client.output.count <= Self.outputHighWater / 2
            else { return }
        }
        clients[id].flags.insert(.resuming)
        work.resuming.push(id)
    }

    /// The shell offers the waiting bytes again.
    public func resumed(client id: UInt32) {
        clients[id].flags.subtract([.waiting, .resuming])
    }

    /// From now on no client is taken.
    public func beginDraining() { isDraining = true }

    /// Takes nothing more from the client; it is finished when what it asked is answered.
    public func drain(client id: UInt32) {
        if clients[id].bodyLeft == 0 { clients[id].flags.insert(.ending) }
        markDirty(client: id)
    }

    /// Connections in use.
    public var clientCount: Int { clients.count }

    private func pipelineLimit(of client: Client) -> UInt32 {
        unsafe pools[Int(client.pool)]._withUnsafeGuaranteedRef { $0.pipelineLimit }
    }

    private func parse(_ bytes: RawSpan, of id: UInt32) -> RequestStep {
        unsafe pools[Int(clients[id].pool)]._withUnsafeGuaranteedRef {
            parser.parse(bytes, scan: &clients[id].scan, limits: $0.protocolLimits)
        }
    }
}
