internal import Bytes
internal import MemcacheProtocol
internal import Telemetry

/// The answers to a get of several keys: from a node's VALUEs to pieces, and from pieces to the reply.
extension Engine {
    /// Takes the values at the start of `bytes` that are whole and plainly spelled: copies them in one go, and tells
    /// each piece where its own is. Returns how many bytes that was; whatever else stands there is for `takeReply`.
    func takeValues(_ bytes: RawSpan, of call: UInt32) -> Int {
        let row = calls[call]
        guard row.commandChunk != none, !row.flags.contains(.fills), ReplyParser.isValue(bytes.word(at: 0)),
            requests[row.request].client != none,
            arena.room >= min(bytes.byteCount, Self.usualValues) || queues.renew(&arena)
        else { return 0 }
        let limit = min(bytes.byteCount, arena.room)
        let (chunk, base) = (arena.id, UInt32(truncatingIfNeeded: arena.position))
        var (next, used, count) = (row.piece, 0, UInt32(0))
        queues.chunks.withBytes(of: row.commandChunk, offset: 0, count: ByteQueues.chunkSize) { line in
            while next != none {
                let (piece, end) = wholeValue(in: bytes, at: used, from: next, line)
                guard piece != none, end <= limit else { break }
                while next != piece { next = skip(next, of: call) }
                next = pieces.update(piece) {
                    $0.state = .settled
                    $0.chunk = chunk
                    $0.offset = base &+ UInt32(truncatingIfNeeded: used)
                    $0.length = UInt32(truncatingIfNeeded: end &- used)
                    return $0.nextOfCall
                }
                used = end
                count &+= 1
            }
        }
        guard used > 0 else { return 0 }
        queues.chunks.retain(chunk, count: count)
        queues.store(bytes.extracting(0..<used), through: &arena)
        calls.update(call) {
            $0.piece = next
            $0.flags.formUnion([.started, .hit])
            $0.values &+= count
        }
        return used
    }

    /// With less room than this, or than there are bytes, a new chunk is begun.
    private static var usualValues: Int { 4096 }

    /// The first piece from `slot` on whose key, in its command line, the VALUE at `offset` names, and where that
    /// value ends, which may be past the end of `bytes`. None where `takeReply` has to judge.
    @inline(__always)
    private func wholeValue(
        in bytes: RawSpan, at offset: Int, from slot: UInt32, _ line: RawSpan
    ) -> (piece: UInt32, end: Int) {
        let start = offset &+ 6
        let left = bytes.byteCount &- start
        guard left >= 8 else { return (none, 0) }
        // Now the two words from `offset` and from `start` on lie inside.
        guard unsafe ReplyParser.isValue(bytes.word(known: offset)) else { return (none, 0) }
        let first = unsafe bytes.word(known: start)
        var slot = slot
        while slot != none {
            let (place, count, next) = pieces.update(slot) { (Int($0.keyOffset), Int($0.keyLength), $0.nextOfCall) }
            // With that, the key and the eight bytes behind it do as well.
            guard left >= count &+ 8 else { return (none, 0) }
            let difference = first ^ line.word(at: place)
            let isEqual =
                count < 8
                ? difference &<< UInt64(truncatingIfNeeded: 64 &- 8 &* count) == 0
                : difference == 0 && isRestEqual(bytes, at: start, line, at: place, count)
            if isEqual {
                let keyEnd = start &+ count
                let word = unsafe bytes.word(known: keyEnd)
                guard let end = ReplyParser.valueEnd(bytes, keyEnd: keyEnd, word) else { return (none, 0) }
                return (slot, end)
            }
            slot = next
        }
        return (none, 0)
    }

    /// Whether keys of eight bytes or more, known to lie inside `bytes`, are equal behind their first eight.
    @inline(__always)
    private func isRestEqual(
        _ bytes: RawSpan, at offset: Int, _ line: RawSpan, at start: Int, _ count: Int
    ) -> Bool {
        if count <= 16 {
            return unsafe bytes.word(known: offset &+ count &- 8) == line.word(at: start &+ count &- 8)
        }
        return bytes.extracting(offset..<(offset &+ count)).isEqual(to: line.extracting(start..<(start &+ count)))
    }

    /// The piece that a VALUE with this key is for: those before it in the call were misses. None if the node names a
    /// key that it was not asked for.
    func matchPiece(of call: UInt32, key: ByteRange, in bytes: RawSpan) -> UInt32 {
        let wanted = bytes.extracting(key.start..<key.end)
        let row = calls[call]
        var slot = row.piece
        while slot != none {
            let piece = pieces[slot]
            if Int(piece.keyLength) == key.count,
                queues.chunks.withBytes(
                    of: row.commandChunk, offset: Int(piece.keyOffset), count: key.count, { $0.isEqual(to: wanted) })
            {
                break
            }
            slot = skip(slot, of: call)
        }
        if slot != row.piece { calls[call].piece = slot }
        if slot != none, row.flags.contains(.fills) { wishFill(of: slot, in: row) }
        return slot
    }

    /// The node does not have the piece's key: it is missing, or another copy will be asked for it. Returns the call's
    /// next piece.
    @inline(__always)
    func skip(_ piece: UInt32, of call: UInt32) -> UInt32 {
        guard calls[call].flags.contains(.asksOnMiss) else { return settle(piece: piece) }
        return calls.update(call) { row in
            pieces.update(piece) {
                let next = $0.nextOfCall
                $0.nextOfCall = row.missed
                row.missed = piece
                return next
            }
        }
    }

    /// The call is done with the piece, found or missing.
    func pass(_ piece: UInt32, of call: UInt32) { calls[call].piece = settle(piece: piece) }

    /// Returns the call's next piece.
    @inline(__always)
    private func settle(piece: UInt32) -> UInt32 {
        pieces.update(piece) {
            $0.state = .settled
            return $0.nextOfCall
        }
    }

    /// Moves what is ready of a request's pieces, in order, to its reply. The piece that is being received goes as far
    /// as it has come.
    func collectPieces(of request: UInt32) {
        var slot = requests[request].firstPiece
        var gathering = Gathering(behind: requests[request].reply, through: arena)
        while slot != none {
            let piece = pieces[slot]
            if piece.chunk != none {
                queues.give(piece.chunk, offset: piece.offset, count: piece.length, to: &gathering)
            } else if !piece.reply.isEmpty {
                queues.move(&pieces[slot].reply, into: &gathering)
            }
            guard piece.state == .settled else { break }
            pieces.free(slot)
            slot = piece.next
        }
        queues.finish(&gathering)
        arena = gathering.open
        requests.update(request) {
            $0.reply = gathering.queue
            $0.firstPiece = slot
            if slot == none { $0.lastPiece = none }
        }
        if gathering.isCut { runOut(request) }
    }

    /// Frees a piece that nobody wants any more, and the one's bytes.
    func free(piece: UInt32) {
        if pieces[piece].chunk != none { queues.release(pieces[piece].chunk) }
        queues.clear(&pieces[piece].reply)
        pieces.free(piece)
    }
}
