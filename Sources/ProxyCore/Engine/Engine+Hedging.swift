internal import Bytes
internal import Distribution
internal import MemcacheProtocol
internal import Telemetry

/// What is kept of a pool with `read: fastest`.
struct Hedging: BitwiseCopyable {
    let pool: UInt16
    var policy: HedgePolicy
    /// Its reads in the order in which they were sent, those that have been answered included.
    var first = none
    var last = none

    /// Nil where the pool has no use for it.
    init?(_ pool: Pool, number: Int) {
        guard pool.read == .fastest, pool.copyCount > 1 else { return nil }
        self.pool = UInt16(number)
        policy = HedgePolicy(share: pool.hedge, timeout: pool.settings.timeout)
    }
}

/// A read that may become slow.
struct HedgeWait: BitwiseCopyable {
    let call: UInt32
    var next = none
    /// When the call was sent: a call that was not sent then is another.
    let sent: UInt64
    /// From when on it is waited for.
    let since: UInt64
}

/// Reads that ask a second copy where the first is slow. The two calls are twins: the first to answer takes the request,
/// and the other one's answer is dropped when it comes. One that fails, or where misses are asked about elsewhere finds
/// nothing, leaves the request to the other. Of lines of keys see `LineHedge`.
extension Engine {
    /// Reads that are watched at once.
    static var watchLimit: Int { 1 << 15 }

    /// Watches the read of one key that was just sent.
    func watch(_ request: UInt32, at node: UInt32, pool: UInt16) {
        guard let index = hedging(pool: pool) else { return }
        hedgings.update(index) { $0.policy.began() }
        let link = nodes[node].link
        guard link != none, hedgeWaits.count < Self.watchLimit else { return }
        let call = links[link].last
        guard call != none, calls[call].request == request, calls[call].commandChunk != none else { return }
        wait(for: call, index)
    }

    /// Watches a line that was just made of keys of a get of several.
    @inline(never)
    func watch(line call: UInt32) {
        let row = calls[call]
        let request = requests[row.request]
        // Not what asks other copies after the first.
        guard row.verb == .get, row.sent == request.started, !request.flags.contains(.hedging),
            let index = hedging(pool: request.pool)
        else { return }
        hedgings.update(index) { $0.policy.began(keys: Int(row.keys)) }
        if hedgeWaits.count < Self.watchLimit { wait(for: call, index) }
    }

    private func wait(for call: UInt32, _ index: Int) {
        calls[call].flags.insert(.watched)
        let wait = hedgeWaits.take(HedgeWait(call: call, sent: calls[call].sent, since: now))
        let last = hedgings.update(index) {
            let last = $0.last
            $0.last = wait
            if last == none { $0.first = wait }
            return last
        }
        if last != none { hedgeWaits[last].next = wait }
    }

    private func hedging(pool: UInt16) -> Int? {
        for index in 0..<hedgings.count where hedgings[index].pool == pool { return index }
        return nil
    }

    /// A watched call has been answered.
    func noteWatched(_ call: Call) {
        guard let index = hedging(pool: requests[call.request].pool) else { return }
        hedgings.update(index) { $0.policy.answered(after: now &- call.sent) }
    }

    /// When the first read that has no answer becomes slow; `.max` is never.
    var nextHedge: UInt64 {
        var next = UInt64.max
        for index in 0..<hedgings.count {
            skipAnswered(index)
            let row = hedgings[index]
            if row.first != none { next = min(next, hedgeWaits[row.first].since &+ row.policy.patience) }
        }
        return next
    }

    /// Asks other copies for what is slow.
    func sendHedges() {
        for index in 0..<hedgings.count {
            while true {
                skipAnswered(index)
                let row = hedgings[index]
                guard row.first != none, now >= hedgeWaits[row.first].since &+ row.policy.patience else { break }
                let call = hedgeWaits[row.first].call
                removeFirst(index)
                if !isLine(call) {
                    double(call, index)
                } else if isAnswering(call, row.policy.patience) {
                    wait(for: call, index)
                } else {
                    double(line: call, index)
                }
            }
        }
    }

    /// Takes off the front what is not waited for any more.
    private func skipAnswered(_ index: Int) {
        while hedgings[index].first != none {
            let wait = hedgeWaits[hedgings[index].first]
            let call = calls[wait.call]
            // Of a line there is more to come.
            if call.flags.contains(.watched), call.sent == wait.sent,
                call.flags.isDisjoint(with: .started) || isLine(wait.call)
            {
                return
            }
            removeFirst(index)
        }
    }

