internal import Bytes
internal import MemcacheProtocol
internal import Telemetry

/// The end of calls and requests, in order.
extension Engine {
    /// Takes the link's first call off its line.
    func take(_ call: UInt32, from link: UInt32) {
        links[link].first = calls[call].next
        if links[link].first == none { links[link].last = none }
        links[link].count &-= 1
        if links[link].flags.contains(.dedicated), links[link].count == 0 { rejoin(link: link) }
    }

    /// Frees the call and what it kept.
    func release(_ call: UInt32) {
        if calls[call].flags.contains(.blocking) { unblock(call) }
        // What the call did not mention any more is missing.
        while calls[call].piece != none { pass(calls[call].piece, of: call) }
        discard(call)
    }

    func releaseCommand(of call: UInt32) {
        if calls[call].commandChunk != none { queues.chunks.release(calls[call].commandChunk) }
        calls[call].commandChunk = none
    }

    /// One of the request's calls is over.
    func settleOne(_ request: UInt32) {
        requests[request].pending &-= 1
        if requests[request].pending == 0 { settle(request) } else { passPieces(of: request) }
    }

    /// All calls of the request are over: its reply is complete.
    func settle(_ request: UInt32) {
        requests[request].flags.insert(.done)
        let client = requests[request].client
        guard client != none else {
            free(request: request)
            return
        }
        if requests[request].flags.contains(.pieced) { closePieces(of: request) }
        let pool = Int(requests[request].pool)
        poolStats[pool].latency.record(nanoseconds: now &- requests[request].started)
        if clients[client].first == request { advance(client) }
    }

    /// Moves the replies that are complete, from the head of the client's line on, to its output.
    func advance(_ client: UInt32) {
        var head = clients[client].first
        while head != none, requests[head].flags.contains(.done) {
            queues.move(&requests[head].reply, behind: &clients[client].output)
            let next = requests[head].next
            requests.free(head)
            clients[client].depth &-= 1
            head = next
        }
        clients[client].first = head
        if head == none {
            clients[client].last = none
        } else if requests[head].report == .none {
            if requests[head].flags.contains(.pieced) { collectPieces(of: head) }
            if !requests[head].reply.isEmpty {
                queues.move(&requests[head].reply, behind: &clients[client].output)
            }
        }
        markDirty(client: client)
        if clients[client].flags.contains(.waiting) { considerResuming(client) }
    }

    /// A request whose client is gone, or that was moved to the output.
    func free(request: UInt32) {
        queues.clear(&requests[request].reply)
        while requests[request].firstPiece != none {
            let piece = requests[request].firstPiece
            requests[request].firstPiece = pieces[piece].next
            queues.clear(&pieces[piece].reply)
            pieces.free(piece)
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

    /// The pieces are all there: what is left of them goes to the reply, and the line that ends it.
    private func closePieces(of request: UInt32) {
        if requests[request].report != .none {
            writeReport(request)
            return
        }
        collectPieces(of: request)
        add(.end, to: request)
    }

    // MARK: - Answers of our own

    /// Answers the request, which has no calls, with a line of our own.
    func answer(_ request: UInt32, _ text: ReplyText) {
        if !requests[request].flags.contains(.quiet) { add(text, to: request) }
        settle(request)
    }

    func add(_ text: ReplyText, to request: UInt32) {
        guard requests[request].client != none else { return }
        if !queues.append(text.bytes, to: &requests[request].reply, through: &arena) { cutOff(request, .memoryLimit) }
    }

    /// The request's node is down: what `when_down` says.
    func answerDown(_ request: UInt32, node: UInt32) {
        nodeStats[Int(node)].errors.count(.nodeDown)
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

    /// The request's reply can be neither completed nor taken back: its client is closed, what is behind it is lost.
    func cutOff(_ request: UInt32, _ cause: ErrorCause) {
        let client = requests[request].client
        guard client != none else { return }
        poolStats[Int(requests[request].pool)].errors.count(cause)
        clients[client].flags.insert(.broken)
        queues.clear(&requests[request].reply)
        markDirty(client: client)
    }
}
