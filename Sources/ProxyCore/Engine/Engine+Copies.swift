internal import Bytes
internal import Distribution
internal import MemcacheProtocol
internal import Telemetry

/// Which copies of a key are asked, and which next when one does not answer.
extension Engine {
    /// The hash of the command's key; a base64 key counts as its decoded bytes.
    @inline(__always)
    func hash(of head: RequestHead, in bytes: RawSpan, pool: UInt16) -> UInt64 {
        head.options.contains(.base64Key) ? hashOfDecodedKey(pool: pool) : hash(of: head.key, in: bytes, pool: pool)
    }

    /// Of the key that the parser decoded last.
    func hashOfDecodedKey(pool: UInt16) -> UInt64 {
        let key = parser.decodedKey
        return unsafe hash(of: ByteRange(offset: 0, length: parser.decodedLength), in: key.span.bytes, pool: pool)
    }

    @inline(__always)
    func hash(of key: ByteRange, in bytes: RawSpan, pool: UInt16) -> UInt64 {
        unsafe pools[Int(pool)]._withUnsafeGuaranteedRef { $0.hashed(key, in: bytes) }
    }

    func copies(of hash: UInt64, pool: UInt16) -> Copies {
        unsafe pools[Int(pool)]._withUnsafeGuaranteedRef { $0.copies(of: hash) }
    }

    /// Where a command for one node goes when the key's primary, `node`, is down: the same where keys have one copy.
    @inline(__always)
    func standIn(for node: UInt32, _ head: RequestHead, in bytes: RawSpan, pool: UInt16) -> UInt32 {
        guard !isReadable(node: node), hasCopies(pool: pool) else { return node }
        return standIn(for: node, hash: hash(of: head, in: bytes, pool: pool), pool: pool)
    }

    @inline(__always)
    func standIn(for node: UInt32, _ key: ByteRange, in bytes: RawSpan, pool: UInt16) -> UInt32 {
        guard !isReadable(node: node), hasCopies(pool: pool) else { return node }
        return standIn(for: node, hash: hash(of: key, in: bytes, pool: pool), pool: pool)
    }

    @inline(never)
    private func standIn(for node: UInt32, hash: UInt64, pool: UInt16) -> UInt32 {
        let all = copies(of: hash, pool: pool)
        guard let rank = readable(all) else { return node }
        countUnproven(all[rank])
        if all[rank] != node { poolStats[Int(pool)].copies.failovers.count(.nodeDown) }
        return all[rank]
    }

    /// Reads may go to other copies than the primary.
    func readsElsewhere(pool: UInt16) -> Bool {
        unsafe pools[Int(pool)]._withUnsafeGuaranteedRef { $0.read != .primary }
    }

    /// The copy that a read goes to first; nil when none can be read. Counts a failover where the primary cannot be: who
    /// chooses among copies has one less to choose from.
    func readRank(_ all: Copies, pool: UInt16) -> Int? {
        let rank = chosenRank(all, pool: pool)
        if let rank, rank != 0, !isReadable(node: all.primary) {
            poolStats[Int(pool)].copies.failovers.count(.nodeDown)
        }
        return rank
    }

    @inline(__always)
    private func chosenRank(_ all: Copies, pool: UInt16) -> Int? {
        switch unsafe pools[Int(pool)]._withUnsafeGuaranteedRef({ $0.read }) {
        case .primary, .fastest: return readable(all)
        case .nearest:
            return all.indices.first { isReadable(node: all[$0]) && topology.nodes[Int(all[$0])].isNear }
                ?? readable(all)
        case .spread:
            // Where none is, `standIn` finds another.
            let live = all.filter { isReadable(node: $0) }
            guard live.count > 1 else { return readable(all) }
            return all.index(of: lessLoaded(of: live))
        }
    }

    /// Where a read of the key goes, whether that node is up or not.
    func readNode(for key: ByteRange, in bytes: RawSpan, pool: UInt16) -> UInt32 {
        let all = copies(of: hash(of: key, in: bytes, pool: pool), pool: pool)
        return all[readRank(all, pool: pool) ?? 0]
    }

    /// Of two drawn by chance, the one with less under way: the power of two choices.
    private func lessLoaded(of live: Copies) -> UInt32 {
        let draw = nextRandom() >> 20
        let first = Int(draw % UInt64(live.count))
        let second = (first + 1 + Int((draw >> 16) % UInt64(live.count - 1))) % live.count
        let (one, two) = (live[first], live[second])
        return nodeStats[Int(one)].inFlight <= nodeStats[Int(two)].inFlight ? one : two
    }

