public import Bytes
internal import MemcacheProtocol
internal import Telemetry

/// Clients: their coming and going, and their bytes on the way in.
extension Engine {
    /// A new connection; nil when the pool has as many as it may.
    public func clientOpened(pool: Int) -> UInt32? {
        guard clientCounts[pool] < limits.clients[pool] else {
            poolStats[pool].connectionsRefused &+= 1
            poolStats[pool].errors.count(.clientLimit)
            return nil
        }
        clientCounts[pool] += 1
        poolStats[pool].connections &+= 1
        poolStats[pool].connectionsTotal &+= 1
        var flags = Client.Flags.open
        if hasCopies(pool: UInt16(pool)) { flags.insert(.copies) }
        if owned[pool].tagsAlways { flags.insert(.tagged) }
        if readsElsewhere(pool: UInt16(pool)) { flags.insert(.readsElsewhere) }
        if changes[pool].isUnderWay { flags.insert(.held) }
        return clients.take(
            Client(pipelineLimit: owned[pool].pipelineLimit, flags: flags, pool: UInt16(pool)))
    }

    /// Bytes of a client. Returns how many were used up; the rest must be offered again with what comes after, or,
    /// if `isWaiting`, when there is a wish to resume the client.
    public func received(fromClient id: UInt32, _ bytes: RawSpan) -> Int {
        if isCheckDue { considerCheck(of: id, bytes) }
        var offset = 0
        while offset < bytes.byteCount {
            let rest = bytes.extracting(droppingFirst: offset)
            let used = clients[id].bodyLeft > 0 ? takeBody(of: id, rest) : takeCommand(rest, of: id)
            if used == 0 { break }
            offset &+= used
        }
        poolStats[Int(clients[id].pool)].bytesIn &+= UInt64(offset)
        return offset
    }

    /// Takes the command at the start of `bytes`. 0 when it is not all there, or may not be looked at yet.
    @inline(__always)
    private func takeCommand(_ bytes: RawSpan, of id: UInt32) -> Int {
        guard mayProceed(id) else { return 0 }
        let step = unsafe pools[Int(clients[id].pool)]._withUnsafeGuaranteedRef {
            parser.parse(bytes, scan: &clients[id].scan, limits: $0.protocolLimits)
        }
        switch step {
        case .needMore: return 0
        case .refused(let refusal): return refuse(refusal, bytes, from: id)
        case .request(let head):
            let used = begin(head, bytes, from: id)
            if used == 0 { clients[id].flags.insert(.waiting) }
            return used
        }
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
        var slot = clients[id].flags.contains(.broken) ? clients[id].abandoned : clients[id].first
        while slot != none {
            let next = requests[slot].next
            requests[slot].client = none
            queues.clear(&requests[slot].reply)
            if requests[slot].flags.contains(.done), !requests[slot].flags.contains(.fanned) { free(request: slot) }
            slot = next
        }
        queues.clear(&clients[id].output)
        clients[id].flags = []
        clients.free(id)
        resumePausedLinks()
    }

    // MARK: - Output

    /// What is to be sent to the client, and whether the client may be finished, or ending, when it is: nearly none
    /// is. The shell has taken its entry off `work.clients`.
    public func beginSending(toClient id: UInt32) -> (queue: ByteQueue, isLeaving: Bool) {
        clients.update(id) {
            $0.flags.remove(.dirty)
            return ($0.output, !$0.flags.isDisjoint(with: [.ending, .broken, .inputEnded]))
        }
    }

    /// The client's socket took so many bytes. Returns what is left.
    public func sent(toClient id: UInt32, _ count: Int) -> ByteQueue {
        let (pool, isWaiting, left) = clients.update(id) {
            queues.consume(count, from: &$0.output)
            return ($0.pool, $0.flags.contains(.waiting), $0.output)
        }
        poolStats[Int(pool)].bytesOut &+= UInt64(count)
        if isWaiting { considerResuming(id) }
        if !pausedLinks.isEmpty { resumePausedLinks() }
        return left
    }

    /// Everything asked is answered and sent, and nothing more is wanted: close it.
    public func isFinished(client id: UInt32) -> Bool {
        let client = clients[id]
        if client.flags.contains(.broken) { return client.output.isEmpty }
        guard client.depth == 0, client.output.isEmpty else { return false }
        return client.flags.contains(.ending) || client.flags.contains(.inputEnded) && !client.flags.contains(.waiting)
    }

    @inline(__always)
    func markDirty(client id: UInt32) {
        guard !clients[id].flags.contains(.dirty) else { return }
        clients[id].flags.insert(.dirty)
        work.clients.push(id)
    }

    // MARK: - Flow

    /// Whether the client's next command may be looked at; if not, the client is marked as waiting.
    @inline(__always)
    private func mayProceed(_ id: UInt32) -> Bool {
        let client = clients[id]
        let isFree =
            client.flags.isDisjoint(with: [.ending, .broken, .exclusive, .held]) && client.depth < client.pipelineLimit
            && client.output.count < Self.outputHighWater && client.blockers == 0
            && (client.depth == 0 || hasRoom)
        return isFree || beginWaiting(id)
    }

    /// Always false.
    @inline(never)
    private func beginWaiting(_ id: UInt32) -> Bool {
        let client = clients[id]
        guard client.flags.isDisjoint(with: [.ending, .broken]) else { return false }
        if client.depth >= client.pipelineLimit, !client.flags.contains(.waiting) {
            poolStats[Int(client.pool)].errors.count(.pipelineLimit)
        }
        clients[id].flags.insert(.waiting)
        return false
    }

    /// Puts a waiting client on the list to be fed again, once there is room for more than one request.
    func considerResuming(_ id: UInt32) {
        let client = clients[id]
        guard client.flags.contains(.waiting), client.flags.isDisjoint(with: [.resuming, .broken]) else { return }
        if client.bodyLeft > 0 {
            guard mayStreamMore(client) else { return }
        } else {
            guard client.flags.isDisjoint(with: [.ending, .exclusive, .held]), client.blockers == 0,
                client.depth <= client.pipelineLimit / 2, client.output.count <= Self.outputHighWater / 2
            else { return }
        }
        clients[id].flags.insert(.resuming)
        work.wishes.push(.resume(client: id))
    }

    /// The shell offers the waiting bytes again.
    public func resumed(client id: UInt32) {
        clients[id].flags.subtract([.waiting, .resuming])
    }

    /// Takes nothing more from the client; it is finished when what it asked is answered.
    public func drain(client id: UInt32) {
        if clients[id].bodyLeft == 0 { clients[id].flags.insert(.ending) }
        markDirty(client: id)
    }

    /// Connections in use.
    public var clientCount: Int { clients.count }
}
