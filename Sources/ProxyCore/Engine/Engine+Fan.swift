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
        let isWhole = bytes.byteCount >= whole
        let request = newRequest(head, from: id)
        if isWhole, whole > line, !endsInNewline(bytes, at: whole) {
            answerBadChunk(request)
            return whole
        }
        guard let fan = newFan(for: request, head, hash(of: head, in: bytes, pool: clients[id].pool)) else {
            swallow(max(0, whole - line), from: id)
            return line
        }
        guard isWhole else {
            let isKept = keep(bytes.extracting(0..<line), line: line, of: fan)
            return collect(fan, isKept: isKept, whole - line, line, from: id)
        }
        if hasPeers, !claims(fan) {
            wait(fan, bytes.extracting(0..<whole), line: line)
            return whole
        }
        begin(fan)
        if fans[fan].isUsual, whole <= Self.copiedBlock, head.isUnchanged {
            pass(bytes.extracting(0..<whole), head, of: fan)
        } else if keep(bytes.extracting(0..<whole), line: line, of: fan) {
            send(fan)
        } else {
            giveUp(fan)
        }
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
        // Only now: how slowly a client sends is nothing to others.
        if hasPeers, !claims(fan) { return wait(fan) }
        begin(fan)
        send(fan)
    }

    /// A fan for the request, or for a piece of it; nil, with that answered, where too few copies take writes.
    /// - Parameter isRenewed: for the second time.
    @inline(__always)
    func newFan(
        for request: UInt32, _ head: RequestHead, _ hash: UInt64, piece: UInt32 = none, isRenewed: Bool = false
    ) -> UInt32? {
        let (all, minLive, acks) = unsafe pools[Int(requests[request].pool)]._withUnsafeGuaranteedRef {
            ($0.copies(of: hash), $0.minLive, $0.acks)
        }
        guard areFull(all), !all.isEmpty, all.count >= minLive, hasRoomForFan(of: all.count) else {
            return newFanOfFew(for: request, head, hash, piece: piece, isRenewed: isRenewed)
        }
        let own = piece == none ? request : newOwnRequest(for: request, head.verb)
        let count = UInt8(truncatingIfNeeded: all.count)
        let progress = CopyProgress(needed: acks.needed(copies: all.count, live: all.count), minimum: minLive)
        return take(
            Fan(
                client: request, piece: piece, own: own, nodes: all, survivors: count, together: count,
                progress: progress, pool: requests[request].pool, asksAll: true, hash: hash, head: head))
    }

    /// `newFan` where not all copies are full, or there is no room.
    @inline(never)
    private func newFanOfFew(
        for request: UInt32, _ head: RequestHead, _ hash: UInt64, piece: UInt32, isRenewed: Bool
    ) -> UInt32? {
        let pool = requests[request].pool
        let (all, minLive, acks) = unsafe pools[Int(pool)]._withUnsafeGuaranteedRef {
            ($0.copies(of: hash), $0.minLive, $0.acks)
        }
        let (live, survivors, together) = arranged(all)
        guard together >= minLive, !live.isEmpty else {
            refuse(request, piece: piece, live.isEmpty ? .nodeDown : .tooFewCopies)
            return nil
        }
        guard hasRoomForFan(of: live.count) else {
            refuse(request, piece: piece, .memoryLimit)
            return nil
        }
        if !head.goesToAllCopies, live.primary != all.primary, !isRenewed {
            poolStats[Int(pool)].copies.failovers.count(.nodeDown)
        }
        let own = piece == none ? request : newOwnRequest(for: request, head.verb)
        let progress = CopyProgress(
            needed: acks.needed(copies: all.count, live: live.count), minimum: minLive,
            late: UInt8(truncatingIfNeeded: (1 << live.count) - (1 << survivors)),
            uncounted: UInt8(truncatingIfNeeded: (1 << live.count) - (1 << together)))
        return take(
            Fan(
                client: request, piece: piece, own: own, nodes: live, survivors: UInt8(truncatingIfNeeded: survivors),
                together: UInt8(truncatingIfNeeded: together), progress: progress, pool: pool,
                asksAll: live.count == all.count, hash: hash, head: head))
    }

    @inline(__always)
    private func take(_ row: Fan) -> UInt32 {
        let fan = fans.take(row)
        requests.update(row.own) {
            $0.flags.insert(.fanned)
            $0.fan = fan
            $0.pending = 1  // the fan itself
        }
        return fan
    }

    private func refuse(_ request: UInt32, piece: UInt32, _ cause: ErrorCause) {
        poolStats[Int(requests[request].pool)].errors.count(cause)
        if piece != none {
            pieces[piece].state = .settled
        } else {
            answerFailure(request, cause.reply)
        }
    }

    /// For the calls of one piece of a request, which has fans for others too.
    private func newOwnRequest(for request: UInt32, _ verb: Verb) -> UInt32 {
        requests[request].pending &+= 1
        return requests.take(
            Request(client: none, verb: verb, flags: [], pool: requests[request].pool, started: now))
    }

    /// Keeps the command until all copies have answered: the line, and what there is of the block.
    func keep(_ bytes: RawSpan, line: Int, of fan: UInt32) -> Bool {
        guard !queues.isCrowded else { return false }
        return fans.update(fan) {
            queues.keep(bytes.extracting(0..<line), in: &$0.line, through: &arena)
                && (bytes.byteCount == line
                    || queues.append(bytes.extracting(droppingFirst: line), to: &$0.block, through: &arena))
        }
    }

    /// The command, which is whole now, goes to all copies at once if it can, else to the acting primary.
    @inline(__always)
    func begin(_ fan: UInt32) {
        let isBusy = writes.begin(WriteTable.hash(fans[fan].hash, pool: fans[fan].pool), by: writer)
        guard !isBusy, fans[fan].head.goesToAllCopies else { return }
        fans.update(fan) {
            $0.goesToAll = true
            $0.isUsual = $0.asksAll && $0.progress.late == 0
            $0.isDeciding = false
            $0.progress.askFirst(Int($0.together))
        }
    }

    /// As nearly always: the command goes to all copies, in one piece and as its client sent it.
    @inline(__always)
    private func pass(_ bytes: RawSpan, _ head: RequestHead, of fan: UInt32) {
        let (own, nodes) = (fans[fan].own, fans[fan].nodes)
        let line = Int(head.lineLength)
        for rank in nodes.indices {
            if pass(bytes, head, to: nodes[rank], for: own, .toCopy, rank: rank, keep: false) {
                // The first connection's copy of the line is kept.
                if rank == 0 { fans[fan].line = keep(line, ofLast: bytes.byteCount, sentTo: nodes[rank]) }
            } else if rank > 0 || keep(bytes.extracting(0..<line), line: line, of: fan) {
                write(bytes, of: newCopyCall(to: rank, of: fan))
            } else {
                giveUp(fan)
                return
            }
        }
    }

    @inline(__always)
    private func keep(_ count: Int, ofLast written: Int, sentTo node: UInt32) -> ByteRun {
        queues.keep(count, ofLast: written, in: links[nodes[node].link].open)
    }

    /// There is no memory to keep the command, of which nothing was sent.
    private func giveUp(_ fan: UInt32) {
        _ = writes.end(WriteTable.hash(fans[fan].hash, pool: fans[fan].pool))
        if fans[fan].hold != .none { letGo(fan) }
        abandon(fan, answering: .outOfMemory)
    }

    /// Sends the command to the copies that are asked first.
    func send(_ fan: UInt32) {
        let row = fans[fan]
        for rank in row.nodes.indices where row.progress.isAsked(rank) { send(to: rank, of: fan) }
    }

    /// Sends one copy what it is to get now.
    func send(to rank: Int, of fan: UInt32) {
        let call = newCopyCall(to: rank, of: fan)
        var row = fans[fan]
        let isFenced = calls[call].flags.contains(.fenced)
        if isFenced { row.head.quiet = .empty }  // it stays in the line
        let isPlain = row.isDeciding ? !row.head.options.contains(.comparesCAS) : row.goesToAll
        queues.withBytes(of: row.line) { line in
            if isPlain { writeLine(row.head, line, of: call) } else { writeMade(line, of: call, row) }
        }
        if isFenced { write("mn\r\n", of: call) }
        let link = calls[call].link
        guard row.head.verb.carriesBody, !row.isDeleting, links[link].state != .closed else { return }
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
        } else if fan.isDeleting {
            isMade = CopyLine.delete(of: line, fan.head, into: &made)
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
        calls[call].rawKeyLength = row.isDeleting ? 0 : row.head.rawKeyLength
        calls[call].flags = .toCopy
        if row.isDeciding || row.goesToAll { calls[call].flags.formUnion(row.head.tagging) }
        if row.isDeciding, row.head.isToldByNode { calls[call].flags.insert(.fenced) }
        return call
    }

    /// What is asked of the copies now.
    private func verb(of fan: Fan) -> Verb {
        guard !fan.isDeleting else { return .metaDelete }
        guard !fan.isDeciding, !fan.goesToAll else { return fan.head.verb }
        switch (fan.effect, fan.head.verb) {
        case (.sameValue, .metaSet): return .metaSet
        case (.sameValue, _): return .set
        case (_, .gat), (_, .gats): return .touch
        default: return fan.head.verb
        }
    }

    /// Asks those of the ranks that have not been asked.
    func spread(_ fan: UInt32, to ranks: Range<Int>) {
        let (own, before) = (fans[fan].own, fans[fan].progress)
        // All of them first, so that the fan cannot end between two.
        for rank in ranks { fans[fan].progress.ask(rank) }
        for rank in ranks where !before.isAsked(rank) && requests[own].fan == fan {
            send(to: rank, of: fan)
        }
    }
}

extension RequestHead {
    /// A node can be sent it as it came.
    fileprivate var isUnchanged: Bool { quiet.isEmpty && !showsCAS }
}
