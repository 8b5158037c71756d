internal import Bytes
internal import Distribution
internal import MemcacheProtocol
internal import Telemetry

/// From a command line to a call on a node's connection.
extension Engine {
    /// Takes up a valid command at the start of `bytes`. Returns how many bytes it used.
    @inline(__always)
    func begin(_ head: RequestHead, _ bytes: RawSpan, from id: UInt32) -> Int {
        let flags = clients[id].flags
        if !flags.isDisjoint(with: [.copies, .tagged]), head.verb != .get || flags.contains(.readsElsewhere) {
            return beginAmongCopies(head, bytes, from: id)
        }
        poolStats[Int(clients[id].pool)].requests.count(head.verb.rawValue)
        return beginAlone(head, bytes, from: id)
    }

    /// Where a key has more than one copy, or CAS numbers name their nodes, but for a get that goes to the primary.
    @inline(never)
    private func beginAmongCopies(_ head: RequestHead, _ bytes: RawSpan, from id: UInt32) -> Int {
        if !clients[id].flags.contains(.copies), !head.showsCAS, !head.options.contains(.comparesCAS) {
            poolStats[Int(clients[id].pool)].requests.count(head.verb.rawValue)
            return beginAlone(head, bytes, from: id)
        }
        if head.verb == .metaGet, awaitsRepair(head, bytes, from: id) { return 0 }
        poolStats[Int(clients[id].pool)].requests.count(head.verb.rawValue)
        let readsElsewhere = clients[id].flags.contains(.readsElsewhere)
        if head.keyCount > 1, head.verb == .gat || head.verb == .gats { return beginTouching(head, bytes, from: id) }
        if head.isWrite { return beginCopied(head, bytes, from: id) }
        if head.showsCAS, head.keyCount == 1 { return beginTagged(head, bytes, from: id) }
        if head.keyCount == 1, head.isRead, readsElsewhere {
            return beginRead(head, bytes, from: id)
        }
        return beginAlone(head, bytes, from: id)
    }

    /// What one node answers, or all of them. Nothing is inlined here, so that no registers are saved on the way.
    private func beginAlone(_ head: RequestHead, _ bytes: RawSpan, from id: UInt32) -> Int {
        switch head.verb {
        case .get, .gets, .gat, .gats:
            if head.keyCount > 1 { return beginMultiget(head, bytes, from: id) }
            return beginSingle(head, bytes, from: id)
        case .set, .add, .replace, .append, .prepend, .cas, .metaSet:
            return beginStore(head, bytes, from: id)
        case .metaGet, .metaDelete, .metaArithmetic, .metaDebug, .delete, .incr, .decr, .touch:
            return beginSingle(head, bytes, from: id)
        case .metaNoop, .version, .verbosity, .stats, .flushAll, .quit:
            return beginUnkeyed(head, bytes, from: id)
        }
    }

    /// One key, no data block: the line goes to the key's node as it came, but for what would keep the node silent.
    @inline(never)
    private func beginSingle(_ head: RequestHead, _ bytes: RawSpan, from id: UInt32) -> Int {
        let used = Int(head.lineLength)
        let pool = clients[id].pool
        let request = newRequest(head, from: id)
        let node = node(for: head, in: bytes, pool: pool)
        let mayRepeat = head.verb.isIdempotentRead || head.options.contains(.pureRead)
        guard head.quiet.isEmpty else {
            sendAloud(head, bytes, to: node, for: request)
            return used
        }
        pass(bytes.extracting(0..<used), head, to: node, for: request, keep: mayRepeat)
        return used
    }

    /// A read whose answer shows a CAS number, where that has to name its node.
    private func beginTagged(_ head: RequestHead, _ bytes: RawSpan, from id: UInt32) -> Int {
        let request = newRequest(head, from: id)
        let node = node(for: head, in: bytes, pool: clients[id].pool)
        if head.quiet.isEmpty {
            passAnyhow(bytes.extracting(0..<Int(head.lineLength)), head, to: node, for: request, keep: true)
        } else {
            sendAloud(head, bytes, to: node, for: request)
        }
        return Int(head.lineLength)
    }

