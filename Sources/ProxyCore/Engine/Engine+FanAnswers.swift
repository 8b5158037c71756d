internal import Bytes
internal import Distribution
internal import MemcacheProtocol
internal import Telemetry

/// What the copies answer to a write, and what its client hears of that.
extension Engine {
    /// More of a copy's answer has come, and this is not the end of it.
    func keepAnswer(_ bytes: RawSpan, of call: UInt32) {
        keepAnswer(bytes, from: calls[call].rank, requests[calls[call].request].fan)
    }

    private func keepAnswer(_ bytes: RawSpan, from rank: UInt8, _ fan: UInt32) {
        guard !fans[fan].isAnswered, rank <= fans[fan].held else { return }
        if rank < fans[fan].held {
            queues.clear(&fans[fan].answer)
            fans[fan].held = rank
        }
        if fans[fan].answer.isEmpty { keepTogether(bytes) }
        if !queues.append(bytes, to: &fans[fan].answer, through: &arena) { runOut(fans[fan].request) }
    }

    /// The call's copy has answered, with these bytes at the end.
    func finishCopy(_ call: UInt32, _ code: ReplyCode, _ bytes: RawSpan, of link: UInt32) {
        let ended = calls[call]
        let request = ended.request
        let fan = requests[request].fan
        countNode(ended, code)
        take(call, from: link)
        release(call)
        // Of a gat the END comes last, hit or miss.
        let code = code == .end && ended.values > 0 ? .value : code
        hold(bytes, code, from: ended.rank, fan)
        fans[fan].progress.answer(Int(ended.rank))
        if fans[fan].goesToAll {
            let (isDecided, isOver) = fans.update(fan) {
                if code.isError { $0.needsRepair = true }
                return (!$0.isAnswered && $0.progress.isDecided, $0.progress.isOver)
            }
            if isDecided { giveAnswer(of: fan) }
            if isOver { end(fan) }
        } else {
            hear(code, bytes, to: ended.verb, from: ended.rank, fan)
            settle(fan: fan, request)
        }
        releaseFanned(request)
    }

    /// Keeps the end of a copy's answer, if the client may get it.
    @inline(__always)
    private func hold(_ bytes: RawSpan, _ code: ReplyCode, from rank: UInt8, _ fan: UInt32) {
        guard !fans[fan].isAnswered, rank <= fans[fan].held else { return }
        if rank < fans[fan].held, code.line?.utf8CodeUnitCount == bytes.byteCount {
            // The code is all there is to keep.
            if !fans[fan].answer.isEmpty { queues.clear(&fans[fan].answer) }
            fans[fan].held = rank
        } else {
            keepAnswer(bytes, from: rank, fan)
        }
        fans[fan].code = code
    }

    /// A copy has answered a command that the acting primary decides, or has decided.
    private func hear(_ code: ReplyCode, _ bytes: RawSpan, to verb: Verb, from rank: UInt8, _ fan: UInt32) {
        let row = fans[fan]
        let isInParts = row.held == rank && !row.answer.isEmpty
        let reply =
            isInParts
            ? queues.withStart(of: row.answer, limit: 1024) { copyReply(code, verb, $0) } ?? CopyReply(code)
            : copyReply(code, verb, bytes)
        if row.isDeciding {
            decide(fan, reply)
        } else if !row.effect.agrees(reply, with: row.decided, to: row.head.verb, row.head.options) {
            fans[fan].needsRepair = true
        }
    }

    private func copyReply(_ code: ReplyCode, _ verb: Verb, _ bytes: RawSpan) -> CopyReply {
        let line = min((bytes.firstNewline(from: 0) ?? bytes.byteCount) + 1, bytes.byteCount)
        return CopyReply(
            code, to: verb, header: bytes.extracting(0..<line), value: bytes.extracting(droppingFirst: line))
    }

    /// The acting primary has decided: the others get the effect.
    private func decide(_ fan: UInt32, _ reply: CopyReply) {
        let row = fans[fan]
        let effect = CopyEffect(of: row.head.verb, row.head.options, reply)
        fans.update(fan) {
            $0.isDeciding = false
            $0.decided = reply
            $0.effect = effect
        }
        switch effect {
        case .nothing: break
        case .repair: fans[fan].needsRepair = true
        case .sameCommand, .sameValue: spread(fan, to: 0..<row.nodes.count)
        }
    }

