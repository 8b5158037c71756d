internal import Bytes
internal import MemcacheProtocol
internal import Telemetry

/// From a node's bytes to the replies of clients.
extension Engine {
    /// Bytes of a link. Returns how many were used up; the rest, part of a reply line, must be offered again with what
    /// comes after.
    public func received(fromLink id: UInt32, _ bytes: RawSpan) -> Int {
        guard links[id].state != .closed else { return bytes.byteCount }
        nodeStats[Int(links[id].node)].bytesIn &+= UInt64(bytes.byteCount)
        links[id].progress = now
        var offset = 0
        while offset < bytes.byteCount {
            let used = takeReply(bytes.extracting(droppingFirst: offset), of: id)
            if used == 0 { break }
            offset += used
            if links[id].state == .closed { return bytes.byteCount }
        }
        let call = links[id].first
        if call != none, calls[call].flags.contains(.hit), mayPassOn(call, of: id) { passOn(call) }
        return offset
    }

    /// Takes at most one element of a reply: a line, a value's head with what has come of the value, or more of one.
    @inline(__always)
    private func takeReply(_ bytes: RawSpan, of id: UInt32) -> Int {
        let link = links[id]
        let call = link.first
        if link.valueLeft > 0 { return takeValue(bytes, of: call, link: id) }
        if link.state == .opening { return takeGreeting(bytes, of: id) }
        guard call != none else {
            // Nobody asked: the stream cannot be trusted any more.
            fail(link: id, .protocolError)
            return bytes.byteCount
        }
        guard calls[call].isUsual else { return takeUnusual(bytes, of: call, link: id) }
        if calls[call].piece != none {
            let used = takeValues(bytes, of: call)
            if used > 0 { return used }
        }
        let keyLength = Int(calls[call].keyLength)
        if keyLength > 0, let length = ReplyParser.wholeHit(bytes, keyLength: keyLength) {
            calls[call].values = 1
            finish(call, .end, bytes.extracting(0..<length), of: id)
            return length
        }
        return takeElement(bytes, of: call, link: id)
    }

    /// `takeReply` by the parser, which knows all answers.
    @inline(__always)
    private func takeElement(_ bytes: RawSpan, of call: UInt32, link id: UInt32) -> Int {
        switch ReplyParser.parse(bytes, for: calls[call].verb, rawKeyLength: calls[call].rawKeyLength) {
        case .needMore: return 0
        case .line(let code, let length):
            finish(call, code, bytes.extracting(0..<length), of: id)
            return length
        case .value(let head): return beginValue(head, bytes, of: call, link: id)
        case .end(let length):
            finish(call, .end, bytes.extracting(0..<length), of: id)
            return length
        case .stat(let length):
            deliver(bytes.extracting(0..<length), of: call)
            return length
        case .broken:
            fail(link: id, .protocolError)
            return bytes.byteCount
        }
    }

    private func takeUnusual(_ bytes: RawSpan, of call: UInt32, link id: UInt32) -> Int {
        let row = calls[call]
        if row.flags.contains(.fenced), bytes.isEqual(to: "MN\r\n", at: 0) {
            finish(call, .mn, bytes.extracting(0..<4), of: id)
            return 4
        }
        if row.flags.contains(.tagsCAS) { return takeTagged(bytes, of: call, link: id) }
        if row.flags.contains(.toCopy),
            case .line(let code, let length) = ReplyParser.parse(bytes, for: row.verb, rawKeyLength: row.rawKeyLength)
        {
            finishCopy(call, code, bytes.extracting(0..<length), of: id)
            return length
        }
        return takeElement(bytes, of: call, link: id)
    }

    /// A value's head, and what has come of the value itself.
    @inline(__always)
    func beginValue(_ head: ReplyHead, _ bytes: RawSpan, of call: UInt32, link id: UInt32) -> Int {
        let isMeta = calls[call].verb.isMeta
        let request = calls.update(call) {
            $0.flags.formUnion(isMeta ? .started : [.started, .hit])
            $0.values &+= 1
            return $0.request
        }
        if !isMeta {
            if requests[request].flags.contains(.pieced), matchPiece(of: call, key: head.key, in: bytes) == none {
                fail(link: id, .protocolError)
                return bytes.byteCount
            }
        }
        let whole = head.totalLength
        if bytes.byteCount >= whole { return takeWholeValue(bytes, whole, isMeta, of: call, link: id) }
        if Int(head.dataLength) >= Self.largeValue { setApart(link: id) }
        deliver(bytes, of: call)
        links[id].valueLeft = UInt64(whole - bytes.byteCount)
        if links[id].flags.contains(.dedicated) { passOnLarge(call, of: id) }
        return bytes.byteCount
    }

    /// The usual case: the value is all here, and so, for one key, is the END behind it.
    @inline(__always)
    private func takeWholeValue(
        _ bytes: RawSpan, _ whole: Int, _ isMeta: Bool, of call: UInt32, link id: UInt32
    ) -> Int {
        if isMeta {
            finish(call, .value, bytes.extracting(0..<whole), of: id)
            return whole
        }
        if !requests[calls[call].request].flags.contains(.pieced), hasEnd(bytes, at: whole) {
            finish(call, .end, bytes.extracting(0..<(whole + 5)), of: id)
            return whole + 5
        }
        deliver(bytes.extracting(0..<whole), of: call)
        endValue(of: call)
        return whole
    }

