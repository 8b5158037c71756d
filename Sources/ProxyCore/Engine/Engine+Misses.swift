internal import Bytes
internal import Distribution

/// A write that one copy may have taken and another missed: before its client is answered, the other nodes have to know.
public struct MissedWrite: BitwiseCopyable, Sendable {
    /// Which missed it.
    public var node: UInt32
    /// The worker's question, counted by node; its answer is `Engine.published`.
    public var round: UInt32
    /// When the earliest such write was sent, in monotonic nanoseconds.
    public var sent: UInt64
}

/// What waits for a node's revocation.
struct MissWait: BitwiseCopyable {
    /// A write, or none and the request of a flush.
    let fan: UInt32
    let request: UInt32
    let since: UInt64
    var next = none
}

/// Which writes a node missed that the control thread does not know of yet.
struct NodeMisses: BitwiseCopyable {
    /// The question that was asked last; and whether its answer is still to come.
    var round: UInt32 = 0
    var isUnderWay = false
    /// Those that wait for that answer, and those that came too late for the question and wait for the next.
    var asked = MissList()
    var later = MissList()
    /// When the earliest of the latter was sent; `.max` if there is none.
    var sent = UInt64.max
}

/// In the order in which they came.
struct MissList: BitwiseCopyable {
    var first = none
    var last = none
}

/// Answers that wait until it is known to other nodes that one missed a write.
///
/// All writes that a node misses while a question is under way share the next one: so there is one question for each
/// node at a time, whatever the number of clients. An answer that was given before a copy failed, as `acks` has it,
/// waits for nothing; the revocation follows it.
extension Engine {
    /// - Parameter isKept: another node keeps the revocation, so that the writes that waited may be acknowledged.
    public func published(node: UInt32, round: UInt32, isKept: Bool) {
        let row = misses[Int(node)]
        guard row.isUnderWay, row.round == round else { return }
        misses.update(Int(node)) {
            $0.isUnderWay = false
            $0.asked = $0.later
            $0.later = MissList()
        }
        if row.sent != .max { ask(node, sent: row.sent) }
        // What the control thread has said so far it may have said without knowing this.
        distrust(node)
        var wait = row.asked.first
        while wait != none { wait = release(wait, isKept: isKept) }
        planMissDeadline()
    }

    /// The node missed a write: it is not read any more, and the others have to know.
    /// - Parameters:
    ///   - fan: waits for that; or the flush `request` does; or nobody.
    private func miss(_ node: UInt32, sent: UInt64, fan: UInt32 = none, request: UInt32 = none) {
        if !misses[Int(node)].isUnderWay {
            ask(node, sent: sent)
            add(MissWait(fan: fan, request: request, since: now), to: &misses[Int(node)].asked, of: node)
        } else if let index = (0..<work.misses.count).first(where: { work.misses[$0].node == node }) {
            // The shell has not taken the question yet.
            work.misses[index].sent = min(work.misses[index].sent, sent)
            add(MissWait(fan: fan, request: request, since: now), to: &misses[Int(node)].asked, of: node)
        } else {
            misses[Int(node)].sent = min(misses[Int(node)].sent, sent)
            add(MissWait(fan: fan, request: request, since: now), to: &misses[Int(node)].later, of: node)
        }
        nodes[node].hasMissed = true
        distrust(node)
    }

    private func ask(_ node: UInt32, sent: UInt64) {
        let round = misses.update(Int(node)) {
            $0.isUnderWay = true
            $0.round &+= 1
            $0.sent = .max
            return $0.round
        }
        work.misses.push(MissedWrite(node: node, round: round, sent: sent))
    }

    private func add(_ wait: MissWait, to list: inout MissList, of node: UInt32) {
        guard wait.fan != none || wait.request != none else { return }
        if wait.fan != none { fans[wait.fan].waits &+= 1 } else { requests[wait.request].pending &+= 1 }
        let slot = missWaits.take(wait)
        if list.last == none { list.first = slot } else { missWaits[list.last].next = slot }
        list.last = slot
        nextMissDeadline = min(nextMissDeadline, now &+ missPatience(of: node))
    }

