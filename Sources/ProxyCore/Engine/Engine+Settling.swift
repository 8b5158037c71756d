internal import Bytes
internal import MemcacheProtocol
internal import Telemetry

/// The end of calls and requests, in order.
extension Engine {
    /// Takes the link's first call off its line.
    @inline(__always)
    func take(_ call: UInt32, from link: UInt32) {
        let next = calls[call].next
        let isDone = links.update(link) {
            $0.first = next
            if next == none { $0.last = none }
            $0.count &-= 1
            return $0.count == 0 && $0.flags.contains(.dedicated)
        }
        if isDone { rejoin(link: link) }
    }

    /// Frees the call and what it kept.
    @inline(__always)
    func release(_ call: UInt32) {
        if calls[call].flags.contains(.blocking) { unblock(call) }
        // What the call did not mention any more is missing.
        while calls[call].piece != none { pass(calls[call].piece, of: call) }
        if calls[call].missed != none { giveUpMissed(of: call) }
        discard(call)
    }

    /// One of the request's calls is over.
    @inline(__always)
    func settleOne(_ request: UInt32) {
        let left = requests.update(request) {
            $0.pending &-= 1
            return $0.pending
        }
        if left == 0 { settle(request) } else { passPieces(of: request) }
    }

    /// All calls of the request are over: its reply is complete.
    @inline(__always)
    func settle(_ request: UInt32) {
        let row = requests.update(request) {
            $0.flags.insert(.done)
            return $0
        }
        guard row.client != none else {
            free(request: request)
            return
        }
        if row.flags.contains(.pieced), !closePieces(of: request) { return }
        poolStats[Int(row.pool)].latency.record(nanoseconds: now &- row.started)
        if clients[row.client].first == request { advance(row.client) }
    }

    /// Moves the replies that are complete, from the head of the client's line on, to its output.
    @inline(__always)
    func advance(_ client: UInt32) {
        var head = clients[client].first
        var passed: UInt32 = 0
        while head != none {
            let row = requests[head]
            guard row.flags.contains(.done) else { break }
            if row.reply.count > 0 { queues.move(&requests[head].reply, behind: &clients[client].output) }
            // Copies that have not answered yet need the row.
            if row.flags.contains(.fanned) { requests[head].client = none } else { requests.free(head) }
            passed &+= 1
            head = row.next
        }
        let isWaiting = clients.update(client) {
            $0.first = head
            if head == none { $0.last = none }
            $0.depth &-= passed
            return $0.flags.contains(.waiting)
        }
        if head != none { runAhead(head, of: client) }
        markDirty(client: client)
        if isWaiting { considerResuming(client) }
    }

    /// What has come for the new head of the line need not wait for the rest.
    private func runAhead(_ head: UInt32, of client: UInt32) {
        guard requests[head].report == .none else { return }
        if requests[head].flags.contains(.pieced) { collectPieces(of: head) }
        queues.move(&requests[head].reply, behind: &clients[client].output)
    }

    /// A request whose client is gone, or that was moved to the output.
    func free(request: UInt32) {
        endFlush(request)
        queues.clear(&requests[request].reply)
        while requests[request].firstPiece != none {
            let piece = requests[request].firstPiece
            requests[request].firstPiece = pieces[piece].next
            free(piece: piece)
        }
        requests.free(request)
    }

    private func passPieces(of request: UInt32) {
        let client = requests[request].client
        guard requests[request].flags.contains(.pieced), requests[request].report == .none, client != none,
            clients[client].first == request
        else { return }
        advance(client)
    }

    /// The pieces are all there: what is left of them goes to the reply, and the line that ends it. False if the reply
    /// has to wait.
    private func closePieces(of request: UInt32) -> Bool {
        guard requests[request].report == .none else {
            endFlush(request)
            guard requests[request].pending == 0 else {
                requests[request].flags.remove(.done)
                return false
            }
            writeReport(request)
            return true
        }
        collectPieces(of: request)
        add(.end, to: request)
        return true
    }

    // MARK: - Answers of our own

    /// Answers the request, which has no calls, with a line of our own.
    func answer(_ request: UInt32, _ text: ReplyText) {
        if !requests[request].flags.contains(.quiet) { add(text, to: request) }
        settle(request)
    }

    func add(_ text: ReplyText, to request: UInt32) {
        guard requests[request].client != none else { return }
        if !queues.append(text.bytes, to: &requests[request].reply, through: &arena) { runOut(request) }
    }

    /// The request's node is down: what `when_down` says.
    func answerDown(_ request: UInt32, node: UInt32) {
        nodeStats[Int(node)].errors.count(.nodeDown)
        poolStats[Int(requests[request].pool)].errors.count(.nodeDown)
        let verb = requests[request].verb
        let isMiss = unsafe pools[Int(requests[request].pool)]._withUnsafeGuaranteedRef { $0.whenDown == .miss }
        // Only reads: a write that goes nowhere must not look like one that found nothing.
        switch verb {
        case .get where isMiss, .gets where isMiss: answer(request, .end)
        case .metaGet where isMiss: answer(request, .en)
        default: answerFailure(request, .nodeDown)
        }
    }

    /// An error of ours. `noreply` hides it as memcached hides its own; `q` hides no error.
    func answerFailure(_ request: UInt32, _ text: ReplyText) {
        if requests[request].verb.isMeta { requests[request].flags.remove(.quiet) }
        requests[request].flags.insert(.failed)
        answer(request, text)
    }

    /// The request's reply finds no memory, and can be neither completed nor taken back.
    func runOut(_ request: UInt32) {
        let client = requests[request].client
        guard client != none, !clients[client].flags.contains(.broken) else { return }
        poolStats[Int(requests[request].pool)].errors.count(.memoryLimit)
        cutOff(request)
    }

    /// The request's reply can be neither completed nor taken back: its client is closed, what is behind it is lost.
    func cutOff(_ request: UInt32) {
        let client = requests[request].client
        guard client != none else { return }
        queues.clear(&requests[request].reply)
        abandonRequests(of: client)
    }
}