    /// Some of the line's answer has come, and not long ago.
    private func isAnswering(_ call: UInt32, _ patience: UInt64) -> Bool {
        calls[call].flags.contains(.started) && now < links[calls[call].link].progress &+ patience
    }

    /// Of a pool in which nothing is under way: what is kept begins anew, by its new settings.
    func renewHedging(pool: Int) {
        for index in 0..<hedgings.count where hedgings[index].pool == UInt16(pool) {
            while hedgings[index].first != none { removeFirst(index) }
            hedgings[index] = hedgings[hedgings.count - 1]
            _ = hedgings.pop()
            break
        }
        if let hedging = Hedging(owned[pool], number: pool) { hedgings.push(hedging) }
    }

    private func removeFirst(_ index: Int) {
        let first = hedgings[index].first
        let next = hedgeWaits[first].next
        hedgeWaits.free(first)
        hedgings.update(index) {
            $0.first = next
            if next == none { $0.last = none }
        }
    }

    private func double(_ call: UInt32, _ index: Int) {
        let row = calls[call]
        guard mayDouble(row), let next = nextCopy(for: call),
            hedgings.update(index, { $0.policy.takes() })
        else { return }
        doubledReads += 1
        var twin = row
        twin.node = next.node
        twin.tried = next.tried
        twin.flags = [.repeatable, .hedge]
        twin.sent = now
        twin.next = none
        twin.link = none
        twin.staged = ByteQueue()
        twin.other = call
        queues.chunks.retain(row.commandChunk)
        let slot = calls.take(twin)
        calls[call].other = slot
        requests[row.request].pending &+= 1
        poolStats[Int(requests[row.request].pool)].copies.hedges &+= 1
        enqueue(slot)
        sendKept(slot)
    }

    /// Neither too much is doubled already nor this; and what is asked may be read, so that the next is one like it.
    func mayDouble(_ row: Call) -> Bool {
        row.other == none && hasRoom && doubledReads < limits.rows / 8 && !queues.isCrowded
            && isReadable(node: row.node)
    }

    // MARK: - Twins

    /// The call answers the request; the other's answer is not wanted any more.
    func win(_ call: UInt32) {
        // What a line brings counts key by key.
        guard !isLine(call) else { return }
        let (other, request) = (calls[call].other, calls[call].request)
        if calls[call].flags.contains(.hedge) {
            poolStats[Int(requests[request].pool)].copies.hedgesWon &+= 1
        }
        calls[call].other = none
        drop(other)
        requests[request].pending &-= 1
    }

    /// What comes in answer to the call is nobody's any more.
    func drop(_ call: UInt32) {
        if calls[call].flags.contains(.blocking) { unblock(call) }
        let row = requests[calls[call].request]
        let own = requests.take(Request(client: none, verb: row.verb, flags: .dropped, pool: row.pool, started: now))
        requests[own].pending = 1
        calls.update(call) {
            $0.other = none
            $0.request = own
        }
    }

    /// One of two askings has been answered. False where that counts; where it is an error, the request is left to the
    /// other.
    func leavesToOther(_ call: UInt32, _ code: ReplyCode, of link: UInt32) -> Bool {
        guard code.isError else {
            if isLine(call) { giveUpHedge(of: call) } else { win(call) }
            return false
        }
        countNode(calls[call], code)
        take(call, from: link)
        if isLine(call) { leaveToHedge(call, nil) } else { leave(call, lacks: false) }
        return true
    }

    /// The call, which is not on its connection's line any more, leaves the request to the other.
    /// - Parameter lacks: its node has answered that it lacks the key.
    func leave(_ call: UInt32, lacks: Bool) {
        let row = calls[call]
        let all = copies(of: hash(ofCall: call), pool: requests[row.request].pool)
        let copy = all.bit(of: row.node)
        calls.update(row.other) {
            $0.other = none
            $0.tried |= copy
            $0.lacked |= row.lacked | (lacks ? copy : 0)
        }
        requests[row.request].pending &-= 1
        doubledReads -= 1
        release(call)
    }

    /// A dropped call is over.
    func finishDropped(_ call: UInt32, _ code: ReplyCode, of link: UInt32) {
        let ended = calls[call]
        countNode(ended, code)
        take(call, from: link)
        failDropped(call)
    }

    func failDropped(_ call: UInt32) {
        let request = calls[call].request
        doubledReads -= 1
        release(call)
        settleOne(request)
    }
}