    /// Returns the next on the list.
    private func release(_ slot: UInt32, isKept: Bool) -> UInt32 {
        let wait = missWaits[slot]
        missWaits.free(slot)
        guard wait.fan != none else {
            if !isKept { requests[wait.request].report = .notFlushed }
            settleOne(wait.request)
            return wait.next
        }
        let (own, isFree) = fans.update(wait.fan) {
            $0.waits &-= 1
            if !isKept { $0.isUnkept = true }
            return ($0.own, $0.waits == 0)
        }
        if isFree { settle(fan: wait.fan, own) }
        return wait.next
    }

    // MARK: - Time

    /// For which a write waits for the control thread at most, in nanoseconds.
    private func missPatience(of node: UInt32) -> UInt64 { 2 * nodes[node].timeout + 1_000_000_000 }

    /// Answers those that have waited for too long.
    func giveUpMisses() {
        guard now >= nextMissDeadline else { return }
        for node in 0..<UInt32(misses.count) {
            while let slot = takeOverdue(node) { _ = release(slot, isKept: false) }
        }
        planMissDeadline()
    }

    /// Nobody waits for the node's revocations any longer, whatever becomes of them.
    func giveUpMisses(of node: UInt32) {
        let row = misses[Int(node)]
        misses[Int(node)] = NodeMisses(round: row.round)
        for first in [row.asked.first, row.later.first] {
            var wait = first
            while wait != none { wait = release(wait, isKept: false) }
        }
        planMissDeadline()
    }

    private func takeOverdue(_ node: UInt32) -> UInt32? {
        misses.update(Int(node)) { takeOverdue(from: &$0.asked, node) ?? takeOverdue(from: &$0.later, node) }
    }

    private func takeOverdue(from list: inout MissList, _ node: UInt32) -> UInt32? {
        let slot = list.first
        guard slot != none, now >= deadline(of: slot, node) else { return nil }
        list.first = missWaits[slot].next
        if list.first == none { list.last = none }
        return slot
    }

    private func planMissDeadline() {
        var next = UInt64.max
        for node in 0..<UInt32(misses.count) {
            let row = misses[Int(node)]
            next = min(next, deadline(of: row.asked.first, node), deadline(of: row.later.first, node))
        }
        nextMissDeadline = next
    }

    private func deadline(of slot: UInt32, _ node: UInt32) -> UInt64 {
        slot == none ? .max : missWaits[slot].since &+ missPatience(of: node)
    }

    // MARK: - Which copies missed what

    func keepsMarkers(_ node: UInt32) -> Bool { nodes[node].verdict.isMarked }

    /// Sees to it that the other nodes are told of the copies that have missed the write, as far as it is known.
    func noteMisses(of fan: UInt32) {
        let row = fans[fan]
        guard !row.asksAll || row.progress.failed != 0, keepsMarkers(row.nodes.primary) else { return }
        let all = copies(of: row.hash, pool: row.pool)
        for index in all.indices {
            let bit = UInt8(1) << UInt8(index)
            guard row.noted & bit == 0, hasMissed(all[index], row) else { continue }
            fans[fan].noted |= bit
            // Whoever has the key next is to know that this copy decides nothing, and not to wait for it.
            let isWaitedFor = row.client != none || row.hold != .none
            miss(all[index], sent: requests[row.own].started, fan: isWaitedFor ? fan : none)
        }
    }

    /// A copy that was asked and gave no answer may have done it, or do it any time later. One that was left out has
    /// missed what another took; unless nobody reads it before it is filled.
    private func hasMissed(_ node: UInt32, _ fan: Fan) -> Bool {
        guard let rank = fan.nodes.index(of: node) else {
            // It may have been filled while the write was under way, up to what was there before.
            return fan.isTaken && (!nodes[node].verdict.isCovered || nodes[node].isReachable)
        }
        let bit = UInt8(1) << UInt8(rank)
        return fan.progress.failed & bit != 0 && (fan.isTaken || fan.unsent & bit == 0)
    }

    /// Sees to it that the other nodes are told of those that missed a flush. One that is being filled has missed it in
    /// any case: what was copied between its flush and the others' is back.
    func noteMisses(ofFlush request: UInt32) {
        let pool = requests[request].pool
        let fleet = servers(ofPool: pool)
        guard keepsMarkers(fleet.lowerBound) else { return }
        let waiting = requests[request].client == none ? none : request
        var piece = requests[request].firstPiece
        for node in fleet where piece != none {
            // What is known of one that is down went with the flush.
            if !isDone(piece) || !nodes[node].isFull {
                miss(node, sent: requests[request].started, request: waiting)
            }
            piece = pieces[piece].next
        }
    }
}