    /// A read of one key where it need not be the primary that is asked.
    private func beginRead(_ head: RequestHead, _ bytes: RawSpan, from id: UInt32) -> Int {
        let request = newRequest(head, from: id)
        let all = copies(of: hash(of: head, in: bytes, pool: clients[id].pool), pool: clients[id].pool)
        let node = all[readRank(all, pool: clients[id].pool) ?? 0]
        guard head.quiet.isEmpty else {
            sendAloud(head, bytes, to: node, for: request)
            return Int(head.lineLength)
        }
        pass(bytes.extracting(0..<Int(head.lineLength)), head, to: node, for: request, keep: true)
        if !hedgings.isEmpty { watch(request, at: node, pool: clients[id].pool) }
        return Int(head.lineLength)
    }

    /// A line that asks its node to keep silent.
    private func sendAloud(_ head: RequestHead, _ bytes: RawSpan, to node: UInt32, for request: UInt32) {
        let node = standIn(for: node, head, in: bytes, pool: requests[request].pool)
        let hasCopies = clients[requests[request].client].flags.contains(.copies)
        var flags = tagsCAS(of: request) ? head.tagging : []
        if hasCopies, head.options.contains(.pureRead) { flags.insert(.repeatable) }
        guard let call = newCall(for: request, verb: head.verb, to: node, flags, head.rawKeyLength) else { return }
        if flags.contains(.repeatable) {
            made.clear()
            made.append(bytes.extracting(0..<head.quiet.start))
            made.append(bytes.extracting(head.quiet.end..<Int(head.lineLength)))
            made.withBytes { writeKept($0, of: call) }
            return
        }
        if head.isToldByNode {
            calls[call].flags.insert(.fenced)
            write(bytes.extracting(0..<Int(head.lineLength)), of: call)
            write("mn\r\n", of: call)
        } else {
            writeLine(head, bytes, of: call)
        }
    }

    /// A key and a data block. A block that is here goes on at once; else it is collected, and no node hears of the
    /// command before all of it is here; a large one goes by itself (see `Engine+Large`).
    @inline(never)
    private func beginStore(_ head: RequestHead, _ bytes: RawSpan, from id: UInt32) -> Int {
        let line = Int(head.lineLength)
        let block = Int(head.bodyLength) + 2
        if block > Self.largeValue { return beginLargeStore(head, bytes, from: id) }
        let request = newRequest(head, from: id)
        let node = node(for: head, in: bytes, pool: clients[id].pool)
        guard bytes.byteCount - line >= block else {
            return beginCollecting(head, bytes, request: request, node: node, from: id)
        }
        guard endsInNewline(bytes, at: line + block) else {
            answerBadChunk(request)
            return line + block
        }
        if head.quiet.isEmpty {
            pass(bytes.extracting(0..<(line + block)), head, to: node, for: request, keep: false)
        } else if let call = newCall(for: request, verb: head.verb, to: node) {
            writeLine(head, bytes, of: call)
            write(bytes.extracting(line..<(line + block)), of: call)
        }
        return line + block
    }

    /// The data block has not all come: the line, and what there is of the block, wait in the call.
    private func beginCollecting(
        _ head: RequestHead, _ bytes: RawSpan, request: UInt32, node: UInt32, from id: UInt32
    ) -> Int {
        let call = calls.take(Call(request: request, node: node, verb: head.verb, flags: [], sent: now))
        requests[request].pending = 1
        stageLine(head, bytes, of: call)
        clients[id].collecting = call
        clients[id].bodyLeft = UInt64(head.bodyLength) + 2
        clients[id].flags.remove(.badChunk)
        return Int(head.lineLength)
    }

    // MARK: - Building blocks

    private func tagsCAS(of request: UInt32) -> Bool {
        !clients[requests[request].client].flags.isDisjoint(with: [.copies, .tagged])
    }

    /// Puts a request at the end of the client's line.
    @inline(__always)
    func newRequest(_ head: RequestHead, from id: UInt32) -> UInt32 {
        newRequest(verb: head.verb, isQuiet: head.options.contains(.quiet), from: id)
    }

