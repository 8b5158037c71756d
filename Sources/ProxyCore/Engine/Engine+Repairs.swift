internal import Bytes
internal import Distribution
internal import MemcacheProtocol
internal import Telemetry

/// A repair that is under way.
struct RepairRun: BitwiseCopyable {
    var repair: Repair
    var plan: RepairPlan
    /// All copies of the key, and which of them the plan's are.
    let copies: Copies
    let order: CopyOrder
    /// The request that its calls belong to.
    var own: UInt32
    /// The source's value, with its CR LF.
    var value = ByteQueue()
    /// What has come of each copy's reply.
    var replies = InlineArray<8, ByteQueue>(repeating: ByteQueue())
}

/// Keys whose copies may differ: compared, and corrected from the acting primary, behind the clients' backs.
extension Engine {
    /// Repairs under way at once.
    static var repairLimit: Int { 16 }
    /// 1.6.27: from there on a command can choose its item's CAS number.
    private static var choosingVersion: ServerVersion { ServerVersion(1, 6, 27) }

    /// The write is over: its key is repaired if its copies may differ.
    ///
    /// Where markers are kept, a copy that missed the write is revoked and filled anew, and none of the others differs for
    /// that; it only is no good source. Where none are kept, the repair waits for it.
    /// - Parameter doubted: copies that may have got an older value meanwhile.
    func considerRepair(_ fan: Fan, overlapped: Bool, doubted: UInt8) {
        let all = copies(of: fan.hash, pool: fan.pool)
        guard all.count > 1 else { return }
        var missed: UInt8 = 0
        for index in all.indices {
            let rank = fan.nodes.index(of: all[index])
            let isWritten = rank.map { fan.progress.failed & 1 << UInt8($0) == 0 } ?? false
            if !isWritten { missed |= 1 << UInt8(index) }
        }
        let isChanged = fan.effect != .nothing || fan.goesToAll || fan.isDeciding
        var (doubted, overtaken) = (doubted, UInt8(0))
        if keepsMarkers(all.primary) {
            overtaken = self.overtaken(by: fan, all)
            doubted |= missed | overtaken
            missed = 0
        }
        guard overlapped || fan.needsRepair || missed != 0 && isChanged || overtaken != 0 || isEmptied(fan) else {
            return
        }
        let reason: RepairReason = missed != 0 ? .copyFailed : overlapped ? .overlap : .disagree
        let key = fan.head.key
        queues.withBytes(of: fan.line) { line in
            poolStats.update(Int(fan.pool)) {
                _ = repairs.add(
                    line.extracting(key.start..<key.end), isBase64: fan.head.options.contains(.base64Key),
                    hash: WriteTable.hash(fan.hash, pool: fan.pool), pool: fan.pool, reason: reason, missed: missed,
                    doubted: doubted, now: now, counted: &$0.repairs)
            }
        }
    }

    /// A copy that is being filled has lost the key to a command whose effect only the others know. Where it is to be read
    /// soon, and for itself, as while keys move, it gets it back at once.
    private func isEmptied(_ fan: Fan) -> Bool {
        guard fan.isDeleting, fan.progress.late != 0, !fan.head.goesToAllCopies else { return false }
        return unsafe pools[Int(fan.pool)]._withUnsafeGuaranteedRef { $0.isMoving }
    }

    /// Begins what is due.
    func runRepairs() {
        while runs.count < Self.repairLimit, let repair = repairs.next(now: now) { begin(repair) }
    }

    private func begin(_ repair: Repair) {
        let all = copies(of: ringHash(of: repair), pool: repair.pool)
        var (live, whole, former, best) = (UInt8(0), UInt8(0), UInt8(0), UInt64.max)
        for index in all.indices {
            let bit: UInt8 = 1 << UInt8(index)
            if isWritable(node: all[index]) { live |= bit }
            if isReadable(node: all[index]) { whole |= bit }
            guard isWritable(node: all[index]), nodes[all[index]].verdict.hasContents else { continue }
            let rank = guessRank(all[index])
            former = rank < best ? bit : rank == best ? former | bit : former
            best = min(best, rank)
        }
        // That one is being filled is known.
        if repair.isCheck { live = whole }
        if repair.suspicion != nil, hasBeenDown(all) { return dropSuspicion(repair) }
        // What is being filled is corrected and corrects none, unless there is nothing better: then what reads are answered
        // from.
        let sources = whole != 0 ? whole : former
        let late = sources == 0 ? 0 : live & ~sources
        let order = repair.order(live: live, late: late)
        guard order.count > 1 else {
            retry(repair, .nodeDown)
            return
        }
        guard writes.beginAlone(repair.hash, targets: order.targets) else {
            retry(repair, .busy)
            return
        }
        let own = requests.take(
            Request(client: none, verb: .metaGet, flags: .repairing, pool: repair.pool, started: now))
        let run = runs.take(
            RepairRun(
                repair: repair,
                plan: RepairPlan(
                    copies: order.count, sources: order.count - late.nonzeroBitCount, isCheck: repair.isCheck,
                    expected: repair.suspicion),
                copies: all, order: order, own: own))
        liveRuns.push(run)
        requests[own].fan = run
        requests[own].pending = 1  // the run itself
        sendCommands(of: run)
    }

