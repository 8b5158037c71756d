internal import Bytes
internal import MemcacheProtocol
internal import Telemetry

/// A get of several keys: taken apart by node, one line a node, and put together again in the order of its keys.
///
/// Each key has a piece. A call knows its pieces in the order in which it asked; the node answers in that order and
/// leaves out what it does not have, so the next VALUE belongs to the first piece from there on whose key it names.
extension Engine {
    func beginMultiget(_ head: RequestHead, _ bytes: RawSpan, from id: UInt32) -> Int {
        let request = newRequest(head, from: id)
        requests[request].flags.insert(.pieced)
        requests[request].pending = 1  // this function, so that no early failure ends the request
        for index in 0..<Int(head.keyCount) {
            addKey(parser.key(at: index), of: request, head, bytes, pool: clients[id].pool)
        }
        while let node = building.pop() { finishBuilding(node: node) }
        requests[request].pending &-= 1
        if requests[request].pending == 0 { settle(request) }
        return Int(head.lineLength)
    }

    private func addKey(_ key: ByteRange, of request: UInt32, _ head: RequestHead, _ bytes: RawSpan, pool: UInt16) {
        let node = node(for: key, in: bytes, pool: pool)
        let piece = newPiece(of: request)
        guard nodes[node].isUp else {
            // A shard that is gone loses its own keys only.
            pieces[piece].state = .settled
            nodeStats[Int(node)].errors.count(.nodeDown)
            return
        }
        var call = nodes[node].building
        if call == none || links[calls[call].link].open.room < key.count + 3 {
            call = startBuilding(request, head, bytes, node: node)
        }
        let (link, last) = calls.update(call) {
            let last = $0.lastPiece
            $0.lastPiece = piece
            if last == none { $0.piece = piece }
            return ($0.link, last)
        }
        if last != none { pieces[last].nextOfCall = piece }
        let position = links[link].open.position
        pieces.update(piece) {
            $0.keyOffset = UInt16(truncatingIfNeeded: position &+ 1)  // below the 16,384 of a chunk
            $0.keyLength = UInt8(truncatingIfNeeded: key.count)
        }
        // The byte before a key is always a space, so key and space are copied in one go.
        write(bytes.extracting((key.start - 1)..<key.end), of: call)
    }

    @inline(__always)
    func newPiece(of request: UInt32) -> UInt32 {
        let piece = pieces.take(Piece())
        let last = requests.update(request) {
            let last = $0.lastPiece
            $0.lastPiece = piece
            if last == none { $0.firstPiece = piece }
            return last
        }
        if last != none { pieces[last].next = piece }
        return piece
    }

    /// Begins a line to the node. A line stays within one chunk, so that its keys can be compared with the answer and
    /// the line be sent again; more keys than fit make another line.
    private func startBuilding(_ request: UInt32, _ head: RequestHead, _ bytes: RawSpan, node: UInt32) -> UInt32 {
        if nodes[node].building != none { endLine(of: nodes[node].building) } else { building.push(node) }
        let call = calls.take(Call(request: request, node: node, verb: head.verb, flags: [], sent: now))
        requests[request].pending &+= 1
        nodes[node].building = call
        enqueue(call)
        let link = calls[call].link
        if !makeRoom(512, in: link) { condemn(link: link) }
        calls[call].commandChunk = links[link].open.id
        calls[call].commandOffset = UInt32(links[link].open.position)
        if links[link].open.id != none { queues.chunks.retain(links[link].open.id) }
        if head.verb.isIdempotentRead { calls[call].flags.insert(.repeatable) }
        let prefix = head.argument.isEmpty ? head.key.start - 1 : head.argument.end
        write(bytes.extracting(0..<prefix), of: call)
        return call
    }

    private func finishBuilding(node: UInt32) {
        endLine(of: nodes[node].building)
        nodes[node].building = none
    }

    private func endLine(of call: UInt32) {
        write("\r\n", of: call)
        let position = links[calls[call].link].open.position
        calls[call].commandLength = UInt32(position) &- calls[call].commandOffset
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
            pieces[slot].state = .settled
            slot = piece.nextOfCall
        }
        if slot != row.piece { calls[call].piece = slot }
        return slot
    }

    /// The call is done with the piece, found or missing.
    func pass(_ piece: UInt32, of call: UInt32) {
        let next = pieces.update(piece) {
            $0.state = .settled
            return $0.nextOfCall
        }
        calls[call].piece = next
    }

    /// Moves what is ready of a request's pieces, in order, to its reply. The piece that is being received goes as far
    /// as it has come.
    func collectPieces(of request: UInt32) {
        var slot = requests[request].firstPiece
        while slot != none {
            let piece = pieces[slot]
            if !piece.reply.isEmpty { queues.move(&pieces[slot].reply, behind: &requests[request].reply) }
            guard piece.state == .settled else { break }
            pieces.free(slot)
            slot = piece.next
        }
        requests.update(request) {
            $0.firstPiece = slot
            if slot == none { $0.lastPiece = none }
        }
    }
}
