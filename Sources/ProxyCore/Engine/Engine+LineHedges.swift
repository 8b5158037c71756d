internal import Bytes
internal import Distribution
internal import MemcacheProtocol
internal import Telemetry

/// The second asking for keys of a get of several: those that one node, in answer to its line of them, is slow to give.
/// Each goes to its next copy, so that the one line may become several.
struct LineHedge: BitwiseCopyable {
    /// The line that is slow; none when it is not waited for any more, or does not wait.
    var first: UInt32
    /// The request that the other lines belong to. Its pieces are those of the first line, in their order.
    let own: UInt32
    /// Keys that were asked for again.
    let keys: UInt32
    /// The first line is off its connection, and this is why; nil was an error of the node's own.
    var isFirstOver = false
    var failure: ErrorCause?
}

/// The two askings meet when one of them is over. What the first line was answered by then counts. If it is over first,
/// the other lines' answers are dropped; if they are, and have every key, they give their answers to its pieces, and the
/// rest of its answer is dropped. An asking that failed, or where misses are asked about elsewhere has some, waits for
/// the other, and its answers count for what that does not bring.
extension Engine {
    /// A part of a reply that is put together.
    func isLine(_ call: UInt32) -> Bool { requests[calls[call].request].flags.contains(.pieced) }

    /// Asks other copies for what the line has not been answered.
    func double(line call: UInt32, _ index: Int) {
        let row = calls[call]
        let keys = count(from: row.piece)
        // A quarter of the rows is left to those who ask once.
        guard keys > 0, mayDouble(row), hasRoom(for: keys + limits.rows / 4), queues.memoryInUse < highMark,
            mayAskElsewhere(row), canAskElsewhere(row),
            hedgings.update(index, { $0.policy.takes(keys: keys) })
        else { return }
        let pool = requests[row.request].pool
        let own = requests.take(
            Request(client: none, verb: row.verb, flags: [.pieced, .hedging], pool: pool, started: now))
        let hedge = lineHedges.take(LineHedge(first: call, own: own, keys: UInt32(keys)))
        requests[own].fan = hedge
        calls[call].other = hedge
        doubledReads += 1
        poolStats[Int(pool)].copies.hedges &+= UInt64(keys)
        var slot = row.piece
        while slot != none {
            ask(again: slot, row, for: own)
            slot = pieces[slot].nextOfCall
        }
        endLines()
        if requests[own].pending == 0 { meet(hedge) }
    }

    private func count(from piece: UInt32) -> Int {
        var (slot, count) = (piece, 0)
        while slot != none {
            slot = pieces[slot].nextOfCall
            count += 1
        }
        return count
    }

    /// All keys can be asked for, so that their answers may come before the line's.
    private func canAskElsewhere(_ row: Call) -> Bool {
        var slot = row.piece
        while slot != none {
            guard withNextCopy(of: slot, row, { _, next in next != nil }) else { return false }
            slot = pieces[slot].nextOfCall
        }
        return true
    }

    private func ask(again slot: UInt32, _ row: Call, for own: UInt32) {
        let piece = newPiece(of: own)
        pieces[piece].keyLength = pieces[slot].keyLength
        withNextCopy(of: slot, row) { key, next in
            guard let next else { return }
            pieces[piece].tried = next.rank
            add(piece, key, to: next.node, of: own, row.verb, RawSpan())
        }
        // One that found no room is not a miss.
        pieces[piece].state = .waiting
    }

    /// - Parameter body: gets the key, with a space before it, and the copy that is asked next, as node and bit.
    private func withNextCopy<Result>(
        of slot: UInt32, _ row: Call, _ body: (RawSpan, (node: UInt32, rank: UInt8)?) -> Result
    ) -> Result {
        let (pool, piece) = (requests[row.request].pool, pieces[slot])
        return queues.chunks.withBytes(
            of: row.commandChunk, offset: Int(piece.keyOffset) - 1, count: Int(piece.keyLength) + 1
        ) { key in
            let hash = hash(of: ByteRange(offset: 1, length: key.byteCount - 1), in: key, pool: pool)
            let all = copies(of: hash, pool: pool)
            guard let rank = readable(all, besides: piece.tried | all.bit(of: row.node)) else { return body(key, nil) }
            return body(key, (all[rank], 1 << UInt8(rank)))
        }
    }

    // MARK: - What the other copies answer

    /// More of a value. A large one is not held for the chance that it is needed.
    func keepHedged(_ bytes: RawSpan, of call: UInt32) {
        let (hedge, piece) = (requests[calls[call].request].fan, calls[call].piece)
        guard lineHedges[hedge].first != none, piece != none else { return }
        if pieces[piece].reply.count + bytes.byteCount >= Self.largeValue
            || !queues.append(bytes, to: &pieces[piece].reply, through: &arena)
        {
            giveUp(hedge)
        }
    }

    func finishHedged(_ call: UInt32, _ code: ReplyCode, of link: UInt32) {
        countNode(calls[call], code)
        take(call, from: link)
        // What an answer does not mention is missing, what there is no answer about is not.
        if code == .end { endHedged(call) } else { failHedged(call, nil) }
    }

    func failHedged(_ call: UInt32, _ cause: ErrorCause?) {
        let (hedge, piece) = (requests[calls[call].request].fan, calls[call].piece)
        // What has seemed to be missing may have been answered with something else.
        if cause == .protocolError, lineHedges[hedge].first != none { giveUp(hedge) }
        if piece != none { queues.clear(&pieces[piece].reply) }
        calls[call].piece = none
        endHedged(call)
    }

