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
        guard fans[fan].client != none, rank <= fans[fan].held else { return }
        if rank < fans[fan].held {
            queues.clear(&fans[fan].answer)
            fans[fan].held = rank
        }
        if fans[fan].answer.isEmpty { keepTogether(bytes) }
        if !queues.append(bytes, to: &fans[fan].answer, through: &arena), requests[fans[fan].client].client != none {
            runOut(fans[fan].client)
        }
    }

    /// The call's copy has answered, with these bytes at the end.
    func finishCopy(_ call: UInt32, _ code: ReplyCode, _ bytes: RawSpan, of link: UInt32) {
        let (own, rank) = (calls[call].request, calls[call].rank)
        let fan = requests[own].fan
        guard fans[fan].isUsual else {
            finishUnusual(call, code, bytes, of: link, fan)
            return
        }
        countNode(calls[call], code)
        take(call, from: link)
        release(call)
        hold(bytes, code, from: rank, fan)
        let (isDecided, isOver, isTakenByAll) = fans.update(fan) {
            $0.progress.answer(Int(rank))
            if code.isError {
                $0.needsRepair = true
                $0.progress.refuse(Int(rank))
            }
            let isDecided = $0.client != none && $0.progress.isUsuallyDecided
            return (isDecided, $0.progress.isUsuallyOver, $0.progress.refused == 0)
        }
        if isDecided { if isTakenByAll { giveAnswer(of: fan) } else { giveSecured(fan) } }
        if isOver { end(fan) }
        release(own: own)
    }

    /// `finishCopy` where the acting primary decides, or has decided, or something is not as usual.
    @inline(never)
    private func finishUnusual(_ call: UInt32, _ code: ReplyCode, _ bytes: RawSpan, of link: UInt32, _ fan: UInt32) {
        let ended = calls[call]
        if ended.flags.contains(.fenced), code != .mn {
            keepAnswer(bytes, of: call)
            fans[fan].code = code
            return
        }
        countNode(ended, code)
        take(call, from: link)
        release(call)
        // What a copy says that decides nothing is held only until one that decides has answered.
        let code = code == .mn ? endFence(ended.rank, of: fan) : holdLast(bytes, code, of: ended, fan)
        fans[fan].progress.answer(Int(ended.rank))
        if code.isError { fans[fan].progress.refuse(Int(ended.rank)) }
        hear(code, bytes, to: ended.verb, from: ended.rank, fan)
        settle(fan: fan, ended.request)
        release(own: ended.request)
    }

    /// Keeps the end of a copy's answer, if the client may get it.
    @inline(__always)
    private func hold(_ bytes: RawSpan, _ code: ReplyCode, from rank: UInt8, _ fan: UInt32) {
        guard fans[fan].client != none, rank <= fans[fan].held else { return }
        if rank < fans[fan].held, code.line?.utf8CodeUnitCount == bytes.byteCount {
            // The code is all there is to keep.
            if !fans[fan].answer.isEmpty { queues.clear(&fans[fan].answer) }
            fans[fan].held = rank
        } else {
            keepAnswer(bytes, from: rank, fan)
        }
        fans[fan].code = code
    }

    /// `hold` where there may be a value. Returns what the answer says: of a gat the END comes last, hit or miss.
    private func holdLast(_ bytes: RawSpan, _ code: ReplyCode, of call: Call, _ fan: UInt32) -> ReplyCode {
        guard code == .end else {
            hold(bytes, code, from: call.rank, fan)
            return code
        }
        let code = call.values > 0 ? ReplyCode.value : .end
        hold(fans[fan].piece == none ? bytes : bytes.extracting(droppingLast: 5), code, from: call.rank, fan)
        return code
    }

    /// The acting primary has worked off a command that it was asked quietly. Returns what it answered. If nothing, it
    /// has counted, and not made, the item: so are the others to.
    private func endFence(_ rank: UInt8, of fan: UInt32) -> ReplyCode {
        guard fans[fan].held == .max else { return fans[fan].code }
        fans.update(fan) {
            ($0.held, $0.code) = (rank, .hd)
            $0.head.options.subtract([.vivifies, .wantsValue])
        }
        return .hd
    }

    private func copyReply(_ code: ReplyCode, _ verb: Verb, _ bytes: RawSpan) -> CopyReply {
        let line = bytes.firstLineLength
        return CopyReply(
            code, to: verb, header: bytes.extracting(0..<line), value: bytes.extracting(droppingFirst: line))
    }

    /// A copy has answered a command that the acting primary decides, or has decided.
    private func hear(_ code: ReplyCode, _ bytes: RawSpan, to verb: Verb, from rank: UInt8, _ fan: UInt32) {
        let row = fans[fan]
        let isInParts = row.held == rank && !row.answer.isEmpty
        let reply =
            isInParts
            ? queues.withStart(of: row.answer, limit: 1024) { copyReply(code, verb, $0) } ?? CopyReply(code)
            : copyReply(code, verb, bytes)
        if row.goesToAll, rank < row.survivors {
            fans[fan].isTaken = true  // an item that is too large takes the old one with it
            if !code.isError { fans[fan].hasStored = true }
        }
        if row.isDeciding {
            decide(fan, reply)
        } else if row.isDeleting {
            if code.isError { fans[fan].needsRepair = true }
        } else if !row.effect.agrees(reply, with: row.decided, to: row.head.verb, row.head.options) {
            fans[fan].needsRepair = true
        }
    }

    /// The acting primary has decided: the others get the effect.
    private func decide(_ fan: UInt32, _ reply: CopyReply) {
        let row = fans[fan]
        let effect = CopyEffect(of: row.head.verb, row.head.options, reply)
        fans.update(fan) {
            $0.isDeciding = false
            $0.decided = reply
            $0.effect = effect
            $0.isTaken = effect != .nothing
            $0.hasStored = !reply.code.isError
        }
        switch effect {
        case .nothing: break
        case .repair: fans[fan].needsRepair = true
        case .sameCommand, .sameValue: spread(fan, to: 0..<Int(row.together))
        }
    }

    /// A copy will not answer.
    /// - Parameter isUnsent: the node cannot have got the command.
    func failCopy(_ call: UInt32, _ cause: ErrorCause, isUnsent: Bool) {
        let ended = calls[call]
        let fan = requests[ended.request].fan
        let rank = Int(ended.rank)
        let pool = Int(fans[fan].pool)
        poolStats[pool].copies.failed.count(cause)
        fans.update(fan) {
            $0.cause = cause
            if $0.isUsual { ($0.isUsual, $0.isTaken) = (false, $0.progress.answers > 0) }
            $0.progress.fail(rank)
            if isUnsent { $0.unsent |= 1 << UInt8(truncatingIfNeeded: rank) }
        }
        if !isUnsent { distrust(ended.node) }
        if fans[fan].held == ended.rank {
            queues.clear(&fans[fan].answer)
            fans[fan].held = .max
        }
        release(call)
        let row = fans[fan]
        if row.isDeciding, isUnsent || row.head.goesToAllCopies, rank + 1 < Int(row.survivors) {
            // The next copy is the acting primary now. A set may be done twice.
            poolStats[pool].copies.failovers.count(cause)
            spread(fan, to: rank + 1..<rank + 2)
        } else if !keepsMarkers(ended.node) {
            // What was sent may have been done.
            fans[fan].needsRepair = true
        }
        settle(fan: fan, ended.request)
        release(own: ended.request)
    }
}
