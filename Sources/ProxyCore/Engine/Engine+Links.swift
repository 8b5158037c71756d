public import Bytes
internal import MemcacheProtocol
public import Telemetry

/// Connections to nodes: opening, failing, timing out.
extension Engine {
    /// A new connection for the node's new calls.
    func open(node: UInt32) -> UInt32 {
        let link = links.take(Link(state: .opening, node: node, progress: now))
        nodes[node].link = link
        liveLinks.push(link)
        work.wishes.push(.open(link: link))
        return link
    }

    public func node(ofLink id: UInt32) -> Int { Int(links[id].node) }

    /// Whether the link, which is on a work list, has failed in the meantime.
    public func isClosed(link id: UInt32) -> Bool { links[id].state == .closed }

    /// The shell has closed the link's socket, or had none: the row is free.
    public func released(link id: UInt32) {
        for index in 0..<liveLinks.count where liveLinks[index] == id {
            liveLinks[index] = liveLinks[liveLinks.count - 1]
            _ = liveLinks.pop()
            break
        }
        for index in 0..<condemned.count where condemned[index] == id { condemned[index] = none }
        links.free(id)
    }

    /// What may be sent on the link: the question for the version until it is answered, then the calls. The shell has
    /// taken its entry off `work.links`.
    public func beginSending(toLink id: UInt32) -> ByteQueue {
        links.update(id) {
            $0.flags.remove(.dirty)
            return $0.output
        }
    }

    /// The connection is made; what the node says to `version` decides whether it is used.
    public func linkConnected(_ id: UInt32) {
        // It may have failed in this turn, before its socket was looked at.
        guard links[id].state != .closed else { return }
        nodeStats[Int(links[id].node)].connects &+= 1
        nodeStats[Int(links[id].node)].connections &+= 1
        links[id].flags.insert(.connected)
        if !queues.append("version\r\n", to: &links[id].output, through: &links[id].open) { condemn(link: id) }
        markDirty(link: id)
    }

    func becomeReady(link id: UInt32) {
        links[id].state = .ready
        var call = links[id].first
        while call != none {
            moveStaged(call)
            call = calls[call].next
        }
        markDirty(link: id)
        // What it was opened for may have run out of time.
        if links[id].flags.contains(.dedicated), links[id].count == 0 { rejoin(link: id) }
    }

    /// The link's socket took so many bytes. Returns what is left.
    public func sent(toLink id: UInt32, _ count: Int) -> ByteQueue {
        let (node, call) = links.update(id) {
            queues.consume(count, from: &$0.output)
            queues.rewind(&$0.open)
            return (Int($0.node), $0.first)
        }
        nodeStats[node].bytesOut &+= UInt64(count)
        if call != none, calls[call].flags.contains(.streaming) {
            links[id].progress = now
            resumeUpload(of: call)
        }
        return links[id].output
    }

    @inline(__always)
    func markDirty(link id: UInt32) {
        guard !links[id].flags.contains(.dirty) else { return }
        links[id].flags.insert(.dirty)
        work.links.push(id)
    }

    // MARK: - Failing

    /// The link cannot be trusted any more, but its row is being worked on: it fails at the end of the turn.
    func condemn(link id: UInt32) { condemned.push(id) }

    /// Before anything is written: ends what this turn could not finish, and begins what it has led to.
    public func endReceiving() {
        if !work.grants.isEmpty || !work.settling.isEmpty { useGrants() }
        if !fillWishes.isEmpty { beginFills() }
        if isMoving { proceedMoves() }
        if !condemned.isEmpty { failCondemned() }
    }

    /// Not in line: the usual turn has none, and would save registers for it.
    @inline(never)
    private func failCondemned() {
        while let link = condemned.pop() {
            if link != none { fail(link: link, .memoryLimit) }
        }
    }

    /// After everything is written: what was written can be written over. Returns when `tick` may have something to do
    /// that it did not know of, at the earliest.
    public func endTurn() -> UInt64 {
        queues.rewind(&arena)
        return min(isBusy ? now &+ shortestTimeout : .max, max(wakeup, now))
    }

