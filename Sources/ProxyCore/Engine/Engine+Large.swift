internal import Bytes
internal import MemcacheProtocol
internal import Telemetry

/// Large values: none of them may hold up others, and none may be held in memory whole.
///
/// A connection that brings one takes no new calls from then on: it is set apart, and the node gets another. Once the
/// large value is the only thing on it, a client that does not read only stops this connection. Clients with calls
/// behind the value wait for those before they go on, so that their commands reach the node in order.
/// A large data block has a connection for itself from the start, and its client to itself until it is answered.
extension Engine {
    // MARK: - From the node

    func setApart(link id: UInt32) {
        guard !links[id].flags.contains(.dedicated) else { return }
        let node = links[id].node
        links[id].flags.insert(.dedicated)
        if nodes[node].link == id {
            nodes[node].link = nodes[node].spare
            nodes[node].spare = none
        }
        var call = calls[links[id].first].next
        while call != none {
            let client = waitingClient(of: call)
            if client != none {
                calls[call].flags.insert(.blocking)
                clients[client].blockers &+= 1
            }
            let request = requests[calls[call].request]
            // What comes later goes another way, and may overtake it.
            if request.flags.contains(.fanned) {
                writes.loseOrder(WriteTable.hash(fans[request.fan].hash, pool: request.pool))
            }
            call = calls[call].next
        }
    }

    /// Who cannot be answered before the call is, or none. The same from the call's begin to its end.
    private func waitingClient(of call: UInt32) -> UInt32 {
        let request = requests[calls[call].request]
        guard request.flags.contains(.fanned) else { return request.client }
        let fan = fans[request.fan]
        guard fan.client != none, fan.isDeciding || calls[call].rank == 0 else { return none }
        return requests[fan.client].client
    }

    /// The link has nothing under way any more: it is an ordinary one again, or one too many.
    func rejoin(link id: UInt32) {
        let node = links[id].node
        guard links[id].state == .ready else { return }
        links[id].flags.remove(.dedicated)
        if nodes[node].link == none {
            nodes[node].link = id
        } else if nodes[node].spare == none {
            nodes[node].spare = id
        } else {
            fail(link: id, nil)
        }
    }

    func unblock(_ call: UInt32) {
        calls[call].flags.remove(.blocking)
        let client = waitingClient(of: call)
        guard client != none else { return }
        clients[client].blockers &-= 1
        if clients[client].flags.contains(.waiting) { considerResuming(client) }
    }

    /// Stops reading the link if its client does not keep up, and nobody else waits for what comes behind the value.
    func considerPausing(link id: UInt32) {
        guard links[id].flags.contains(.dedicated), !links[id].flags.contains(.paused),
            backlog(of: links[id].first) > Self.outputHighWater, servesOneClient(links[id])
        else { return }
        links[id].flags.insert(.paused)
        pausedLinks.push(id)
        work.wishes.push(.pause(link: id))
        // The client may be waiting for what the same call's answer has left out.
        if calls[links[id].first].missed != none { askForMissedSoFar(links[id].first) }
    }

    /// What comes behind the link's first call is for the same client, which has to read the first before, and is no write,
    /// whose key others may wait for.
    private func servesOneClient(_ link: Link) -> Bool {
        guard link.count > 1 else { return true }
        let (request, piece) = (calls[link.first].request, calls[link.first].piece)
        let client = requests[request].client
        // Else the client may read, and wait for what comes behind.
        guard client != none, clients[client].first == request,
            !requests[request].flags.contains(.pieced) || piece == requests[request].firstPiece
        else { return false }
        var call = calls[link.first].next
        while call != none {
            let behind = requests[calls[call].request]
            guard behind.client == client, behind.flags.isDisjoint(with: .inner) else { return false }
            call = calls[call].next
        }
        return true
    }

    /// Bytes of the call's reply that wait to be sent, in whatever queue they are.
    private func backlog(of call: UInt32) -> Int {
        let request = calls[call].request
        let client = requests[request].client
        guard client != none, !requests[request].flags.contains(.fanned) else { return 0 }
        let piece = calls[call].piece
        if clients[client].first != request { return requests[request].reply.count + pieceBytes(piece) }
        if requests[request].flags.contains(.pieced), piece != requests[request].firstPiece { return pieceBytes(piece) }
        return clients[client].output.count
    }