    private func endHedged(_ call: UInt32) {
        let own = calls[call].request
        release(call)
        requests[own].pending &-= 1
        if requests[own].pending == 0 { meet(requests[own].fan) }
    }

    // MARK: - Meeting

    /// The other lines are over.
    private func meet(_ hedge: UInt32) {
        let row = lineHedges[hedge]
        guard row.first != none else {
            free(hedge)
            return
        }
        if row.isFirstOver {
            let hits = takeAnswers(of: hedge)
            calls[row.first].other = none
            free(hedge)
            goOn(row.first, hits, row.failure)
        } else if hasAnswers(to: row), !isMidValue(row.first) {
            let request = calls[row.first].request
            poolStats[Int(requests[request].pool)].copies.hedgesWon &+= UInt64(count(from: calls[row.first].piece))
            close(row.first, takeAnswers(of: hedge))
            drop(row.first)
            doubledReads += 1  // the one that is dropped
            free(hedge)
            settleOne(request)
        }
    }

    /// The first line is off its connection, and not all of it has been answered.
    /// - Parameter cause: nil for an error of the node's own.
    func leaveToHedge(_ call: UInt32, _ cause: ErrorCause?) {
        if calls[call].flags.contains(.blocking) { unblock(call) }
        let hedge = calls[call].other
        lineHedges.update(hedge) { ($0.isFirstOver, $0.failure) = (true, cause) }
        if requests[lineHedges[hedge].own].pending == 0 { meet(hedge) }
    }

    /// The first line has been answered.
    func giveUpHedge(of call: UInt32) { giveUp(calls[call].other) }

    /// The other lines' answers are not wanted any more.
    private func giveUp(_ hedge: UInt32) {
        let row = lineHedges[hedge]
        calls[row.first].other = none
        lineHedges[hedge].first = none
        if requests[row.own].pending == 0 { free(hedge) }
        if row.isFirstOver { goOn(row.first, 0, row.failure) }
    }

    private func free(_ hedge: UInt32) {
        let own = lineHedges[hedge].own
        while requests[own].firstPiece != none {
            let piece = requests[own].firstPiece
            requests[own].firstPiece = pieces[piece].next
            free(piece: piece)
        }
        requests.free(own)
        lineHedges.free(hedge)
        doubledReads -= 1
    }

    // MARK: - The first line

    /// A value is coming, and some of it may have left: it is waited for.
    private func isMidValue(_ call: UInt32) -> Bool {
        let link = links[calls[call].link]
        return link.first == call && link.valueLeft > 0
    }

    /// The first of the hedge's pieces that is for one which the line has not been answered.
    private func firstOpen(of row: LineHedge) -> UInt32 {
        var slot = requests[row.own].firstPiece
        for _ in 0..<(Int(row.keys) - count(from: calls[row.first].piece)) { slot = pieces[slot].next }
        return slot
    }

    private func hasAnswers(to row: LineHedge) -> Bool {
        var slot = firstOpen(of: row)
        while slot != none {
            guard isAnswer(pieces[slot], to: row.first) else { return false }
            slot = pieces[slot].next
        }
        return true
    }

    /// A value is one, and a miss where it is not asked about elsewhere.
    private func isAnswer(_ piece: Piece, to call: UInt32) -> Bool {
        piece.state == .settled && (!piece.reply.isEmpty || !calls[call].flags.contains(.asksOnMiss))
    }

    /// Gives the line's pieces the answers that there are. The others stay, and know which copies were asked in vain.
    /// Returns the number of values.
    private func takeAnswers(of hedge: UInt32) -> UInt32 {
        let row = lineHedges[hedge]
        var (slot, source, last, hits) = (calls[row.first].piece, firstOpen(of: row), none, UInt32(0))
        calls[row.first].piece = none
        while slot != none {
            let next = pieces[slot].nextOfCall
            let found = pieces[source]
            if isAnswer(found, to: row.first) {
                queues.clear(&pieces[slot].reply)
                queues.move(&pieces[source].reply, behind: &pieces[slot].reply)
                pieces[slot].state = .settled
                if !found.reply.isEmpty { hits &+= 1 }
            } else {
                pieces[slot].tried |= found.tried
                if found.state == .settled { pieces[slot].lacked |= found.tried }
                pieces[slot].nextOfCall = none
                if last == none { calls[row.first].piece = slot } else { pieces[last].nextOfCall = slot }
                last = slot
            }
            (slot, source) = (next, found.next)
        }
        return hits
    }

    /// All of the line has been answered, by whomever.
    /// - Parameter hits: values that came from other copies.
    private func close(_ call: UInt32, _ hits: UInt32) {
        let row = calls[call]
        let keys = row.keys &- askForMissed(call)
        giveUpMissed(of: call)
        // A value that was cut off may have come twice.
        let values = min(row.values &+ hits, keys)
        poolStats.update(Int(requests[row.request].pool)) {
            $0.hits.add(UInt64(values), to: row.verb.rawValue)
            $0.misses.add(UInt64(keys &- values), to: row.verb.rawValue)
        }
    }

    /// The line is over, and nothing comes from other copies any more.
    private func goOn(_ call: UInt32, _ hits: UInt32, _ failure: ErrorCause?) {
        let request = calls[call].request
        let pool = Int(requests[request].pool)
        guard calls[call].piece != none else {
            close(call, hits)
            release(call)
            settleOne(request)
            return
        }
        poolStats[pool].hits.add(UInt64(hits), to: calls[call].verb.rawValue)
        guard let failure else {
            poolStats[pool].errors.count(.serverError)
            requests[request].flags.insert(.failed)
            release(call)
            settleOne(request)
            return
        }
        failLine(call, failure)
    }
}
