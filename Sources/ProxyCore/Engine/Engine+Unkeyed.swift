internal import Bytes
internal import MemcacheProtocol
public import Telemetry

/// Commands without a key: answered here, or asked of every node.
extension Engine {
    @inline(never)
    func beginUnkeyed(_ head: RequestHead, _ bytes: RawSpan, from id: UInt32) -> Int {
        switch head.verb {
        case .quit:
            clients[id].flags.insert(.ending)
            markDirty(client: id)
        case .metaNoop: answer(newRequest(head, from: id), .mn)
        case .verbosity: answer(newRequest(head, from: id), .ok)
        case .version: answerVersion(newRequest(head, from: id))
        case .flushAll: askAll(newRequest(head, from: id), .flush(isDelayed: isDelayed(head, bytes)), head, bytes)
        default: beginStats(head, bytes, from: id)
        }
        return Int(head.lineLength)
    }

    private func beginStats(_ head: RequestHead, _ bytes: RawSpan, from id: UInt32) {
        let argument = bytes.extracting(head.argument.start..<head.argument.end)
        let request = newRequest(head, from: id)
        if argument.byteCount == 5, argument.isEqual(to: "nodes", at: 0) {
            requests[request].pending = 1
            work.wishes.push(.figures(request: request))
        } else if argument.byteCount == 5, argument.isEqual(to: "reset", at: 0) {
            askAll(request, .reset, head, bytes)
        } else if !isSafe(argument) {
            answer(request, .error)
        } else {
            askAll(request, .stats(topic(of: argument)), head, bytes)
        }
    }

    /// `cachedump` and `detail dump` print keys as they are: one with a newline in it could pass for the end of the
    /// reply, and everything behind it on the connection would go to the wrong client. `sizes_enable` can crash the
    /// older servers.
    private func isSafe(_ argument: RawSpan) -> Bool {
        !argument.isEqual(to: "cachedump", at: 0) && !argument.isEqual(to: "detail", at: 0)
            && !argument.isEqual(to: "sizes_", at: 0)
    }

    /// Sends the command to every node of the pool that is up; `writeReport` puts the answers together.
    private func askAll(_ request: UInt32, _ report: StatsReport, _ head: RequestHead, _ bytes: RawSpan) {
        guard hasRoom(for: nodes.count) else {
            poolStats[Int(requests[request].pool)].errors.count(.memoryLimit)
            answer(request, .outOfMemory)
            return
        }
        requests[request].flags.insert(.pieced)
        requests[request].report = report
        if case .flush = report { writes.beginFlush() }
        requests[request].pending = 1  // this function, so that no early failure ends the request
        for node in servers(ofPool: requests[request].pool) {
            let piece = newPiece(of: request)
            guard nodes[node].isReachable else {
                requests[request].flags.insert(.failed)
                continue
            }
            let call = calls.take(Call(request: request, node: node, verb: head.verb, flags: [], sent: now))
            calls[call].piece = piece
            requests[request].pending &+= 1
            enqueue(call)
            writeLine(head, bytes, of: call)
        }
        requests[request].pending &-= 1
        if requests[request].pending == 0 { settle(request) }
    }

    /// Each once, as `nodes(ofPool:)` may not be while keys move.
    func servers(ofPool pool: UInt16) -> Range<UInt32> {
        let range = unsafe pools[Int(pool)]._withUnsafeGuaranteedRef { $0.servers }
        return UInt32(range.lowerBound)..<UInt32(range.upperBound)
    }

    func nodes(ofPool pool: UInt16) -> Range<UInt32> {
        let range = unsafe pools[Int(pool)]._withUnsafeGuaranteedRef { $0.nodes }
        return UInt32(range.lowerBound)..<UInt32(range.upperBound)
    }

    /// All nodes have answered, or will not; and who missed a flush is known. May allocate: nobody asks for reports a thousand times a second.
    func writeReport(_ request: UInt32) {
        let answers = takeAnswers(of: request)
        let report = requests[request].report
        switch report {
        case .none, .flush: break
        case .flushed, .notFlushed:
            guard !requests[request].flags.contains(.quiet) else { break }
            add(report == .flushed ? .ok : .nodeFailed, to: request)
        case .reset:
            let isDone =
                !requests[request].flags.contains(.failed) && answers.allSatisfy { Self.isText($0, .resetDone) }
            add(isDone ? .resetDone : .nodeFailed, to: request)
        case .stats(let topic): add(bytes: Self.merged(answers.filter { !$0.isEmpty }, topic), to: request)
        }
    }

    /// Writes that were under way during a flush may have reached some copies before and others behind it.
    func endFlush(_ request: UInt32) {
        guard case .flush(let isDelayed) = requests[request].report else { return }
        writes.endFlush()
        noticeFlush(of: requests[request].pool)
        requests[request].report = isFlushed(request, isDelayed: isDelayed) ? .flushed : .notFlushed
        noteMisses(ofFlush: request)
    }