    private func pieceBytes(_ piece: UInt32) -> Int { piece == none ? 0 : pieces[piece].reply.count }

    func resumePausedLinks() {
        var index = 0
        while index < pausedLinks.count {
            let link = pausedLinks[index]
            let call = links[link].first
            if call == none || backlog(of: call) <= Self.outputHighWater / 2 {
                links[link].flags.remove(.paused)
                links[link].progress = now
                work.wishes.push(.unpause(link: link))
                removePaused(at: index)
            } else {
                index += 1
            }
        }
    }

    func forgetPaused(link id: UInt32) {
        guard links[id].flags.contains(.paused) else { return }
        for index in 0..<pausedLinks.count where pausedLinks[index] == id {
            removePaused(at: index)
            return
        }
    }

    private func removePaused(at index: Int) {
        pausedLinks[index] = pausedLinks[pausedLinks.count - 1]
        _ = pausedLinks.pop()
    }

    // MARK: - To the node

    /// A large data block: by itself, on a connection of its own, passed on while it comes. Returns 0 while the client
    /// has other requests under way.
    func beginLargeStore(_ head: RequestHead, _ bytes: RawSpan, from id: UInt32) -> Int {
        guard clients[id].depth == 0 else { return 0 }
        let request = newRequest(head, from: id)
        let node = node(for: head, in: bytes, pool: clients[id].pool)
        clients[id].bodyLeft = UInt64(head.bodyLength) + 2
        clients[id].collecting = none
        guard nodes[node].isReachable else {
            answerDown(request, node: node)
            return Int(head.lineLength)
        }
        let call = calls.take(Call(request: request, node: node, verb: head.verb, flags: .streaming, sent: now))
        requests[request].pending = 1
        append(call, to: takeConnection(of: node))
        clients[id].collecting = call
        clients[id].flags.insert(.exclusive)
        stageLine(head, bytes, of: call)
        guard !calls[call].flags.contains(.overflowed) else {
            fail(link: calls[call].link, .memoryLimit)
            return Int(head.lineLength)
        }
        moveStaged(call)
        return Int(head.lineLength)
    }

    /// A connection that nothing else uses.
    private func takeConnection(of node: UInt32) -> UInt32 {
        let shared = nodes[node].link
        let spare = nodes[node].spare
        let link: UInt32
        if spare != none {
            link = spare
            nodes[node].spare = none
        } else {
            link = open(node: node)
            nodes[node].link = shared
        }
        links[link].flags.insert(.dedicated)
        return link
    }

    /// Passes on bytes of a large data block; 0 while the node does not take more.
    func stream(_ bytes: RawSpan, of call: UInt32, from id: UInt32) -> Int {
        guard uploadBacklog(call) < Self.outputHighWater else {
            clients[id].flags.insert(.waiting)
            return 0
        }
        write(bytes, of: call)
        markDirty(link: calls[call].link)
        clients[id].bodyLeft -= UInt64(bytes.byteCount)
        if clients[id].bodyLeft == 0 {
            clients[id].collecting = none
            links[calls[call].link].progress = now
        }
        return bytes.byteCount
    }

    private func uploadBacklog(_ call: UInt32) -> Int {
        calls[call].staged.count + links[calls[call].link].output.count
    }

    func mayStreamMore(_ client: Client) -> Bool {
        guard client.collecting != none else { return true }
        guard calls[client.collecting].flags.contains(.streaming) else { return client.blockers == 0 }
        return uploadBacklog(client.collecting) <= Self.outputHighWater / 2
    }

    func isUploading(_ call: UInt32) -> Bool {
        let client = requests[calls[call].request].client
        return client != none && clients[client].collecting == call
    }

    func resumeUpload(of call: UInt32) {
        guard isUploading(call) else { return }
        let client = requests[calls[call].request].client
        if clients[client].flags.contains(.waiting) { considerResuming(client) }
    }

    /// The call is over. What its client still sends of the block is thrown away. Returns whether there is such a rest:
    /// then the node waits for it, and its connection is of no use any more.
    func endUpload(of call: UInt32) -> Bool {
        let client = requests[calls[call].request].client
        calls[call].flags.remove(.streaming)
        guard client != none else { return false }
        clients[client].flags.remove(.exclusive)
        let isCut = clients[client].collecting == call
        if isCut { clients[client].collecting = none }
        if clients[client].flags.contains(.waiting) { considerResuming(client) }
        return isCut
    }
}
