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
        guard hasRoom(for: Int(head.keyCount)) else {
            poolStats[Int(clients[id].pool)].errors.count(.memoryLimit)
            answer(request, .outOfMemory)
            return Int(head.lineLength)
        }
        let pool = clients[id].pool
        let isElsewhere = clients[id].flags.contains(.copies) && head.verb == .get && readsElsewhere(pool: pool)
        var last = none
        for index in 0..<Int(head.keyCount) {
            let key = parser.key(at: index)
            last = addKey(key, of: request, behind: last, head, bytes, pool: pool, isElsewhere: isElsewhere)
        }
        requests.update(request) {
            $0.flags.insert(.pieced)
            $0.lastPiece = last
        }
        endLines()
        if requests[request].pending == 0 { settle(request) }
        return Int(head.lineLength)
    }

    /// Makes the key's piece and adds the key to its node's line. Nothing here can end a call or free a piece.
    @inline(__always)
    private func addKey(
        _ key: ByteRange, of request: UInt32, behind last: UInt32, _ head: RequestHead, _ bytes: RawSpan, pool: UInt16,
        isElsewhere: Bool
    ) -> UInt32 {
        var node =
            isElsewhere ? readNode(for: key, in: bytes, pool: pool) : node(for: key, in: bytes, pool: pool)
        if !nodes[node].isFull { node = standIn(for: node, key, in: bytes, pool: pool) }
        var piece = Piece()
        piece.keyLength = UInt8(truncatingIfNeeded: key.count)
        let slot = pieces.take(piece)
        if last == none { requests[request].firstPiece = slot } else { pieces[last].next = slot }
        // The byte before a key is always a space, so key and space are copied in one go.
        let spaced = bytes.extracting((key.start &- 1)..<key.end)
        let argument = bytes.extracting(max(head.argument.start &- 1, 0)..<head.argument.end)
        add(slot, spaced, to: node, of: request, head.verb, argument)
        return slot
    }

    /// Adds a key to its node's line.
    /// - Parameters:
    ///   - key: with a space before it.
    ///   - argument: what stands before the keys, with a space before it.
    @inline(__always)
    func add(
        _ piece: UInt32, _ key: RawSpan, to node: UInt32, of request: UInt32, _ verb: Verb, _ argument: RawSpan
    ) {
        if nodes[node].building.room >= key.byteCount &+ 2 {
            pieces[nodes[node].building.lastPiece].nextOfCall = piece
        } else if !startLine(to: node, from: piece, of: request, verb, argument) {
            pieces[piece].state = .settled
            return
        }
        let position = nodes.update(node) {
            let position = $0.building.position
            queues.chunks.write(key, to: $0.building.chunk, at: position)
            $0.building.position = position &+ key.byteCount
            $0.building.lastPiece = piece
            $0.building.keys &+= 1
            return position
        }
        pieces[piece].keyOffset = UInt16(truncatingIfNeeded: position &+ 1)  // below the 16,384 of a chunk
    }

    /// The lines are whole.
    func endLines() {
        while let node = building.pop() { endLine(to: node) }
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

    /// Begins a line to the node; false when there can be none. A line stays within one chunk, so that its keys can be
    /// compared with the answer and the line be sent again; more keys than fit make another line.
    private func startLine(
        to node: UInt32, from piece: UInt32, of request: UInt32, _ verb: Verb, _ argument: RawSpan
    ) -> Bool {
        guard nodes[node].isReachable else {
            // A shard that is gone loses its own keys only.
            countLost(node, of: request, .nodeDown)
            return false
        }
        if nodes[node].building.call == none { building.push(node) } else { endLine(to: node) }
        let link = nodes[node].link == none ? open(node: node) : nodes[node].link
        guard !queues.isCrowded, makeRoom(max(512, argument.byteCount + 300), in: link) else {
            condemn(link: link)
            countLost(node, of: request, .memoryLimit)
            return false
        }
        let open = links[link].open
        var call = Call(request: request, node: node, verb: verb, flags: [], sent: now)
        if verb.isIdempotentRead { call.flags.insert(.repeatable) }
        if verb.isIdempotentRead, asksOnMiss(pool: requests[request].pool) { call.flags.insert(.asksOnMiss) }
        if verb == .gets || verb == .gats, tagsCAS(pool: requests[request].pool) { call.flags.insert(.tagsCAS) }
        call.piece = piece
        call.commandChunk = open.id
        call.commandOffset = UInt32(truncatingIfNeeded: open.position)
        queues.chunks.retain(open.id)
        let slot = calls.take(call)
        requests[request].pending &+= 1
        append(slot, to: link)
        let position = writeStart(of: verb, argument, to: open)
        nodes[node].building = LineBuild(call: slot, chunk: open.id, position: position)
        return true
    }

    /// The request's keys of the node will be missing: counted once for all of them.
    @inline(never)
    private func countLost(_ node: UInt32, of request: UInt32, _ cause: ErrorCause) {
        guard !nodes[node].building.isLost else { return }
        building.push(node)
        nodes[node].building.isLost = true
        requests[request].flags.insert(.failed)
        poolStats[Int(requests[request].pool)].errors.count(cause)
        if cause == .nodeDown { nodeStats[Int(node)].errors.count(cause) }
    }

    /// The line up to its first key. Returns where that goes.
    private func writeStart(of verb: Verb, _ argument: RawSpan, to open: OpenChunk) -> Int {
        let name = verb.spelling
        write(name, to: open.id, at: open.position)
        let position = open.position + name.utf8CodeUnitCount
        guard argument.byteCount > 0 else { return position }
        queues.chunks.write(argument, to: open.id, at: position)
        return position + argument.byteCount
    }

    private func write(_ text: StaticString, to chunk: UInt32, at position: Int) {
        let bytes = unsafe RawSpan(_unsafeStart: text.utf8Start, byteCount: text.utf8CodeUnitCount)
        queues.chunks.write(bytes, to: chunk, at: position)
    }

    /// The line goes to its connection or, while that is not ready, to its call.
    private func endLine(to node: UInt32) {
        let line = nodes[node].building
        nodes[node].building = LineBuild()
        guard line.call != none else { return }
        write("\r\n", to: line.chunk, at: line.position)
        let end = line.position + 2
        let (link, offset) = calls.update(line.call) {
            $0.commandLength = UInt32(truncatingIfNeeded: end) &- $0.commandOffset
            $0.keys = line.keys
            return ($0.link, Int($0.commandOffset))
        }
        if !hedgings.isEmpty { watch(line: line.call) }
        links.update(link) {
            queues.advance(&$0.open, to: end)
            if $0.state == .ready {
                queues.share(line.chunk, offset: offset, count: end - offset, with: &$0.output)
            } else {
                queues.share(line.chunk, offset: offset, count: end - offset, with: &calls[line.call].staged)
            }
        }
    }
}