    /// All nodes have done it, or so many that no key is left without: the others are filled from those. Not where there
    /// is a delay: a node that is filled before it is over gets what the others are still to lose.
    private func isFlushed(_ request: UInt32, isDelayed: Bool) -> Bool {
        var (isDoneByAll, main, standby) = (true, 0, 0)
        let pool = requests[request].pool
        var piece = requests[request].firstPiece
        for node in servers(ofPool: pool) where piece != none {
            let isDone = isDone(piece)
            if !isDone { isDoneByAll = false }
            if !isDone || !nodes[node].isFull {
                if isStandby(node, pool: pool) { standby += 1 } else { main += 1 }
            }
            piece = pieces[piece].next
        }
        if isDoneByAll { return true }
        guard !isDelayed, keepsMarkers(servers(ofPool: pool).lowerBound) else { return false }
        return unsafe pools[Int(pool)]._withUnsafeGuaranteedRef { $0.staysFlushed(missedBy: main, standby: standby) }
    }

    /// A node's answer to a flush is OK.
    func isDone(_ piece: UInt32) -> Bool { pieces[piece].reply.count == 4 }

    private func isDelayed(_ head: RequestHead, _ bytes: RawSpan) -> Bool {
        head.argument.count > 1 || head.argument.count == 1 && bytes.byte(at: head.argument.start) != 0x30
    }

    private func isStandby(_ node: UInt32, pool: UInt16) -> Bool {
        unsafe pools[Int(pool)]._withUnsafeGuaranteedRef { Int(node) >= $0.firstNode + $0.settings.nodes.count }
    }

    private func takeAnswers(of request: UInt32) -> [[UInt8]] {
        var answers: [[UInt8]] = []
        while requests[request].firstPiece != none {
            let piece = requests[request].firstPiece
            requests[request].firstPiece = pieces[piece].next
            var answer: [UInt8] = []
            queues.forEachRun(of: pieces[piece].reply) { run in
                for index in 0..<run.byteCount { answer.append(run.byte(at: index)) }
                return true
            }
            answers.append(answer)
            queues.clear(&pieces[piece].reply)
            pieces.free(piece)
        }
        requests[request].lastPiece = none
        return answers
    }

    private func add(bytes: [UInt8], to request: UInt32) {
        guard requests[request].client != none else { return }
        if unsafe !queues.append(bytes.span.bytes, to: &requests[request].reply, through: &arena) {
            runOut(request)
        }
    }

    /// A sub-command that no node knows has an error for its answer, which stands as it is.
    private static func merged(_ answers: [[UInt8]], _ topic: StatsTopic) -> [UInt8] {
        let known = answers.filter { $0.starts(with: "STAT ".utf8) || $0.starts(with: "END".utf8) }
        if known.isEmpty, let first = answers.first { return first }
        return StatsMerger.merge(known, topic: topic)
    }

    private static func isText(_ answer: [UInt8], _ text: ReplyText) -> Bool {
        unsafe answer.count == text.bytes.utf8CodeUnitCount && answer.span.bytes.isEqual(to: text.bytes, at: 0)
    }

    /// By the argument without its spaces.
    private func topic(of argument: RawSpan) -> StatsTopic {
        var word: [UInt8] = []
        for index in 0..<argument.byteCount where argument.byte(at: index) != ASCII.space {
            word.append(argument.byte(at: index))
        }
        return StatsTopic(argument: String(decoding: word, as: UTF8.self))
    }

    /// Answers a `stats nodes` that was among the wishes.
    /// - Parameter stats: of all nodes of all pools, as all workers together have counted them.
    public func answer(figures request: UInt32, _ stats: [NodeStats]) {
        let pool = requests[request].pool
        let range = servers(ofPool: pool)
        let views = range.map {
            NodeView(name: topology.nodes[Int($0)].settings.label, state: state(of: $0))
        }
        let view = PoolView(name: owned[Int(pool)].settings.name, nodes: views)
        let own = stats.dropFirst(Int(range.lowerBound)).prefix(range.count)
        add(bytes: view.nodeStatsText(Array(own)), to: request)
        requests[request].pending = 0
        settle(request)
    }

    private func state(of node: UInt32) -> Telemetry.NodeState {
        switch nodes[node].access {
        case .none: .down
        case .syncing: .syncing
        case .full: .up
        }
    }

    // MARK: - Versions

    /// The lowest version among the pool's nodes: a client may rely on what all of them can do.
    private func answerVersion(_ request: UInt32) {
        let known = servers(ofPool: requests[request].pool).map { nodes[$0].version }.filter { $0 != .unknown }
        let text = "VERSION \(known.min() ?? Self.assumedVersion)\r\n"
        add(bytes: Array(text.utf8), to: request)
        settle(request)
    }

    /// 1.6.38, whose replies Drover's own follow.
    private static var assumedVersion: ServerVersion { ServerVersion(1, 6, 38) }
}