    /// The link's connection is lost, or was never made.
    public func linkLost(_ id: UInt32, _ cause: ErrorCause) { fail(link: id, cause) }

    /// Ends the link and every call on it.
    /// - Parameter cause: nil when the node is not to blame.
    func fail(link id: UInt32, _ cause: ErrorCause?) {
        guard links[id].state != .closed else { return }
        let node = links[id].node
        let valueLeft = links[id].valueLeft
        let wasOpening = links[id].state == .opening
        links[id].state = .closed
        if nodes[node].link == id { nodes[node].link = none }
        if nodes[node].spare == id { nodes[node].spare = none }
        forgetPaused(link: id)
        if links[id].flags.contains(.connected) { nodeStats[Int(node)].connections &-= 1 }
        queues.clear(&links[id].output)
        queues.close(&links[id].open)
        work.closing.push(id)
        if let cause { blame(node, cause) }

        var call = links[id].first
        links[id].first = none
        links[id].last = none
        links[id].count = 0
        var isMidValue = valueLeft > 0
        while call != none {
            let next = calls[call].next
            calls[call].next = none
            end(call, cause ?? .connectionLost, midValue: isMidValue, isUnsent: wasOpening)
            isMidValue = false
            call = next
        }
    }

    private func blame(_ node: UInt32, _ cause: ErrorCause) {
        nodeStats[Int(node)].errors.count(cause)
        guard cause.countsAgainstNode || cause == .unproven else { return }
        if cause.countsAgainstNode { nodes[node].isSuspect = true }
        distrust(node)
        work.wishes.push(.report(NodeReport(node: node, failure: cause, time: now)))
    }

    /// Ends a call that will get no (more) reply: once more on another connection if that cannot hurt, else an error.
    /// - Parameter isUnsent: the node cannot have got it.
    private func end(_ call: UInt32, _ cause: ErrorCause, midValue: Bool, isUnsent: Bool) {
        let node = calls[call].node
        nodeStats[Int(node)].inFlight &-= 1
        if requests[calls[call].request].flags.contains(.fanned) {
            failCopy(call, cause, isUnsent: isUnsent)
            return
        }
        if requests[calls[call].request].flags.contains(.repairing) {
            failRepair(call)
            return
        }
        if requests[calls[call].request].flags.contains(.filling) {
            failFill(call)
            return
        }
        if requests[calls[call].request].flags.contains(.dropped) {
            failDropped(call)
            return
        }
        if requests[calls[call].request].flags.contains(.hedging) {
            failHedged(call, cause)
            return
        }
        if calls[call].other != none, !isLine(call) {
            leave(call, lacks: false)
            return
        }
        if askNextCopy(call, cause) { return }
        if cause == .connectionLost || cause == .unproven, canRepeat(call) {
            sendAgain(call)
            return
        }
        let request = calls[call].request
        if calls[call].flags.contains(.streaming) { _ = endUpload(of: call) }
        let isPieced = requests[request].flags.contains(.pieced)
        let client = requests[request].client
        let isHead = client != none && clients[client].first == request
        if midValue, isHead, !isPieced || calls[call].piece == requests[request].firstPiece {
            cutOff(request)
        } else if midValue, isPieced, calls[call].piece != none {
            queues.clear(&pieces[calls[call].piece].reply)
        }
        guard !isPieced else {
            if calls[call].other == none { failLine(call, cause) } else { leaveToHedge(call, cause) }
            return
        }
        requests[request].flags.insert(.failed)
        poolStats[Int(requests[request].pool)].errors.count(cause)
        let hasValue = calls[call].flags.contains(.hit) && !midValue
        release(call)
        requests[request].pending = 0
        if hasValue, isHead {
            // The value has left already and was whole; only the END behind it is missing.
            answer(request, .end)
        } else {
            queues.clear(&requests[request].reply)
            answerFailure(request, cause.reply)
        }
    }