    @inline(__always)
    func newRequest(verb: Verb, isQuiet: Bool, from id: UInt32) -> UInt32 {
        let request = requests.take(
            Request(client: id, verb: verb, flags: isQuiet ? .quiet : [], pool: clients[id].pool, started: now))
        let last = clients.update(id) {
            let last = $0.last
            $0.last = request
            if last == none { $0.first = request }
            $0.depth &+= 1
            return last
        }
        if last != none { requests[last].next = request }
        return request
    }

    /// A call to the node, at the end of its connection's line; nil, with the request answered, when the node is down.
    @inline(__always)
    func newCall(
        for request: UInt32, verb: Verb, to node: UInt32, _ flags: Call.Flags = [], _ rawKeyLength: UInt8 = 0
    ) -> UInt32? {
        let row = nodes[node]
        guard row.isReachable else {
            answerDown(request, node: node)
            return nil
        }
        let call = calls.take(
            Call(request: request, node: node, verb: verb, flags: flags, sent: now, rawKeyLength: rawKeyLength))
        requests[request].pending &+= 1
        append(call, to: row.link == none ? open(node: node) : row.link)
        return call
    }

    /// A call of Drover's own, to one copy of a key, at the end of its node's connection.
    func newCall(for request: UInt32, _ verb: Verb, to node: UInt32, rank: Int) -> UInt32 {
        var call = Call(request: request, node: node, verb: verb, flags: [], sent: now)
        call.rank = UInt8(truncatingIfNeeded: rank)
        let slot = calls.take(call)
        requests[request].pending &+= 1
        enqueue(slot)
        return slot
    }

    /// Puts the call at the end of its node's connection, which is opened if there is none.
    func enqueue(_ call: UInt32) {
        let node = calls[call].node
        let link = nodes[node].link
        append(call, to: link == none ? open(node: node) : link)
    }

    @inline(__always)
    func append(_ call: UInt32, to link: UInt32) {
        let node = calls.update(call) {
            $0.link = link
            return Int($0.node)
        }
        let (last, isListed) = links.update(link) {
            let before = ($0.last, $0.flags.contains(.dirty))
            $0.last = call
            if before.0 == none { $0.first = call }
            $0.count &+= 1
            $0.flags.insert(.dirty)
            return before
        }
        if last != none { calls[last].next = call }
        if !isListed { work.links.push(link) }
        nodeStats.update(node) {
            $0.requests &+= 1
            $0.inFlight &+= 1
        }
    }

    /// The command's bytes, to the connection or, while that is not ready, to the call.
    @inline(__always)
    func write(_ bytes: RawSpan, of call: UInt32) {
        let link = calls[call].link
        let stored =
            links[link].state == .ready
            ? queues.append(bytes, to: &links[link].output, through: &links[link].open)
            : queues.append(bytes, to: &calls[call].staged, through: &links[link].open)
        if !stored { fail(link: link, .memoryLimit) }
    }

    /// The command as its client sent it, in one piece, to a node.
    /// - Parameter keep: it may be sent once more, so its bytes are kept until it is answered.
    @inline(__always)
    private func pass(_ bytes: RawSpan, _ head: RequestHead, to node: UInt32, for request: UInt32, keep: Bool) {
        if !pass(bytes, head, to: node, for: request, [], rank: 0, keep: keep) {
            passAnyhow(bytes, head, to: node, for: request, keep: keep)
        }
    }

