internal import Bytes
internal import Distribution
internal import MemcacheProtocol
internal import Telemetry

/// Data blocks that arrive in parts, and lines that no node may see.
extension Engine {
    /// Takes the next bytes of the client's data block. 0 when the client has to wait before it goes on.
    func takeBody(of id: UInt32, _ bytes: RawSpan) -> Int {
        let left = clients[id].bodyLeft
        let count = Int(min(left, UInt64(bytes.byteCount)))
        let call = clients[id].collecting
        guard call != none else {
            clients[id].bodyLeft = left - UInt64(count)
            if clients[id].bodyLeft == 0 { finishSwallowing(id) }
            return count
        }
        if calls[call].flags.contains(.streaming) {
            guard isMisplaced(calls[call].request) else {
                return stream(bytes.extracting(0..<count), of: call, from: id)
            }
            fail(link: calls[call].link, .nodeDown)
            return clients[id].bodyLeft > 0 ? takeBody(of: id, bytes) : 0
        }
        // Behind a large value there are requests that came before this one: it must not overtake them.
        guard count < left || clients[id].blockers == 0 else {
            clients[id].flags.insert(.waiting)
            return 0
        }
        checkNewline(bytes, left: left, of: id)
        stage(bytes.extracting(0..<count), of: call)
        clients[id].bodyLeft = left - UInt64(count)
        if clients[id].bodyLeft == 0 { finishCollecting(call, from: id) }
        return count
    }

    /// Looks at those of the block's last two bytes that are among these.
    func checkNewline(_ bytes: RawSpan, left: UInt64, of id: UInt32) {
        let count = UInt64(bytes.byteCount)
        if left >= 2, count > left - 2, bytes.byte(at: Int(left - 2)) != 0x0d { clients[id].flags.insert(.badChunk) }
        if count >= left, bytes.byte(at: Int(left - 1)) != 0x0a { clients[id].flags.insert(.badChunk) }
    }

    @inline(__always)
    func endsInNewline(_ bytes: RawSpan, at end: Int) -> Bool {
        bytes.byte(at: end - 2) == 0x0d && bytes.byte(at: end - 1) == 0x0a
    }

    /// memcached's answer to a data block that is not followed by CR LF; `q` does not hide it, `noreply` does.
    func answerBadChunk(_ request: UInt32) {
        if requests[request].verb == .metaSet { requests[request].flags.remove(.quiet) }
        answer(request, .badDataChunk)
    }

    /// The block is whole: on to the node with it.
    private func finishCollecting(_ call: UInt32, from id: UInt32) {
        clients[id].collecting = none
        let request = calls[call].request
        let node = calls[call].node
        if requests[request].flags.contains(.fanned) {
            let isBad = clients[id].flags.contains(.badChunk)
            let isCut = calls[call].flags.contains(.overflowed)
            let isLost = isMisplaced(request)
            beginFan(collected: call, isBad ? .badDataChunk : isCut ? .outOfMemory : isLost ? .nodeDown : nil)
            return
        }
        requests[request].pending = 0
        if clients[id].flags.contains(.badChunk) {
            discard(call)
            answerBadChunk(request)
        } else if calls[call].flags.contains(.overflowed) {
            discard(call)
            poolStats[Int(requests[request].pool)].errors.count(.memoryLimit)
            answer(request, .outOfMemory)
        } else if !nodes[node].isReachable || isMisplaced(request) {
            discard(call)
            answerDown(request, node: node)
        } else {
            requests[request].pending = 1
            calls[call].sent = now
            enqueue(call)
            moveStaged(call)
        }
    }

    /// Passes on what waited in the call, if its connection is ready.
    func moveStaged(_ call: UInt32) {
        let link = calls[call].link
        guard links[link].state == .ready else { return }
        queues.move(&calls[call].staged, behind: &links[link].output)
    }

    /// Frees a call that no connection knows of.
    @inline(__always)
    func discard(_ call: UInt32) {
        let row = calls[call]
        if row.staged.count > 0 { queues.clear(&calls[call].staged) }
        if row.commandChunk != none { queues.release(row.commandChunk) }
        // Whoever comes upon the row that is no more.
        if row.flags.contains(.watched) { calls[call].flags.remove(.watched) }
        calls.free(call)
    }

