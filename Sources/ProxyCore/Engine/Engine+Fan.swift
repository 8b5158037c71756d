internal import Bytes
internal import Distribution
internal import MemcacheProtocol
internal import Telemetry

/// Writes to pools with copies: to all copies at once, or to the acting primary first and then its effect to the others.
extension Engine {
    /// Takes up a write of a pool with copies. Returns how many bytes it used.
    func beginCopied(_ head: RequestHead, _ bytes: RawSpan, from id: UInt32) -> Int {
        let line = Int(head.lineLength)
        let whole = head.verb.carriesBody ? line + Int(head.bodyLength) + 2 : line
        let request = newRequest(head, from: id)
        let hash = hash(of: head, in: bytes, pool: clients[id].pool)
        if bytes.byteCount >= whole, head.verb.carriesBody, !endsInNewline(bytes, at: whole) {
            answerBadChunk(request)
            return whole
        }
        guard let fan = newFan(for: request, head, hash) else {
            swallow(max(0, whole - line), from: id)
            return line
        }
        let isWhole = bytes.byteCount >= whole
        let isKept = keep(bytes.extracting(0..<(isWhole ? whole : line)), line: line, of: fan)
        if !isWhole { return collect(fan, isKept: isKept, whole - line, line, from: id) }
        if isKept { start(fan) } else { abandon(fan, answering: .outOfMemory) }
        return whole
    }

    /// The block has not all come: the line waits in the fan, the block in a call.
    private func collect(_ fan: UInt32, isKept: Bool, _ block: Int, _ line: Int, from id: UInt32) -> Int {
        let call = calls.take(Call(request: fans[fan].own, node: 0, verb: fans[fan].head.verb, flags: [], sent: now))
        if !isKept { calls[call].flags.insert(.overflowed) }
        clients[id].collecting = call
        clients[id].bodyLeft = UInt64(block)
        clients[id].flags.remove(.badChunk)
        return line
    }

    /// The block that was collected is whole, unless `problem` says otherwise.
    func beginFan(collected call: UInt32, _ problem: ReplyText?) {
        let fan = requests[calls[call].request].fan
        if let problem {
            discard(call)
            abandon(fan, answering: problem)
            return
        }
        queues.move(&calls[call].staged, behind: &fans[fan].block)
        discard(call)
        start(fan)
    }

    /// A fan for the request, or for a piece of it; nil, with that answered, where too few copies take writes.
    func newFan(for request: UInt32, _ head: RequestHead, _ hash: UInt64, piece: UInt32 = none) -> UInt32? {
        let pool = requests[request].pool
        let (all, minLive, acks) = unsafe pools[Int(pool)]._withUnsafeGuaranteedRef {
            ($0.copies(of: hash), $0.minLive, $0.acks)
        }
        let live = writable(all)
        guard live.count >= minLive, !live.isEmpty else {
            poolStats[Int(pool)].errors.count(live.isEmpty ? .nodeDown : .tooFewCopies)
            if piece != none {
                pieces[piece].state = .settled
            } else {
                answerFailure(request, live.isEmpty ? .nodeDown : .tooFewCopies)
            }
            return nil
        }
        let own = requests.take(Request(client: none, verb: head.verb, flags: .fanned, pool: pool, started: now))
        if !head.goesToAllCopies, live.primary != all.primary { poolStats[Int(pool)].copies.failovers.count(.nodeDown) }
        let fan = fans.take(
            Fan(
                client: request, piece: piece, own: own, nodes: live,
                progress: CopyProgress(asked: 1, needed: acks.needed(copies: all.count, live: live.count)),
                head: head, pool: pool, hash: hash))
        requests[own].fan = fan
        requests[own].pending = 1  // the fan itself
        requests[request].pending &+= 1
        return fan
    }

    /// Keeps the command until all copies have answered: the line, in one piece, and what there is of the block.
    func keep(_ bytes: RawSpan, line: Int, of fan: UInt32) -> Bool {
        guard !queues.isCrowded, arena.room >= line || queues.renew(&arena) else { return false }
        return queues.append(bytes.extracting(0..<line), to: &fans[fan].line, through: &arena)
            && queues.append(bytes.extracting(droppingFirst: line), to: &fans[fan].block, through: &arena)
    }