    private func ringHash(of repair: Repair) -> UInt64 {
        repairs.withKey(of: repair.slot) { key in
            guard repair.isBase64 else {
                return hash(of: ByteRange(offset: 0, length: key.byteCount), in: key, pool: repair.pool)
            }
            var decoded = InlineArray<192, UInt8>(repeating: 0)
            let length = Base64.decode(key, into: &decoded)
            return unsafe hash(of: ByteRange(offset: 0, length: length), in: decoded.span.bytes, pool: repair.pool)
        }
    }

    private func sendCommands(of run: UInt32) {
        let own = runs[run].own
        while requests[own].fan == run, let command = runs.update(run, { $0.plan.nextCommand() }) {
            send(command, of: run)
        }
        if requests[own].fan == run, let outcome = runs[run].plan.outcome { end(run, outcome) }
        resumeClients()
    }

    private func send(_ command: RepairCommand, of run: UInt32) {
        let row = runs[run]
        let node = row.copies[row.order[command.copy]]
        guard isWritable(node: node) else {
            runs.update(run) { $0.plan.failed(command.copy) }
            return
        }
        if command.isCorrection, writes.isOverlapped(row.repair.hash) {
            runs.update(run) { $0.plan.overtaken(command.copy) }
            return
        }
        if command.isCorrection { runs.update(run) { $0.plan.hasCorrected = true } }
        send(command, isBase64: row.repair.isBase64, row.value, to: node, for: row.own) {
            repairs.withKey(of: row.repair.slot, $0)
        }
    }

    /// Sends a node a command of a repair or back-fill, with the value if it takes one.
    func send(
        _ command: RepairCommand, isBase64: Bool, _ value: ByteQueue, to node: UInt32, for request: UInt32,
        withKey: ((RawSpan) -> Void) -> Void
    ) {
        let call = newCall(for: request, command.verb, to: node, rank: command.copy)
        withKey { key in
            let line = command.line(
                key: key, isBase64: isBase64, unixTime: unixTime,
                keepsCAS: nodes[node].version >= Self.choosingVersion)
            line.withBytes { write($0, of: call) }
        }
        guard command.carriesValue, links[calls[call].link].state != .closed else { return }
        share(value, with: call)
    }

    // MARK: - Clients that wait

    /// Whether a look at the key is under way, or has taken from a stale item the right to replace it: who asked now
    /// would be told that somebody else has it. The client then goes on when the repair does.
    @inline(__always)
    func awaitsRepair(_ head: RequestHead, _ bytes: RawSpan, from id: UInt32) -> Bool {
        !liveRuns.isEmpty && isTaken(hash(of: head, in: bytes, pool: clients[id].pool), from: id)
    }

    @inline(never)
    private func isTaken(_ hash: UInt64, from id: UInt32) -> Bool {
        let hash = WriteTable.hash(hash, pool: clients[id].pool)
        for index in 0..<liveRuns.count {
            let run = runs[liveRuns[index]]
            if run.repair.hash == hash, run.plan.mayHoldRight {
                awaitingRepair.push(id)
                return true
            }
        }
        return false
    }

    private func resumeClients() {
        while let id = awaitingRepair.pop() { considerResuming(id) }
    }

    // MARK: - Replies

    func keepRepairReply(_ bytes: RawSpan, of call: UInt32) {
        let run = requests[calls[call].request].fan
        let rank = Int(calls[call].rank)
        if runs[run].replies[rank].isEmpty { keepTogether(bytes) }
        runs.update(run) { _ = queues.append(bytes, to: &$0.replies[rank], through: &arena) }
    }

    /// The start of a reply, which `withStart` is to show, goes to one chunk: a header is shorter.
    func keepTogether(_ bytes: RawSpan) {
        if arena.room < min(bytes.byteCount, 1024) { _ = queues.renew(&arena) }
    }