    /// The client went away in the middle of a data block: no node may be left with half a command.
    func abandonBody(of id: UInt32) {
        clients[id].bodyLeft = 0
        let call = clients[id].collecting
        clients[id].collecting = none
        guard call != none else {
            if clients[id].swallowing != none { queues.clear(&requests[clients[id].swallowing].reply) }
            finishSwallowing(id)
            return
        }
        if calls[call].flags.contains(.streaming) {
            fail(link: calls[call].link, nil)
            return
        }
        let request = calls[call].request
        if requests[request].flags.contains(.fanned) {
            requests[request].flags.insert(.quiet)
            beginFan(collected: call, .badDataChunk)
            return
        }
        requests[request].pending = 0
        discard(call)
        requests[request].flags.insert(.quiet)
        answer(request, .badDataChunk)
    }

    /// Answers a line that no node may see. Returns how many bytes it used.
    func refuse(_ refusal: Refusal, _ bytes: RawSpan, from id: UInt32) -> Int {
        let pool = Int(clients[id].pool)
        poolStats[pool].errors.count(refusal.cause)
        if !refusal.drops.isEmpty, hasRoom { dropOldValue(refusal, bytes, pool: clients[id].pool) }
        let request = newRequest(verb: .get, isQuiet: refusal.silent, from: id)
        switch refusal.aftermath {
        case .proceed: answer(request, refusal.reply)
        case .swallow(let count):
            // As memcached: the answer comes when the block has.
            if !refusal.silent { add(refusal.reply, to: request) }
            clients[id].collecting = none
            clients[id].swallowing = request
            clients[id].bodyLeft = count
            if count == 0 { finishSwallowing(id) }
        case .close:
            answer(request, refusal.reply)
            clients[id].flags.insert(.ending)
            markDirty(client: id)
        }
        return Int(refusal.consumed)
    }

    /// Throws away a data block that is still to come, behind a command that has its answer.
    func swallow(_ count: Int, from id: UInt32) {
        guard count > 0 else { return }
        clients[id].collecting = none
        clients[id].swallowing = none
        clients[id].bodyLeft = UInt64(count)
    }

    private func finishSwallowing(_ id: UInt32) {
        let request = clients[id].swallowing
        clients[id].swallowing = none
        if request != none { settle(request) }
    }

    /// memcached drops the old value of a key whose new one is too large, so that nothing stale outlives it.
    private func dropOldValue(_ refusal: Refusal, _ bytes: RawSpan, pool: UInt16) {
        guard hasCopies(pool: pool) else {
            let node =
                refusal.dropsBase64 ? nodeOfDecodedKey(pool: pool) : node(for: refusal.drops, in: bytes, pool: pool)
            return dropOldValue(refusal, bytes, pool: pool, on: node)
        }
        let key = bytes.extracting(refusal.drops.start..<refusal.drops.end)
        let place = refusal.dropsBase64 ? hashOfDecodedKey(pool: pool) : hash(of: refusal.drops, in: bytes, pool: pool)
        let all = copies(of: place, pool: pool)
        for index in all.indices { dropOldValue(refusal, bytes, pool: pool, on: all[index]) }
        // Nobody waits for the answers, and another write may come between them.
        poolStats.update(Int(pool)) {
            _ = repairs.add(
                key, isBase64: refusal.dropsBase64, hash: WriteTable.hash(place, pool: pool), pool: pool,
                reason: .overlap, now: now, counted: &$0.repairs)
        }
    }

    private func dropOldValue(_ refusal: Refusal, _ bytes: RawSpan, pool: UInt16, on node: UInt32) {
        guard nodes[node].isReachable else { return }
        let request = requests.take(Request(client: none, verb: .metaDelete, flags: .quiet, pool: pool, started: now))
        guard let call = newCall(for: request, verb: .metaDelete, to: node) else { return }
        write("md ", of: call)
        write(bytes.extracting(refusal.drops.start..<refusal.drops.end), of: call)
        write(refusal.dropsBase64 ? " b\r\n" : "\r\n", of: call)
    }

    func write(_ text: StaticString, of call: UInt32) {
        write(unsafe RawSpan(_unsafeStart: text.utf8Start, byteCount: text.utf8CodeUnitCount), of: call)
    }
}