    /// One node's part of a reply that is put together will not come: other copies are asked, or it is missing.
    func failLine(_ call: UInt32, _ cause: ErrorCause) {
        let request = calls[call].request
        if !askNextCopies(call, cause) {
            requests[request].flags.insert(.failed)
            poolStats[Int(requests[request].pool)].errors.count(cause)
        }
        release(call)
        settleOne(request)
    }

    /// No other copy that may be read is left for a get of one key; one of several goes on to those that there are.
    private func canRepeat(_ call: UInt32) -> Bool {
        let (node, request) = (nodes[calls[call].node], requests[calls[call].request])
        return calls[call].flags.contains(.repeatable) && calls[call].commandChunk != none && calls[call].other == none
            && calls[call].flags.isDisjoint(with: [.repeated, .started])
            && (node.isFull || node.isReachable && !request.flags.contains(.pieced)) && request.client != none
    }

    /// A server that was restarted, or tired of an idle connection, answers a read with the end of the connection. The
    /// bytes of the command are still there.
    private func sendAgain(_ call: UInt32) {
        let request = calls[call].request
        calls[call].flags.insert(.repeated)
        if calls[call].flags.contains(.blocking) { unblock(call) }
        queues.clear(&calls[call].staged)
        poolStats[Int(requests[request].pool)].retries &+= 1
        nodeStats[Int(calls[call].node)].retries &+= 1
        enqueue(call)
        sendKept(call)
    }

    /// Sends the command that the call has kept to its connection or, while that is not ready, to the call.
    func sendKept(_ call: UInt32) {
        let link = calls[call].link
        let chunk = calls[call].commandChunk
        let offset = Int(calls[call].commandOffset)
        let count = Int(calls[call].commandLength)
        if links[link].state == .ready {
            queues.share(chunk, offset: offset, count: count, with: &links[link].output)
        } else {
            queues.share(chunk, offset: offset, count: count, with: &calls[call].staged)
        }
    }

    // MARK: - Time

    /// Ends what has waited for too long. Returns when to look again: the earliest time at which something could be
    /// late, or nil when nothing is under way.
    public func tick() -> UInt64? {
        runRepairs()
        sendHedges()
        noticeGivenUp()
        giveUpMisses()
        var next = wakeup
        var index = 0
        while index < liveLinks.count {
            let link = liveLinks[index]
            index += 1
            switch links[link].state {
            case .closed: continue
            case .opening: next = min(next, checkOpening(link))
            case .ready: next = min(next, checkReady(link))
            }
        }
        return next == .max ? nil : next
    }

    private func checkOpening(_ link: UInt32) -> UInt64 {
        let node = links[link].node
        let connectDeadline = links[link].progress + nodes[node].connectTimeout
        if now >= connectDeadline {
            fail(link: link, .connectFailed)
            return .max
        }
        // Calls have their own time; the attempt to connect goes on for those behind.
        if let first = firstCall(of: link), now >= calls[first].sent + nodes[node].timeout { blame(node, .timeout) }
        guard links[link].state != .closed else { return .max }
        while links[link].first != none, now >= calls[links[link].first].sent + nodes[node].timeout {
            let call = links[link].first
            take(call, from: link)
            calls[call].next = none
            end(call, .timeout, midValue: false, isUnsent: true)
            if links[link].state == .closed { return .max }
        }
        guard links[link].first != none else { return connectDeadline }
        return min(connectDeadline, calls[links[link].first].sent + nodes[node].timeout)
    }

    private func firstCall(of link: UInt32) -> UInt32? {
        links[link].first == none ? nil : links[link].first
    }

    private func checkReady(_ link: UInt32) -> UInt64 {
        let call = links[link].first
        guard call != none, !links[link].flags.contains(.paused) else { return .max }
        if calls[call].flags.contains(.streaming), links[link].output.isEmpty, isUploading(call) { return .max }
        // Silence counts, not age: behind a large value a call may be old and its node well.
        let deadline = max(calls[call].sent, links[link].progress) + nodes[links[link].node].timeout
        guard now >= deadline else { return deadline }
        fail(link: link, .timeout)
        return .max
    }
}