    @inline(__always)
    private func hasEnd(_ bytes: RawSpan, at offset: Int) -> Bool {
        bytes.word(at: offset) & 0xff_ffff_ffff == 0x0a_0d44_4e45
    }

    /// More of a value that did not come in one piece.
    private func takeValue(_ bytes: RawSpan, of call: UInt32, link id: UInt32) -> Int {
        let left = links[id].valueLeft
        let count = Int(min(left, UInt64(bytes.byteCount)))
        links[id].valueLeft = left - UInt64(count)
        if left > UInt64(count) {
            deliver(bytes.extracting(0..<count), of: call)
            if links[id].flags.contains(.dedicated) { passOnLarge(call, of: id) }
        } else if calls[call].verb.isMeta {
            finish(call, .value, bytes.extracting(0..<count), of: id)
        } else {
            deliver(bytes.extracting(0..<count), of: call)
            endValue(of: call)
        }
        return count
    }

    /// A value of a classic get is over; another or END follows.
    private func endValue(of call: UInt32) {
        if requests[calls[call].request].flags.contains(.pieced) {
            // What is complete is passed on once, when all that came is worked off.
            if calls[call].piece != none { pass(calls[call].piece, of: call) }
        } else {
            passOn(call)
        }
    }

    /// The first reply of a connection: the node's version. Only now does anything else go to it: a frozen server takes
    /// connections and bytes, and would act on them much later.
    private func takeGreeting(_ bytes: RawSpan, of id: UInt32) -> Int {
        if links[id].flags.contains(.proving) { return takeProof(bytes, of: id) }
        switch ReplyParser.parse(bytes, for: .version) {
        case .needMore: return 0
        case .line(.version, let length):
            nodes[links[id].node].version = ServerVersion(bytes.extracting(0..<length), from: 8)
            if !askForProof(on: id) { becomeReady(link: id) }
            return length
        default:
            fail(link: id, .protocolError)
            return bytes.byteCount
        }
    }

    // MARK: - Delivering

    /// Adds bytes to the reply that the call is for, or throws them away if nobody wants them.
    @inline(__always)
    func deliver(_ bytes: RawSpan, of call: UInt32) {
        let row = calls[call]
        if row.other != none { win(call) }
        let request = requests[row.request]
        guard request.flags.isDisjoint(with: .inner) else {
            keepInner(bytes, of: call)
            return
        }
        guard request.client != none || request.report != .none else { return }
        let stored: Bool
        if request.flags.contains(.pieced), row.piece != none {
            stored = queues.append(bytes, to: &pieces[row.piece].reply, through: &arena)
        } else if request.report == .none, clients[request.client].first == row.request,
            !row.flags.contains(.fenced)
        {
            // All that came before is in the output already.
            stored = queues.append(bytes, to: &clients[request.client].output, through: &arena)
        } else {
            stored = queues.append(bytes, to: &requests[row.request].reply, through: &arena)
        }
        if !stored { runOut(row.request) }
    }

    /// A value that is neither whole nor large waits for its rest: its client gets it in one write for two. (What a get of
    /// several has before it does not wait.)
    private func mayPassOn(_ call: UInt32, of id: UInt32) -> Bool {
        links[id].valueLeft == 0 || requests[calls[call].request].flags.contains(.pieced)
    }

    /// Some of a large value has come.
    private func passOnLarge(_ call: UInt32, of id: UInt32) {
        passOn(call)
        considerPausing(link: id)
    }

    /// Lets the head of a client's line run ahead: what has come of its reply may leave before the rest is here.
    private func passOn(_ call: UInt32) {
        let request = calls[call].request
        let client = requests[request].client
        guard client != none, clients[client].first == request, requests[request].report == .none else { return }
        if requests[request].flags.contains(.pieced) {
            collectPieces(of: request)
            queues.move(&requests[request].reply, behind: &clients[client].output)
        }
        if !clients[client].output.isEmpty { markDirty(client: client) }
    }

    /// The call's reply is complete with these bytes.
    func finish(_ call: UInt32, _ code: ReplyCode, _ bytes: RawSpan, of id: UInt32) {
        let isMiss = code == .en || code == .end && calls[call].values == 0
        if isMiss || calls[call].lacked != 0, goesOn(call, code, isMiss: isMiss, of: id) { return }
        let request = calls[call].request
        let client = requests[request].client
        if requests[request].isPlain, calls[call].isPlain, client != none, clients[client].first == request {
            finishFirst(call, code, bytes, of: id)
        } else if requests[request].flags.contains(.fanned) {
            finishCopy(call, code, bytes, of: id)
        } else {
            finishAny(call, code, bytes, of: id)
        }
    }