    func hasCopies(pool: UInt16) -> Bool {
        unsafe pools[Int(pool)]._withUnsafeGuaranteedRef { $0.copyCount > 1 }
    }

    func tagsCAS(pool: UInt16) -> Bool {
        unsafe pools[Int(pool)]._withUnsafeGuaranteedRef { $0.copyCount > 1 || $0.tagsAlways }
    }

    /// What marks the CAS numbers that a node gives.
    func tag(of node: UInt32, pool: UInt16) -> CASTag {
        unsafe pools[Int(pool)]._withUnsafeGuaranteedRef { $0.casTags[Int(node) - $0.firstNode] }
    }

    // MARK: - Reads that find nothing

    /// A read of one key has found nothing, or what another copy lacked: where the pool says so, the next copy is asked,
    /// or what was found is written back. True when the call goes on.
    @inline(never)
    func goesOn(_ call: UInt32, _ code: ReplyCode, isMiss: Bool, of link: UInt32) -> Bool {
        let row = calls[call]
        let request = requests[row.request]
        guard !request.flags.contains(.pieced), request.report == .none, asksOnMiss(pool: request.pool) else {
            return false
        }
        guard isMiss else {
            if !code.isError { wishFill(after: call) }
            return false
        }
        if row.other != none {
            if row.flags.contains(.watched) { noteWatched(row) }
            countNode(row, code)
            take(call, from: link)
            leave(call, lacks: true)
            return true
        }
        guard let next = nextCopy(for: call) else { return false }
        countNode(row, code)
        take(call, from: link)
        calls[call].next = none
        calls[call].lacked |= next.tried & ~row.tried
        move(call, to: next)
        return true
    }

    func asksOnMiss(pool: UInt16) -> Bool {
        unsafe pools[Int(pool)]._withUnsafeGuaranteedRef { $0.onMiss == .next && $0.copyCount > 1 }
    }

    // MARK: - Reads whose node does not answer

    /// Asks the next copy for what the call's node has not answered. False where there is none, or where part of the
    /// answer has left already.
    func askNextCopy(_ call: UInt32, _ cause: ErrorCause) -> Bool {
        guard let next = nextCopy(for: call) else { return false }
        poolStats[Int(requests[calls[call].request].pool)].copies.failovers.count(cause)
        move(call, to: next)
        return true
    }

    func nextCopy(for call: UInt32) -> (node: UInt32, tried: UInt8)? {
        let row = calls[call]
        let request = requests[row.request]
        guard row.flags.contains(.repeatable), row.commandChunk != none, !row.flags.contains(.started),
            request.client != none, !request.flags.contains(.pieced), hasCopies(pool: request.pool)
        else { return nil }
        let all = copies(of: hash(ofCall: call), pool: request.pool)
        let tried = row.tried | all.bit(of: row.node)
        guard let rank = readable(all, besides: tried) else { return nil }
        countUnproven(all[rank])
        return (all[rank], tried)
    }

    private func move(_ call: UInt32, to next: (node: UInt32, tried: UInt8)) {
        if calls[call].flags.contains(.blocking) { unblock(call) }
        queues.clear(&calls[call].staged)
        calls.update(call) {
            $0.node = next.node
            $0.tried = next.tried
            $0.sent = now
            $0.flags.remove(.repeated)
        }
        enqueue(call)
        sendKept(call)
    }

    /// The hash of the key in the call's kept command.
    func hash(ofCall call: UInt32) -> UInt64 { keptCommand(of: call)?.hash ?? 0 }

    /// The call's kept command taken apart, and the hash of its key.
    func keptCommand(of call: UInt32) -> (head: RequestHead, hash: UInt64)? {
        let row = calls[call]
        let pool = requests[row.request].pool
        let length = Int(row.commandLength)
        return queues.chunks.withBytes(of: row.commandChunk, offset: Int(row.commandOffset), count: length) { line in
            reparse(line, pool: pool).map { ($0, hash(ofReparsed: $0.key, $0, in: line, pool: pool)) }
        }
    }

    /// Takes a command apart that the parser is not at.
    func reparse(_ line: RawSpan, pool: UInt16) -> RequestHead? {
        var scan = LineScan()
        let step = unsafe pools[Int(pool)]._withUnsafeGuaranteedRef {
            reparser.parseAny(line, scan: &scan, limits: $0.protocolLimits)
        }
        guard case .request(let head) = step else { return nil }
        return head
    }