    /// As nearly always: the node is full and connected. False, with nothing done, where something is not as usual.
    @inline(__always)
    func pass(
        _ bytes: RawSpan, _ head: RequestHead, to node: UInt32, for request: UInt32, _ flags: Call.Flags, rank: Int,
        keep: Bool
    ) -> Bool {
        let (isFull, link) = (nodes[node].isFull, nodes[node].link)
        guard isFull, link != none, !queues.isCrowded, links[link].state == .ready,
            links[link].open.room >= bytes.byteCount
        else { return false }
        var call = Call(
            request: request, link: link, node: node, verb: head.verb, flags: flags, sent: now,
            rawKeyLength: head.rawKeyLength)
        call.rank = UInt8(truncatingIfNeeded: rank)
        if keep {
            call.flags.insert(.repeatable)
            if !head.verb.isMeta { call.keyLength = UInt8(truncatingIfNeeded: head.key.count) }
            call.commandChunk = links[link].open.id
            call.commandOffset = UInt32(truncatingIfNeeded: links[link].open.position)
            call.commandLength = UInt32(truncatingIfNeeded: bytes.byteCount)
            queues.chunks.retain(call.commandChunk)
        }
        let slot = calls.take(call)
        requests[request].pending &+= 1
        links.update(link) {
            queues.put(bytes, to: &$0.output, through: &$0.open)
            if $0.last == none { $0.first = slot } else { calls[$0.last].next = slot }
            $0.last = slot
            $0.count &+= 1
        }
        markDirty(link: link)
        nodeStats.update(Int(node)) {
            $0.requests &+= 1
            $0.inFlight &+= 1
        }
        return true
    }

    /// `pass` where something is not as usual.
    @inline(never)
    private func passAnyhow(_ bytes: RawSpan, _ head: RequestHead, to node: UInt32, for request: UInt32, keep: Bool) {
        let node = standIn(for: node, head, in: bytes, pool: requests[request].pool)
        var flags: Call.Flags = keep ? .repeatable : []
        if tagsCAS(of: request) { flags.formUnion(head.tagging) }
        guard let call = newCall(for: request, verb: head.verb, to: node, flags, head.rawKeyLength) else { return }
        guard keep else {
            write(bytes, of: call)
            return
        }
        if !head.verb.isMeta, !flags.contains(.tagsCAS) {
            calls[call].keyLength = UInt8(truncatingIfNeeded: head.key.count)
        }
        writeKept(bytes, of: call)
    }

    /// Bytes that are queued already, to the connection or, while that is not ready, to the call.
    func share(_ queue: ByteQueue, with call: UInt32) {
        let link = calls[call].link
        if links[link].state == .ready {
            queues.shareAll(of: queue, with: &links[link].output)
        } else {
            queues.shareAll(of: queue, with: &calls[call].staged)
        }
    }

    /// A command of one piece whose bytes are kept until it is answered, so that it can be sent once more.
    private func writeKept(_ bytes: RawSpan, of call: UInt32) {
        let link = calls[call].link
        guard bytes.byteCount <= ByteQueues.chunkSize, makeRoom(bytes.byteCount, in: link) else {
            write(bytes, of: call)
            calls[call].flags.remove(.repeatable)
            return
        }
        let open = links[link].open
        calls.update(call) {
            $0.commandChunk = open.id
            $0.commandOffset = UInt32(truncatingIfNeeded: open.position)
            $0.commandLength = UInt32(truncatingIfNeeded: bytes.byteCount)
        }
        queues.chunks.retain(open.id)
        write(bytes, of: call)
    }

    /// Sees to it that the link's open chunk takes so many bytes in one piece.
    func makeRoom(_ count: Int, in link: UInt32) -> Bool {
        links[link].open.room >= count || queues.renew(&links[link].open)
    }

    /// The command line without ` noreply` or ` q`: nodes are always asked aloud, so that every call has its reply and
    /// no failure goes unseen; what the client did not want to hear is thrown away here.
    func writeLine(_ head: RequestHead, _ bytes: RawSpan, of call: UInt32) {
        let line = Int(head.lineLength)
        guard !head.quiet.isEmpty else {
            write(bytes.extracting(0..<line), of: call)
            return
        }
        write(bytes.extracting(0..<head.quiet.start), of: call)
        write(bytes.extracting(head.quiet.end..<line), of: call)
    }

    func stageLine(_ head: RequestHead, _ bytes: RawSpan, of call: UInt32) {
        let line = Int(head.lineLength)
        let cut = head.quiet.isEmpty ? line..<line : head.quiet.start..<head.quiet.end
        stage(bytes.extracting(0..<cut.lowerBound), of: call)
        stage(bytes.extracting(cut.upperBound..<line), of: call)
    }

    func stage(_ bytes: RawSpan, of call: UInt32) {
        if !queues.append(bytes, to: &calls[call].staged, through: &arena) {
            calls[call].flags.insert(.overflowed)
        }
    }
}
