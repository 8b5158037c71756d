internal import Bytes
internal import Distribution
internal import MemcacheProtocol
internal import Telemetry

/// When the client of a write hears, and when the write is over.
extension Engine {
    /// Asks the copies that are being filled when it is their turn, answers the client as soon as it may hear, and ends
    /// the fan when no copy is left to answer.
    /// - Parameter own: the fan's request, which tells whether the fan has ended meanwhile.
    func settle(fan: UInt32, _ own: UInt32) {
        guard requests[own].fan == fan else { return }
        if fans[fan].progress.isLateNext { askLate(fan) }
        guard requests[own].fan == fan else { return }
        let row = fans[fan]
        if row.client != none, !row.isDeciding || row.progress.isLost {
            if row.progress.isDecided {
                noteMisses(of: fan)
                if fans[fan].waits == 0 { giveSecured(fan) }
            } else if row.progress.isLost {
                // Nothing is promised, so nothing need be known before.
                fans[fan].client = none
                poolStats[Int(row.pool)].errors.count(row.cause)
                giveError(row.cause.reply, of: row)
            }
        }
        guard row.progress.isOver else { return }
        noteMisses(of: fan)
        if fans[fan].waits == 0 { end(fan) }
    }

    /// The answer, unless too few copies have what it promises, or nobody keeps that one has missed the write.
    func giveSecured(_ fan: UInt32) {
        let row = fans[fan]
        // What has to be read first is told to the others behind the answer.
        let isShort =
            (row.isUsual || row.isTaken) && row.effect != .repair && row.progress.isShort && !row.code.isError
        guard isShort || row.isUnkept else { return giveAnswer(of: fan) }
        fans[fan].client = none
        poolStats[Int(row.pool)].errors.count(isShort ? .tooFewCopies : .notSecured)
        giveError(isShort ? .tooFewCopies : .notSecured, of: row)
    }

    func giveAnswer(of fan: UInt32) {
        let row = fans[fan]
        fans[fan].client = none
        if row.hold == .untilAnswered { letGo(fan) }
        countPool(row.head.verb, row.code, pool: Int(row.pool))
        poolStats[Int(row.pool)].copies.acknowledged.count(Int(row.progress.answers))
        if row.piece != none {
            // A get of several keys never fails as a whole.
            if !row.code.isError { queues.move(&fans[fan].answer, behind: &pieces[row.piece].reply) }
            pieces[row.piece].state = .settled
            settleOne(row.client)
            return
        }
        let (client, flags) = (requests[row.client].client, requests[row.client].flags)
        guard client != none else { return }
        let isHidden =
            flags.contains(.quiet) && ReplyCode.quietHides(row.head.verb, row.code) && !row.head.isToldByNode
        if !isHidden {
            if row.answer.isEmpty {
                say(row.code, to: client, for: row.client)
            } else {
                queues.move(&fans[fan].answer, behind: &requests[row.client].reply)
            }
        }
        settle(row.client)
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

    private func giveError(_ text: ReplyText, of fan: Fan) {
        if fan.piece != none {
            pieces[fan.piece].state = .settled
            settleOne(fan.client)
        } else if requests[fan.client].client == none {
            // Nobody hears it.
        } else if text == .badDataChunk {
            answerBadChunk(fan.client)
        } else {
            answerFailure(fan.client, text)
        }
    }

    // MARK: - The end

    /// All copies have answered or failed.
    func end(_ fan: UInt32) {
        let row = fans[fan]
        poolStats[Int(row.pool)].copies.written &+= UInt64(row.progress.answers)
        let (overlapped, doubted) = writes.conclude(WriteTable.hash(row.hash, pool: row.pool))
        // Nearly always every copy was asked, answered, and agrees.
        let isWell =
            row.asksAll && row.progress.failed == 0 && !row.needsRepair && row.progress.late == 0
            && !overlapped
        if !isWell { considerRepair(fans[fan], overlapped: overlapped, doubted: doubted) }
        if row.hold != .none { letGo(fan) }
        free(fan: fan)
        release(own: row.own)
    }

    @inline(__always)
    private func free(fan: UInt32) {
        let row = fans[fan]
        queues.release(row.line)
        if !row.block.isEmpty { queues.clear(&fans[fan].block) }
        if !row.answer.isEmpty { queues.clear(&fans[fan].answer) }
        fans.free(fan)
        requests[row.own].fan = none
    }

    /// A call of a fan's own request is over, or the fan itself.
    @inline(__always)
    func release(own: UInt32) {
        let isFree = requests.update(own) {
            $0.pending &-= 1
            guard $0.pending == 0 else { return false }
            $0.flags.remove(.fanned)
            return $0.client == none
        }
        if isFree { requests.free(own) }
    }

    /// Nothing was sent.
    func abandon(_ fan: UInt32, answering text: ReplyText) {
        let row = fans[fan]
        if text == .outOfMemory { poolStats[Int(row.pool)].errors.count(.memoryLimit) }
        free(fan: fan)
        if row.piece != none {
            requests.free(row.own)
        } else {
            requests.update(row.own) {
                $0.flags.remove(.fanned)
                $0.pending = 0
            }
        }
        giveError(text, of: row)
    }
}
