internal import Bytes
internal import Distribution
internal import MemcacheProtocol
internal import Telemetry

/// A key that a read found on a later copy than it asked first.
struct FillWish: BitwiseCopyable {
    let pool: UInt16
    /// The copies that lack the key and the one that has it, as bits and rank of all copies.
    let lacked: UInt8
    let source: UInt8
    let isBase64: Bool
    /// As the ring has it.
    let hash: UInt64
    /// The key as spelled on the wire, in a chunk that is held.
    let chunk: UInt32
    let offset: UInt32
    let length: UInt8
}

/// A back-fill that is under way.
struct Fill: BitwiseCopyable {
    let wish: FillWish
    /// As `WriteTable.hash` gave it.
    let hash: UInt64
    var plan: FillPlan
    let copies: Copies
    /// The request that its calls belong to.
    var own: UInt32
    /// What has come of the source's answer; then its value, with its CR LF.
    var value = ByteQueue()
}

/// Keys that copies lack and others have: written back, behind the clients' backs.
///
/// A fill that cannot begin at once is left to the next reader who misses: so nothing waits, and a node that comes back
/// empty is filled no faster than this many at a time.
extension Engine {
    /// Fills under way at once.
    static var fillLimit: Int { 16 }

    /// The read of one key has found what copies before did not have.
    func wishFill(after call: UInt32) {
        let row = calls[call]
        let pool = requests[row.request].pool
        guard row.commandChunk != none, mayWishFill else { return }
        guard let (head, hash) = keptCommand(of: call) else { return }
        wishFill(
            of: ByteRange(offset: Int(row.commandOffset) + head.key.start, length: head.key.count),
            in: row.commandChunk, isBase64: head.options.contains(.base64Key), hash: hash, lacked: row.lacked,
            from: row.node, pool: pool)
    }

    /// A get of several has found the piece's key, which other copies lack.
    func wishFill(of piece: UInt32, in call: Call) {
        let row = pieces[piece]
        guard row.lacked != 0, mayWishFill else { return }
        let key = ByteRange(offset: Int(row.keyOffset), length: Int(row.keyLength))
        let pool = requests[call.request].pool
        let hash = queues.chunks.withBytes(of: call.commandChunk, offset: key.start, count: key.count) {
            self.hash(of: ByteRange(offset: 0, length: key.count), in: $0, pool: pool)
        }
        wishFill(
            of: key, in: call.commandChunk, isBase64: false, hash: hash, lacked: row.lacked, from: call.node,
            pool: pool)
    }

    private var mayWishFill: Bool { fills.count + fillWishes.count < Self.fillLimit }

    /// - Parameter key: its place in the chunk.
    func wishFill(
        of key: ByteRange, in chunk: UInt32, isBase64: Bool, hash: UInt64, lacked: UInt8, from node: UInt32,
        pool: UInt16
    ) {
        guard mayWishFill, let source = copies(of: hash, pool: pool).index(of: node) else { return }
        queues.chunks.retain(chunk)
        fillWishes.push(
            FillWish(
                pool: pool, lacked: lacked, source: UInt8(source), isBase64: isBase64, hash: hash, chunk: chunk,
                offset: UInt32(key.start), length: UInt8(truncatingIfNeeded: key.count)))
    }

    /// Begins what was wished for in this turn.
    func beginFills() {
        while let wish = fillWishes.pop() {
            if !begin(wish) { queues.chunks.release(wish.chunk) }
        }
    }

    private func begin(_ wish: FillWish) -> Bool {
        let all = copies(of: wish.hash, pool: wish.pool)
        var targets: UInt8 = 0
        // What is being filled gets the key with all the others.
        let hasWhole = isReadable(node: all[Int(wish.source)])
        for index in all.indices where index != Int(wish.source) && isWritable(node: all[index]) {
            if !hasWhole || isReadable(node: all[index]) { targets |= wish.lacked & 1 << UInt8(index) }
        }
        let hash = WriteTable.hash(wish.hash, pool: wish.pool)
        guard targets != 0, hasRoom, queues.memoryInUse < highMark,
            writes.beginAlone(hash, targets: targets)
        else { return false }
        guard !writes.isDisturbed(hash) else {
            _ = writes.end(hash)
            return false
        }
        let own = requests.take(
            Request(client: none, verb: .metaGet, flags: .filling, pool: wish.pool, started: now))
        let fill = fills.take(
            Fill(
                wish: wish, hash: hash, plan: FillPlan(source: Int(wish.source), targets: targets), copies: all,
                own: own))
        requests[own].fan = fill
        requests[own].pending = 1  // the fill itself
        proceed(fill)
        return true
    }

    private func proceed(_ fill: UInt32) {
        let own = fills[fill].own
        while requests[own].fan == fill, let command = fills.update(fill, { $0.plan.nextCommand() }) {
            send(command, of: fill)
        }
        if requests[own].fan == fill, let outcome = fills[fill].plan.outcome { end(fill, outcome) }
    }

