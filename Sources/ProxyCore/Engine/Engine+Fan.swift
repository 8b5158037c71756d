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
        if isWhole, whole <= Self.copiedBlock, head.goesToAllCopies, head.isUnchanged {
            pass(bytes.extracting(0..<whole), head, of: fan)
            return whole
        }
        let isKept = keep(bytes.extracting(0..<(isWhole ? whole : line)), line: line, of: fan)
        guard isWhole else { return collect(fan, isKept: isKept, whole - line, line, from: id) }
        if isKept { start(fan) } else { abandon(fan, answering: .outOfMemory) }
        return whole
    }

    /// A gat of several keys: a get of them, and behind it a touch of each.
    func beginTouching(_ head: RequestHead, _ bytes: RawSpan, from id: UInt32) -> Int {
        let pool = clients[id].pool
        var read = head
        read.verb = head.verb == .gat ? .get : .gets
        read.argument = .empty
        let used = beginMultiget(read, bytes, from: id)
        let time = bytes.extracting(head.argument.start..<head.argument.end)
        for index in 0..<Int(head.keyCount) where hasRoom {
            let key = parser.key(at: index)
            touch(bytes.extracting(key.start..<key.end), time, pool: pool)
        }
        return used
    }

    /// Nobody waits for this.
    private func touch(_ key: RawSpan, _ time: RawSpan, pool: UInt16) {
        made.clear()
        made.append("touch ")
        made.append(key)
        made.append(" ")
        made.append(time)
        made.append("\r\n")
        var scan = LineScan()
        var started = none
        made.withBytes { line in
            let step = unsafe pools[Int(pool)]._withUnsafeGuaranteedRef {
                reparser.parseAny(line, scan: &scan, limits: $0.protocolLimits)
            }
            guard case .request(let head) = step else { return }
            let request = requests.take(Request(client: none, verb: .touch, flags: .quiet, pool: pool, started: now))
            guard let fan = newFan(for: request, head, hash(of: head, in: line, pool: pool)) else { return }
            if keep(line, line: line.byteCount, of: fan) {
                started = fan
            } else {
                abandon(fan, answering: .outOfMemory)
            }
        }
        if started != none { start(started) }
    }

    /// The block has not all come: the line waits in the fan, the block in a call.
    private func collect(_ fan: UInt32, isKept: Bool, _ block: Int, _ line: Int, from id: UInt32) -> Int {
        let call = calls.take(Call(request: fans[fan].request, node: 0, verb: fans[fan].head.verb, flags: [], sent: now))
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

    /// A fan for the request; nil, with the request answered, where too few copies take writes.
    @inline(__always)
    private func newFan(for request: UInt32, _ head: RequestHead, _ hash: UInt64) -> UInt32? {
        let pool = requests[request].pool
        let (all, minLive, acks) = unsafe pools[Int(pool)]._withUnsafeGuaranteedRef {
            ($0.copies(of: hash), $0.minLive, $0.acks)
        }
        let live = writable(all)
        guard live.count >= minLive, !live.isEmpty else {
            poolStats[Int(pool)].errors.count(live.isEmpty ? .nodeDown : .tooFewCopies)
            answerFailure(request, live.isEmpty ? .nodeDown : .tooFewCopies)
            return nil
        }
        let goesToAll = head.goesToAllCopies
        let progress = CopyProgress(
            count: goesToAll ? live.count : 1, needed: acks.needed(copies: all.count, live: live.count))
        let fan = fans.take(
            Fan(
                request: request, nodes: live, progress: progress, pool: pool,
                asksAll: live.count == all.count, goesToAll: goesToAll, isDeciding: !goesToAll, hash: hash, head: head))
        writes.begin(WriteTable.hash(hash, pool: pool))
        requests.update(request) {
            $0.flags.insert(.fanned)
            $0.fan = fan
            $0.pending = 1  // the fan itself
        }
        return fan
    }

    /// Keeps the command until all copies have answered: the line, and what there is of the block.
    private func keep(_ bytes: RawSpan, line: Int, of fan: UInt32) -> Bool {
        guard !queues.isCrowded else { return false }
        return fans.update(fan) {
            queues.keep(bytes.extracting(0..<line), in: &$0.line, through: &arena)
                && (bytes.byteCount == line
                    || queues.append(bytes.extracting(droppingFirst: line), to: &$0.block, through: &arena))
        }
    }

    /// As nearly always: the command goes to all copies, in one piece and as its client sent it.
    @inline(__always)
    private func pass(_ bytes: RawSpan, _ head: RequestHead, of fan: UInt32) {
        let (request, nodes) = (fans[fan].request, fans[fan].nodes)
        let line = Int(head.lineLength)
        for rank in nodes.indices {
            if pass(bytes, head, to: nodes[rank], for: request, .toCopy, rank: rank, keep: false) {
                // The first connection's copy of the line is kept.
                if rank == 0 { fans[fan].line = keep(line, ofLast: bytes.byteCount, sentTo: nodes[rank]) }
            } else if rank > 0 || keep(bytes.extracting(0..<line), line: line, of: fan) {
                write(bytes, of: newCopyCall(to: rank, of: fan))
            } else {
                abandon(fan, answering: .outOfMemory)
                return
            }
        }
    }

    @inline(__always)
    private func keep(_ count: Int, ofLast written: Int, sentTo node: UInt32) -> ByteRun {
        queues.keep(count, ofLast: written, in: links[nodes[node].link].open)
    }

    /// Sends the command to the copies that are asked first.
    private func start(_ fan: UInt32) {
        let row = fans[fan]
        for rank in row.nodes.indices where row.progress.isAsked(rank) { send(to: rank, of: fan) }
    }

    /// Sends one copy what it is to get now.
    private func send(to rank: Int, of fan: UInt32) {
        let call = newCopyCall(to: rank, of: fan)
        let row = fans[fan]
        let isPlain = row.isDeciding ? !row.head.options.contains(.comparesCAS) : row.goesToAll
        queues.withBytes(of: row.line) { line in
            if isPlain { writeLine(row.head, line, of: call) } else { writeMade(line, of: call, row) }
        }
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
        let call = newCall(for: row.request, verb(of: row), to: row.nodes[rank], rank: rank)
        calls[call].rawKeyLength = row.head.rawKeyLength
        calls[call].flags.insert(.toCopy)
        if row.isDeciding || row.goesToAll { calls[call].flags.formUnion(row.head.tagging) }
        return call
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

    /// Asks those of the ranks that have not been asked.
    func spread(_ fan: UInt32, to ranks: Range<Int>) {
        let (request, before) = (fans[fan].request, fans[fan].progress)
        // All of them first, so that the fan cannot end between two.
        for rank in ranks { fans[fan].progress.ask(rank) }
        for rank in ranks where !before.isAsked(rank) && requests[request].fan == fan {
            send(to: rank, of: fan)
        }
    }

    /// Nothing was sent.
    private func abandon(_ fan: UInt32, answering text: ReplyText) {
        let row = fans[fan]
        if text == .outOfMemory { poolStats[Int(row.pool)].errors.count(.memoryLimit) }
        end(fan, changedNothing: true)
        requests.update(row.request) {
            $0.flags.remove(.fanned)
            $0.pending = 0
        }
        if text == .badDataChunk { answerBadChunk(row.request) } else { answer(row.request, text) }
    }
}

extension RequestHead {
    /// A node can be sent it as it came.
    fileprivate var isUnchanged: Bool { quiet.isEmpty && !showsCAS }
}