    /// As nearly always: the whole reply to what the client asked first of all that it waits for.
    ///
    /// Each field is read where it is used: rows held in variables would not find room in registers.
    @inline(__always)
    private func finishFirst(_ call: UInt32, _ code: ReplyCode, _ bytes: RawSpan, of id: UInt32) {
        let request = calls[call].request
        let client = requests[request].client
        guard queues.append(bytes, to: &clients[client].output, through: &arena) else {
            runOut(request)
            finishAny(call, code, bytes, of: id)
            return
        }
        let latency = countNode(call, code)
        poolStats.update(Int(requests[request].pool)) {
            count(calls[call], code, in: &$0)
            let isSame = requests[request].started == calls[call].sent
            $0.latency.record(
                isSame ? latency : LatencyHistogram.Latency(nanoseconds: now &- requests[request].started))
        }
        take(call, from: id)
        if calls[call].commandChunk != none { queues.release(calls[call].commandChunk) }
        calls.free(call)
        let next = requests[request].next
        requests.free(request)
        let isWaiting = clients.update(client) {
            $0.first = next
            if next == none { $0.last = none }
            $0.depth &-= 1
            return $0.flags.contains(.waiting)
        }
        if next != none {
            advance(client)
        } else {
            markDirty(client: client)
            if isWaiting { considerResuming(client) }
        }
    }

    @inline(never)
    private func finishAny(_ call: UInt32, _ code: ReplyCode, _ bytes: RawSpan, of id: UInt32) {
        var ended = calls[call]
        if ended.flags.contains(.watched) { noteWatched(ended) }
        if ended.other != none, leavesToOther(call, code, of: id) { return }
        guard requests[ended.request].flags.isDisjoint(with: .inner) else {
            finishInner(call, code, bytes, of: id)
            return
        }
        let isFenced = ended.flags.contains(.fenced)
        if isFenced, code != .mn {
            deliver(bytes, of: call)
            return
        }
        let request = requests[ended.request]
        if ended.flags.contains(.asksOnMiss), code == .end { ended.keys &-= askForMissed(call) }
        countNode(ended, code)
        poolStats.update(Int(request.pool)) { count(ended, code, in: &$0) }
        if !request.flags.contains(.pieced) {
            let isHidden = isFenced || request.flags.contains(.quiet) && ReplyCode.quietHides(ended.verb, code)
            if !isHidden { deliver(bytes, of: call) }
        } else if code != .end || request.report != .none {
            finishPiece(call, code, bytes)
        }
        let isCut = ended.flags.contains(.streaming) && endUpload(of: call)
        take(call, from: id)
        release(call)
        if isCut { fail(link: id, nil) }
        settleOne(ended.request)
    }

    /// One node's part of a reply that is put together ended otherwise than by END.
    private func finishPiece(_ call: UInt32, _ code: ReplyCode, _ bytes: RawSpan) {
        let request = calls[call].request
        if requests[request].report != .none {
            deliver(bytes, of: call)
        } else if code.isError {
            requests[request].flags.insert(.failed)
        }
    }

    /// Counts the call, which has been answered.
    @inline(__always)
    private func count(_ call: Call, _ code: ReplyCode, in pool: inout PoolStats) {
        let verb = call.verb.rawValue
        switch code {
        case .end where call.verb == .stats: break
        case .end:
            pool.hits.add(UInt64(call.values), to: verb)
            pool.misses.add(UInt64(call.keys &- min(call.values, call.keys)), to: verb)
        default: count(call.verb, code, in: &pool)
        }
    }

    @inline(__always)
    func countPool(_ verb: Verb, _ code: ReplyCode, pool: Int) {
        poolStats.update(pool) { count(verb, code, in: &$0) }
    }

    @inline(__always)
    private func count(_ verb: Verb, _ code: ReplyCode, in pool: inout PoolStats) {
        switch code {
        case .value, .hd, .stored, .deleted, .touched, .number: pool.hits.count(verb.rawValue)
        case .en, .end, .nf, .notFound, .ns, .notStored, .ex, .exists: pool.misses.count(verb.rawValue)
        case .error, .clientError, .serverError: pool.errors.count(.serverError)
        default: break
        }
    }

    /// Counts the call at its node. Returns how long the answer took.
    @inline(__always) @discardableResult
    private func countNode(_ call: UInt32, _ code: ReplyCode) -> LatencyHistogram.Latency {
        countNode(calls[call].node, sent: calls[call].sent, code)
    }

    @inline(__always) @discardableResult
    func countNode(_ call: Call, _ code: ReplyCode) -> LatencyHistogram.Latency {
        countNode(call.node, sent: call.sent, code)
    }

    @inline(__always)
    private func countNode(_ node: UInt32, sent: UInt64, _ code: ReplyCode) -> LatencyHistogram.Latency {
        let latency = LatencyHistogram.Latency(nanoseconds: now &- sent)
        nodeStats.update(Int(node)) {
            $0.latency.record(latency)
            $0.inFlight &-= 1
        }
        if nodes[node].isSuspect { clear(node: node) }
        if code.isError { nodeStats[Int(node)].errors.count(.serverError) }
        return latency
    }

    /// It answers again.
    private func clear(node: UInt32) {
        nodes[node].isSuspect = false
        work.wishes.push(.report(NodeReport(node: node, failure: nil, time: now)))
    }
}