    private func send(_ command: RepairCommand, of fill: UInt32) {
        let row = fills[fill]
        let node = row.copies[command.copy]
        guard isWritable(node: node) else {
            fills.update(fill) { $0.plan.failed(command.copy) }
            return
        }
        send(command, isBase64: row.wish.isBase64, row.value, to: node, for: row.own) { withKey(of: row.wish, $0) }
    }

    private func withKey(of wish: FillWish, _ body: (RawSpan) -> Void) {
        queues.chunks.withBytes(of: wish.chunk, offset: Int(wish.offset), count: Int(wish.length), body)
    }

    // MARK: - Replies

    /// Only the source's first answer comes in pieces.
    func keepFillReply(_ bytes: RawSpan, of call: UInt32) {
        let fill = requests[calls[call].request].fan
        if fills[fill].value.isEmpty { keepTogether(bytes) }
        fills.update(fill) { _ = queues.append(bytes, to: &$0.value, through: &arena) }
    }

    func finishFill(_ call: UInt32, _ code: ReplyCode, _ bytes: RawSpan, of link: UInt32) {
        let ended = calls[call]
        let fill = requests[ended.request].fan
        let copy = Int(ended.rank)
        countNode(ended, code)
        if code == .value {
            keepFillReply(bytes, of: call)
            useValue(of: fill, from: copy)
        } else {
            let isDisturbed = writes.isDisturbed(fills[fill].hash)
            _ = fills.update(fill) { $0.plan.received(code, line: bytes, from: copy, isDisturbed: isDisturbed) }
        }
        take(call, from: link)
        release(call)
        proceed(fill)
        settleOne(ended.request)
    }

    private func useValue(of fill: UInt32, from copy: Int) {
        var reply = fills[fill].value
        fills[fill].value = ByteQueue()
        let isDisturbed = writes.isDisturbed(fills[fill].hash)
        var header = 0
        let isKept = queues.withStart(of: reply, limit: 1024) { start -> Bool in
            header = start.firstLineLength
            return fills.update(fill) {
                $0.plan.received(.value, line: start.extracting(0..<header), from: copy, isDisturbed: isDisturbed)
            }
        }
        // There may have been no memory for all of it.
        if isKept == true, reply.count == header + fills[fill].plan.blockLength {
            fills.update(fill) { queues.shareAll(of: reply, dropping: header, with: &$0.value) }
        } else if isKept != false {
            fills.update(fill) { $0.plan.giveUp() }
        }
        queues.clear(&reply)
    }

    func failFill(_ call: UInt32) {
        let ended = calls[call]
        let fill = requests[ended.request].fan
        fills.update(fill) { $0.plan.failed(Int(ended.rank)) }
        release(call)
        proceed(fill)
        settleOne(ended.request)
    }

    private func end(_ fill: UInt32, _ outcome: FillPlan.Outcome) {
        var row = fills[fill]
        if outcome.unsure != 0 { repairUnsure(row, outcome.unsure) }
        // What was disturbed was taken back; and who has overlapped with this is told so, and which copies it was.
        _ = writes.end(row.hash)
        poolStats.update(Int(row.wish.pool)) {
            $0.copies.backFills &+= UInt64(outcome.filled.nonzeroBitCount)
            $0.copies.backFillsUndone &+= UInt64(outcome.takenBack.nonzeroBitCount)
        }
        queues.clear(&row.value)
        queues.chunks.release(row.wish.chunk)
        fills.free(fill)
        requests[row.own].fan = none
        settleOne(row.own)
    }

    /// A copy may have the item, now or in a moment, and nobody has seen whether it should: it is the worst source.
    private func repairUnsure(_ fill: Fill, _ copies: UInt8) {
        withKey(of: fill.wish) { key in
            poolStats.update(Int(fill.wish.pool)) {
                _ = repairs.add(
                    key, isBase64: fill.wish.isBase64, hash: fill.hash, pool: fill.wish.pool, reason: .copyFailed,
                    missed: copies, now: now, counted: &$0.repairs)
            }
        }
    }

    // MARK: - Calls of Drover's own

    /// More of an answer to a call that Drover made on its own.
    func keepInner(_ bytes: RawSpan, of call: UInt32) {
        let flags = requests[calls[call].request].flags
        if flags.contains(.fanned) {
            keepAnswer(bytes, of: call)
        } else if flags.contains(.repairing) {
            keepRepairReply(bytes, of: call)
        } else if flags.contains(.filling) {
            keepFillReply(bytes, of: call)
        } else if flags.contains(.hedging) {
            keepHedged(bytes, of: call)
        }
    }

    /// The end of one.
    func finishInner(_ call: UInt32, _ code: ReplyCode, _ bytes: RawSpan, of id: UInt32) {
        let flags = requests[calls[call].request].flags
        if flags.contains(.repairing) {
            finishRepair(call, code, bytes, of: id)
        } else if flags.contains(.filling) {
            finishFill(call, code, bytes, of: id)
        } else if flags.contains(.hedging) {
            finishHedged(call, code, of: id)
        } else {
            finishDropped(call, code, of: id)
        }
    }
}