    /// A copy will not answer.
    /// - Parameter isUnsent: the node cannot have got the command.
    func failCopy(_ call: UInt32, _ cause: ErrorCause, isUnsent: Bool) {
        let ended = calls[call]
        let fan = requests[ended.request].fan
        let rank = Int(ended.rank)
        poolStats[Int(fans[fan].pool)].copiesFailed &+= 1
        fans.update(fan) {
            $0.cause = cause
            $0.progress.fail(rank)
        }
        if fans[fan].held == ended.rank {
            queues.clear(&fans[fan].answer)
            fans[fan].held = .max
        }
        release(call)
        if fans[fan].isDeciding, isUnsent, rank + 1 < fans[fan].nodes.count {
            // The next copy is the acting primary now.
            spread(fan, to: rank + 1..<rank + 2)
        } else {
            // What was sent may have been done.
            fans[fan].needsRepair = true
        }
        settle(fan: fan, ended.request)
        releaseFanned(ended.request)
    }

    /// Answers the client as soon as it may hear, and ends the fan when no copy is left to answer.
    /// - Parameter request: the fan's, which tells whether the fan has ended meanwhile.
    private func settle(fan: UInt32, _ request: UInt32) {
        guard requests[request].fan == fan else { return }
        let row = fans[fan]
        if !row.isAnswered, !row.isDeciding || row.progress.isLost {
            if row.progress.isDecided {
                giveAnswer(of: fan)
            } else if row.progress.isLost {
                fans[fan].isAnswered = true
                poolStats[Int(row.pool)].errors.count(row.cause)
                if requests[request].client != none { answerFailure(request, row.cause.reply) }
            }
        }
        if row.progress.isOver { end(fan) }
    }

    private func giveAnswer(of fan: UInt32) {
        let row = fans[fan]
        fans[fan].isAnswered = true
        countPool(row.head.verb, row.code, pool: Int(row.pool))
        let (client, flags) = (requests[row.request].client, requests[row.request].flags)
        guard client != none else { return }
        if flags.contains(.quiet), ReplyCode.quietHides(row.head.verb, row.code) {
            // Nothing is said.
        } else if row.answer.isEmpty {
            say(row.code, to: client, for: row.request)
        } else {
            queues.move(&fans[fan].answer, behind: &requests[row.request].reply)
        }
        settle(row.request)
    }

    /// Answers with the code's own line. At the head of the client's line it can go out at once.
    @inline(__always)
    private func say(_ code: ReplyCode, to client: UInt32, for request: UInt32) {
        guard let line = code.line else { return }
        let isStored =
            clients[client].first == request
            ? queues.append(line, to: &clients[client].output, through: &arena)
            : queues.append(line, to: &requests[request].reply, through: &arena)
        if !isStored { runOut(request) }
    }

    /// All copies have answered or failed, or nothing was sent.
    func end(_ fan: UInt32, changedNothing: Bool = false) {
        let row = fans[fan]
        let overlapped = writes.end(WriteTable.hash(row.hash, pool: row.pool))
        // Nearly always every copy was asked, answered, and agrees.
        let isWell = row.asksAll && row.progress.failed == 0 && !row.needsRepair && !overlapped
        if !isWell, !changedNothing { considerRepair(fans[fan], overlapped: overlapped) }
        queues.release(row.line)
        if !row.block.isEmpty { queues.clear(&fans[fan].block) }
        if !row.answer.isEmpty { queues.clear(&fans[fan].answer) }
        fans.free(fan)
        requests[row.request].fan = none
        if !changedNothing { releaseFanned(row.request) }
    }

    /// A call of the request is over, or its fan.
    @inline(__always)
    private func releaseFanned(_ request: UInt32) {
        let isFree = requests.update(request) {
            $0.pending &-= 1
            guard $0.pending == 0 else { return false }
            $0.flags.remove(.fanned)
            return $0.client == none
        }
        if isFree { requests.free(request) }
    }

    /// The request's answer has left while the fan goes on: its client goes on without it.
    @inline(__always)
    func detach(_ request: UInt32) {
        let (client, fan) = (requests[request].client, requests[request].fan)
        if fan != none { clients[client].blockers &-= UInt32(fans[fan].blockers) }
        requests[request].client = none
    }
}