    func finishRepair(_ call: UInt32, _ code: ReplyCode, _ bytes: RawSpan, of link: UInt32) {
        let ended = calls[call]
        let run = requests[ended.request].fan
        let rank = Int(ended.rank)
        countNode(ended, code)
        keepRepairReply(bytes, of: call)
        take(call, from: link)
        release(call)
        use(code, from: rank, run)
        sendCommands(of: run)
        settleOne(ended.request)
    }

    private func use(_ code: ReplyCode, from rank: Int, _ run: UInt32) {
        var reply = runs[run].replies[rank]
        runs[run].replies[rank] = ByteQueue()
        var header = 0
        let use = queues.withStart(of: reply, limit: 1024) { start -> RepairPlan.Use in
            header = start.firstLineLength
            return runs.update(run) { $0.plan.received(code, line: start.extracting(0..<header), from: rank) }
        }
        switch use {
        case .keep:
            runs.update(run) {
                queues.clear(&$0.value)
                queues.shareAll(of: reply, dropping: header, with: &$0.value)
            }
        case .compare:
            let isEqual = queues.isEqual(reply, dropping: header, to: runs[run].value)
            runs.update(run) { $0.plan.compared(rank, isEqual: isEqual) }
        case .discard: break
        case nil: runs.update(run) { $0.plan.failed(rank) }  // no memory for the reply
        }
        queues.clear(&reply)
    }

    func failRepair(_ call: UInt32) {
        let ended = calls[call]
        let run = requests[ended.request].fan
        let rank = Int(ended.rank)
        queues.clear(&runs[run].replies[rank])
        runs.update(run) { $0.plan.failed(rank) }
        release(call)
        sendCommands(of: run)
        settleOne(ended.request)
    }

    private func end(_ run: UInt32, _ outcome: RepairPlan.Outcome) {
        var row = runs[run]
        let overlapped = writes.end(row.repair.hash)
        for rank in 0..<RepairPlan.copyLimit { queues.clear(&row.replies[rank]) }
        queues.clear(&row.value)
        runs.free(run)
        for index in 0..<liveRuns.count where liveRuns[index] == run {
            liveRuns[index] = liveRuns[liveRuns.count - 1]
            _ = liveRuns.pop()
            break
        }
        poolStats[Int(row.repair.pool)].copies.repaired &+= UInt64(row.plan.written)
        // From now on it is one like any other: what it has stored may be older than what is there by now.
        if row.plan.hasCorrected {
            row.repair.suspicion = nil
            repairs.confirmSuspicion(row.repair.slot)
        }
        switch outcome {
        case _ where row.repair.isCheck: conclude(row, outcome, overlapped: overlapped)
        case .copyFailed: retry(row.repair, .failed)
        case .moved, .differed: retry(row.repair, .moved)
        case .agreed where overlapped: retry(row.repair, .busy)
        case .agreed where row.repair.needsAllCopies && row.order.count < row.copies.count: retry(row.repair, .nodeDown)
        case .agreed:
            poolStats.update(Int(row.repair.pool)) { repairs.finished(row.repair.slot, now: now, counted: &$0.repairs) }
        }
        requests[row.own].fan = none
        settleOne(row.own)
    }

    private func retry(_ repair: Repair, _ obstacle: RepairObstacle) {
        // Another key will do for a check.
        if repair.isCheck { return endCheck(repair) }
        if repair.suspicion != nil { return dropSuspicion(repair) }
        poolStats.update(Int(repair.pool)) {
            _ = repairs.retry(repair.slot, obstacle, now: now, counted: &$0.repairs)
        }
    }

    /// When `tick` has something to do although nothing is late; `.max` is never.
    @inline(__always)
    var wakeup: UInt64 {
        let repair = min(nextMissDeadline, runs.count >= Self.repairLimit ? .max : repairs.nextDue ?? .max)
        let next = hedgings.isEmpty ? repair : min(repair, nextHedge)
        return isMoving ? min(next, now &+ Self.movePause) : next
    }

    // MARK: - For the shell

    /// Nothing that was put off waits any longer: before a stop.
    public func hurryRepairs() { repairs.hurry(now: now) }

    /// Copies are still to be made to agree: by writes that not all of them have answered, by what the other nodes are told
    /// of such a one, or by repairs and back-fills; or a key is still to be passed on. Not by repairs that wait for a node,
    /// which may be away for long.
    public var isRepairing: Bool {
        fans.count + runs.count + fills.count + lockWaits.count > 0
            || (0..<misses.count).contains { misses[$0].isUnderWay } || repairs.holdsRepairs()
    }

    /// Keys whose copies may not agree, if it stopped now.
    public var unrepaired: Int {
        (0..<poolStats.count).reduce(fans.count) { $0 + Int(poolStats[$1].repairs.waiting) }
    }
}