    /// Sends the command, which is whole now, to the copies that are asked first.
    func start(_ fan: UInt32) {
        let isBusy = writes.begin(WriteTable.hash(fans[fan].hash, pool: fans[fan].pool), by: writer)
        if !isBusy, fans[fan].head.goesToAllCopies {
            fans.update(fan) {
                $0.goesToAll = true
                $0.isDeciding = false
                for rank in $0.nodes.indices { $0.progress.ask(rank) }
            }
        }
        let row = fans[fan]
        for rank in row.nodes.indices where row.progress.asked & 1 << UInt8(rank) != 0 {
            send(to: rank, of: fan)
        }
        settle(fan: fan, row.own)
    }

    /// Sends one copy what it is to get now.
    private func send(to rank: Int, of fan: UInt32) {
        let call = newCopyCall(to: rank, of: fan)
        var row = fans[fan]
        let isFenced = calls[call].flags.contains(.fenced)
        if isFenced { row.head.quiet = .empty }  // it stays in the line
        let isPlain = row.isDeciding ? !row.head.options.contains(.comparesCAS) : row.goesToAll
        _ = queues.withStart(of: row.line, limit: Int(row.head.lineLength)) { line in
            if isPlain { writeLine(row.head, line, of: call) } else { writeMade(line, of: call, row) }
        }
        if isFenced { write("mn\r\n", of: call) }
        let link = calls[call].link
        guard row.head.verb.carriesBody, links[link].state != .closed else { return }
        if row.block.count <= Self.copiedBlock {
            queues.forEachRun(of: row.block) { run in
                write(run, of: call)
                return links[link].state != .closed
            }
        } else {
            share(row.block, with: call)
        }
    }

    /// Up to here copying a block behind its line, so that they leave in one piece, costs less than sharing it.
    private static var copiedBlock: Int { 4096 }

    /// A line other than the client's: with the CAS number that the node knows, or for the effect.
    private func writeMade(_ line: RawSpan, of call: UInt32, _ fan: Fan) {
        let head = fan.head
        let isMade: Bool
        if fan.isDeciding {
            let shown = head.comparedCAS(in: line) ?? 0
            let asked = tag(of: calls[call].node, pool: fan.pool).asked(shown, by: head.verb, head.options)
            isMade = CopyLine.comparing(asked, line, head, into: &made)
        } else if fan.effect == .sameValue {
            isMade = CopyLine.sameValue(line, head, into: &made)
        } else {
            isMade = CopyLine.sameCommand(line, head, key: head.key, into: &made)
        }
        if isMade { made.withBytes { write($0, of: call) } } else { fail(link: calls[call].link, .memoryLimit) }
    }

    func newCopyCall(to rank: Int, of fan: UInt32) -> UInt32 {
        let row = fans[fan]
        let call = newCall(for: row.own, verb(of: row), to: row.nodes[rank], rank: rank)
        calls[call].rawKeyLength = row.head.rawKeyLength
        if row.isDeciding || row.goesToAll { calls[call].flags = row.head.tagging }
        if row.isDeciding, row.head.isToldByNode { calls[call].flags.insert(.fenced) }
        return call
    }

    // MARK: - Answers

    /// The call's copy has answered, or has more of its answer to come than this.
    func keepAnswer(_ bytes: RawSpan, of call: UInt32) {
        let fan = requests[calls[call].request].fan
        let rank = calls[call].rank
        guard fans[fan].client != none, rank <= fans[fan].held else { return }
        if rank < fans[fan].held {
            queues.clear(&fans[fan].answer)
            fans[fan].held = rank
        }
        if fans[fan].answer.isEmpty { keepTogether(bytes) }
        if !queues.append(bytes, to: &fans[fan].answer, through: &arena), requests[fans[fan].client].client != none {
            runOut(fans[fan].client)
        }
    }