    /// The hash of a key of the command that was taken apart last; a base64 key counts as its decoded bytes.
    func hash(ofReparsed key: ByteRange, _ head: RequestHead, in line: RawSpan, pool: UInt16) -> UInt64 {
        guard head.options.contains(.base64Key) else { return hash(of: key, in: line, pool: pool) }
        let decoded = reparser.decodedKey
        return unsafe hash(of: ByteRange(offset: 0, length: reparser.decodedLength), in: decoded.span.bytes, pool: pool)
    }

    // MARK: - Gets of several keys

    /// Asks the next copies for the keys that the call's node has not answered, or has not. False when there is a key
    /// that has not been answered and has no copy left; it is then missing.
    func askNextCopies(_ call: UInt32, _ cause: ErrorCause) -> Bool {
        let row = calls[call]
        guard row.flags.contains(.repeatable), mayAskElsewhere(row) else { return false }
        calls[call].piece = none
        calls[call].missed = none
        // In the reply's order: a large value stops its line until what stands before it is answered.
        _ = askElsewhere(for: inOrder(row.missed), row, isMiss: true)
        let asked = askElsewhere(for: row.piece, row)
        for _ in 0..<asked.count { poolStats[Int(requests[row.request].pool)].copies.failovers.count(cause) }
        endLines()
        return !asked.isLost
    }

    /// The call's answer is over: other copies are asked for what was not in it. Returns for how many keys.
    func askForMissed(_ call: UInt32) -> UInt32 {
        while calls[call].piece != none { calls[call].piece = skip(calls[call].piece, of: call) }
        let row = calls[call]
        guard row.missed != none, mayAskElsewhere(row), hasRoom else { return 0 }
        calls[call].missed = none
        let asked = askElsewhere(for: inOrder(row.missed), row, isMiss: true)
        endLines()
        return asked.count
    }

    /// The same for what the answer has passed over, where the rest of it is held up.
    func askForMissedSoFar(_ call: UInt32) {
        let row = calls[call]
        guard mayAskElsewhere(row), hasRoom else {
            giveUpMissed(of: call)
            return
        }
        calls[call].missed = none
        let asked = askElsewhere(for: inOrder(row.missed), row, isMiss: true)
        calls[call].keys &-= asked.count
        endLines()
    }

    /// No other copy is asked for what the node does not have.
    func giveUpMissed(of call: UInt32) {
        var slot = calls[call].missed
        calls[call].missed = none
        while slot != none {
            pieces[slot].state = .settled
            slot = pieces[slot].nextOfCall
        }
    }

    func mayAskElsewhere(_ row: Call) -> Bool {
        let (client, pool) = (requests[row.request].client, requests[row.request].pool)
        return client != none && !clients[client].flags.contains(.broken) && hasCopies(pool: pool)
    }

    /// A list of missed pieces, turned round.
    private func inOrder(_ missed: UInt32) -> UInt32 {
        var (slot, before) = (missed, none)
        while slot != none {
            let next = pieces[slot].nextOfCall
            pieces[slot].nextOfCall = before
            (before, slot) = (slot, next)
        }
        return before
    }

    /// Adds the pieces from `first` on to lines to their next copies; those without are missing.
    /// - Parameter isMiss: the call's node has answered that it lacks them.
    private func askElsewhere(for first: UInt32, _ row: Call, isMiss: Bool = false) -> (count: UInt32, isLost: Bool) {
        let pool = requests[row.request].pool
        var (count, isLost) = (UInt32(0), false)
        var slot = first
        while slot != none {
            let piece = pieces[slot]
            pieces[slot].nextOfCall = none
            // The space before the key comes along.
            queues.chunks.withBytes(
                of: row.commandChunk, offset: Int(piece.keyOffset) - 1, count: Int(piece.keyLength) + 1
            ) { key in
                let hash = hash(of: ByteRange(offset: 1, length: key.byteCount - 1), in: key, pool: pool)
                let all = copies(of: hash, pool: pool)
                let asked = all.bit(of: row.node)
                pieces[slot].tried |= asked
                if isMiss { pieces[slot].lacked |= asked }
                if let rank = readable(all, besides: pieces[slot].tried) {
                    countUnproven(all[rank])
                    add(slot, key, to: all[rank], of: row.request, row.verb, RawSpan())
                    let line = nodes[all[rank]].building.call
                    if pieces[slot].lacked != 0, line != none { calls[line].flags.insert(.fills) }
                    count &+= 1
                } else {
                    pieces[slot].state = .settled
                    isLost = true
                }
            }
            slot = piece.nextOfCall
        }
        return (count, isLost)
    }
}

extension Copies {
    /// The node's place as a bit; that of the first for a node that is none of them.
    func bit(of node: UInt32) -> UInt8 { 1 << UInt8(index(of: node) ?? 0) }
}