    /// The call's copy has answered, with these bytes at the end.
    func finishCopy(_ call: UInt32, _ code: ReplyCode, _ bytes: RawSpan, of link: UInt32) {
        let ended = calls[call]
        let fan = requests[ended.request].fan
        let rank = Int(ended.rank)
        if ended.flags.contains(.fenced), code != .mn {
            keepAnswer(bytes, of: call)
            fans[fan].code = code
            return
        }
        countNode(ended, code)
        let code = code == .mn ? endFence(rank, of: fan) : keepLast(bytes, of: call, code)
        let isHeld = fans[fan].held == ended.rank
        let reply =
            isHeld
            ? queues.withStart(of: fans[fan].answer, limit: 1024) { copyReply(code, ended.verb, $0) }
            : copyReply(code, ended.verb, bytes)
        fans.update(fan) {
            if isHeld { $0.code = code }
            $0.progress.answer(rank)
        }
        take(call, from: link)
        release(call)
        heard(reply ?? CopyReply(code), from: rank, fan)
        settle(fan: fan, ended.request)
        settleOne(ended.request)
    }

    /// The last of a copy's answer. Returns what it says: of a gat the END comes last, hit or miss.
    private func keepLast(_ bytes: RawSpan, of call: UInt32, _ code: ReplyCode) -> ReplyCode {
        guard code == .end else {
            keepAnswer(bytes, of: call)
            return code
        }
        let isPiece = fans[requests[calls[call].request].fan].piece != none
        keepAnswer(isPiece ? bytes.extracting(droppingLast: 5) : bytes, of: call)
        return calls[call].values > 0 ? .value : .end
    }

    /// The acting primary has worked off a command that it was asked quietly. Returns what it answered. If nothing, it
    /// has counted, and not made, the item: so are the others to.
    private func endFence(_ rank: Int, of fan: UInt32) -> ReplyCode {
        guard fans[fan].held == .max else { return fans[fan].code }
        fans.update(fan) {
            $0.held = UInt8(rank)
            $0.head.options.subtract([.vivifies, .wantsValue])
        }
        return .hd
    }

    private func copyReply(_ code: ReplyCode, _ verb: Verb, _ bytes: RawSpan) -> CopyReply {
        let line = min((bytes.firstNewline(from: 0) ?? bytes.byteCount) + 1, bytes.byteCount)
        return CopyReply(
            code, to: verb, header: bytes.extracting(0..<line), value: bytes.extracting(droppingFirst: line))
    }

    private func heard(_ reply: CopyReply, from rank: Int, _ fan: UInt32) {
        let row = fans[fan]
        if row.isDeciding {
            decide(fan, reply)
        } else if row.goesToAll {
            if reply.code.isError { fans[fan].needsRepair = true }
        } else {
            let agrees = row.effect.agrees(reply, with: row.decided, to: row.head.verb, row.head.options)
            if !agrees { fans[fan].needsRepair = true }
        }
    }

    /// What is asked of the copies now.
    private func verb(of fan: Fan) -> Verb {
        guard !fan.isDeciding, !fan.goesToAll else { return fan.head.verb }
        switch (fan.effect, fan.head.verb) {
        case (.sameValue, .metaSet): return .metaSet
        case (.sameValue, _): return .set
        case (_, .gat), (_, .gats): return .touch
        default: return fan.head.verb
        }
    }

    /// The acting primary has decided: the others get the effect.
    private func decide(_ fan: UInt32, _ reply: CopyReply) {
        let row = fans[fan]
        let effect = CopyEffect(of: row.head.verb, row.head.options, reply)
        fans.update(fan) {
            $0.isDeciding = false
            $0.decided = reply
            $0.effect = effect
        }
        switch effect {
        case .nothing: break
        case .repair: fans[fan].needsRepair = true
        case .sameCommand, .sameValue: spread(fan, to: 0..<row.nodes.count)
        }
    }

    /// Asks those of the ranks that have not been asked.
    private func spread(_ fan: UInt32, to ranks: Range<Int>) {
        let (own, before) = (fans[fan].own, fans[fan].progress.asked)
        // All of them first, so that the fan cannot end between two.
        for rank in ranks { fans.update(fan) { $0.progress.ask(rank) } }
        for rank in ranks where before & 1 << UInt8(rank) == 0 && requests[own].fan == fan {
            send(to: rank, of: fan)
        }
    }

    /// A copy will not answer.
    /// - Parameter isUnsent: the node cannot have got the command.
    func failCopy(_ call: UInt32, _ cause: ErrorCause, isUnsent: Bool) {
        let ended = calls[call]
        let fan = requests[ended.request].fan
        let rank = Int(ended.rank)
        let pool = Int(fans[fan].pool)
        poolStats[pool].copies.failed.count(cause)
        fans.update(fan) {
            $0.cause = cause
            $0.progress.fail(rank)
        }
        if fans[fan].held == ended.rank {
            queues.clear(&fans[fan].answer)
            fans[fan].held = .max
        }
        release(call)
        let row = fans[fan]
        if row.isDeciding, isUnsent || row.head.goesToAllCopies, rank + 1 < row.nodes.count {
            // The next copy is the acting primary now. A set may be done twice.
            poolStats[pool].copies.failovers.count(cause)
            spread(fan, to: rank + 1..<rank + 2)
        } else {
            // What was sent may have been done.
            fans[fan].needsRepair = true
        }
        settle(fan: fan, ended.request)
        settleOne(ended.request)
    }

    /// Answers the client as soon as it may hear, and ends the fan when no copy is left to answer.
    /// - Parameter own: the fan's request, which tells whether the fan has ended meanwhile.
    private func settle(fan: UInt32, _ own: UInt32) {
        guard requests[own].fan == fan else { return }
        let row = fans[fan]
        if row.client != none, !row.isDeciding || row.progress.isLost {
            if row.progress.isDecided {
                giveAnswer(of: fan)
            } else if row.progress.isLost {
                fans[fan].client = none
                poolStats[Int(row.pool)].errors.count(row.cause)
                giveError(row.cause.reply, of: row)
            }
        }
        if row.progress.isOver { end(fan) }
    }

    private func giveAnswer(of fan: UInt32) {
        let row = fans[fan]
        fans[fan].client = none
        countPool(row.head.verb, row.code, pool: Int(row.pool))
        poolStats[Int(row.pool)].copies.acknowledged.count(row.progress.answered.nonzeroBitCount)
        let isHidden =
            requests[row.client].flags.contains(.quiet) && ReplyCode.quietHides(row.head.verb, row.code)
            && !row.head.isToldByNode
        if row.piece != none {
            // A get of several keys never fails as a whole.
            if !row.code.isError { queues.move(&fans[fan].answer, behind: &pieces[row.piece].reply) }
            pieces[row.piece].state = .settled
        } else if !isHidden, requests[row.client].client != none {
            queues.move(&fans[fan].answer, behind: &requests[row.client].reply)
        }
        settleOne(row.client)
    }

    private func giveError(_ text: ReplyText, of fan: Fan) {
        if fan.piece != none {
            pieces[fan.piece].state = .settled
            settleOne(fan.client)
            return
        }
        requests[fan.client].pending = 0
        if text == .badDataChunk {
            answerBadChunk(fan.client)
        } else {
            answerFailure(fan.client, text)
        }
    }

    private func end(_ fan: UInt32) {
        let row = fans[fan]
        poolStats[Int(row.pool)].copies.written &+= UInt64(row.progress.answered.nonzeroBitCount)
        let (overlapped, doubted) = writes.conclude(WriteTable.hash(row.hash, pool: row.pool))
        considerRepair(row, overlapped: overlapped, doubted: doubted)
        free(fan: fan)
    }

    private func free(fan: UInt32) {
        let row = fans[fan]
        queues.clear(&fans[fan].line)
        queues.clear(&fans[fan].block)
        queues.clear(&fans[fan].answer)
        fans.free(fan)
        requests[row.own].fan = none
        settleOne(row.own)
    }

    /// Nothing was sent.
    func abandon(_ fan: UInt32, answering text: ReplyText) {
        let row = fans[fan]
        if text == .outOfMemory { poolStats[Int(row.pool)].errors.count(.memoryLimit) }
        free(fan: fan)
        giveError(text, of: row)
    }
}
