internal import Bytes
internal import Distribution
internal import MemcacheProtocol
internal import Telemetry

/// What this worker may do with each node: what the control thread says, less what it has seen since.
///
///            full, and proven since the last failure
///     none ─────────────────────────────────────────▶ full
///      │                                               │ a connection failed, a write was missed, or a verdict
///      └─────────▶ syncing ◀───────────────────────────┘
///
/// A failed connection may be the end of the process that was proven: the next may be empty, or a worker may have got
/// less through to it than the others. Where no markers are kept, none of this happens: a node is full, or none.
extension Engine {
    /// Works out anew what may be done with the node.
    func judge(_ node: UInt32) {
        let (before, wasSilent) = (nodes[node].access, nodes[node].isSilent)
        let access = nodes.update(node) { row in
            let access = row.verdict.access
            guard !isMistrusted(pool: row.pool) else { return NodeAccess.none }
            guard access == .full, row.verdict.isMarked else { return access }
            guard row.verdict.provenAt > row.distrustedAt, !misses[Int(node)].isUnderWay else { return .syncing }
            row.hasMissed = false
            return .full
        }
        (nodes[node].access, nodes[node].isSilent) = (access, nodes[node].verdict.isSilent)
        if access == .none { nodes[node].hasBeenDown = true }
        // What waits for one that is down would only wait for its time to run out. What one that is full no longer was
        // to decide must not come to the others behind what they decide now.
        let isLess =
            before == .full && access != .full || before == .syncing && access == .none
            || nodes[node].isSilent && !wasSilent && hasFull(pool: nodes[node].pool)
        // Of a worker that stood still the answers may be there, waiting to be read.
        if isLess, !isMistrusted(pool: nodes[node].pool) { drop(node: node) }
    }

    /// Else those that are silent are asked all the same, for want of better ones.
    private func hasFull(pool: UInt16) -> Bool { servers(ofPool: pool).contains { nodes[$0].isFull } }

    private func drop(node: UInt32) {
        let link = nodes[node].link
        if link != none { fail(link: link, .nodeDown) }
    }

    /// The node has failed this worker: it is not read until it is proven anew.
    func distrust(_ node: UInt32) {
        guard nodes[node].verdict.isMarked else { return }
        nodes[node].distrustedAt = now
        judge(node)
    }

    // MARK: - What follows

    @inline(__always)
    func isWritable(node: UInt32) -> Bool { nodes[node].isReachable && !nodes[node].isSilent }

    /// Whether the node's contents may be shown to clients: it is known to have missed nothing.
    func isReadable(node: UInt32) -> Bool { nodes[node].isFull }

    /// The first copy that can be read and is not among those tried. Where none is known to be whole, any that answers:
    /// rather one that very likely is, then the one that was whole last; one that came back empty last of all.
    func readable(_ all: Copies, besides tried: UInt8 = 0) -> Int? {
        for index in all.indices where isReadable(node: all[index]) {
            return all.indices.first { tried & 1 << UInt8($0) == 0 && isReadable(node: all[$0]) }
        }
        func isLeft(_ index: Int) -> Bool { tried & 1 << UInt8(index) == 0 && nodes[all[index]].mayLead }
        var best: Int?
        for index in all.indices where isLeft(index) {
            guard let before = best, guessRank(all[index]) >= guessRank(all[before]) else {
                best = index
                continue
            }
        }
        return best
    }

    /// Which of those that are not full is the best guess: the least, and of equals the first in the ring.
    func guessRank(_ node: UInt32) -> UInt64 {
        let row = nodes[node]
        if row.isDoubted { return 0 }
        // Full until now, and it has missed something just now.
        if row.verdict.access == .full { return 1 }
        return row.verdict.hasContents ? .max - 1 - row.verdict.lastWhole : .max
    }

    /// A key is asked of this node.
    func countUnproven(_ node: UInt32) {
        if !isReadable(node: node) { poolStats[Int(nodes[node].pool)].copies.unprovenReads &+= 1 }
    }

    // MARK: - Trust

    /// What is known of the pool's nodes is good until then (monotonic nanoseconds): later none of them is used.
    public func trust(pool: Int, until time: UInt64) {
        let wasMistrusted = isMistrusted(pool: UInt16(pool))
        trusts[pool] = time
        planMistrust()
        if wasMistrusted != isMistrusted(pool: UInt16(pool)) { judgeAll(ofPool: UInt16(pool)) }
    }

    @inline(__always)
    public func isMistrustDue(at time: UInt64) -> Bool { time >= nextMistrust }

    /// The time of some pool is over.
    @inline(never)
    func mistrust() {
        planMistrust()
        for pool in 0..<trusts.count where isMistrusted(pool: UInt16(pool)) { judgeAll(ofPool: UInt16(pool)) }
    }

    private func isMistrusted(pool: UInt16) -> Bool { now >= trusts[Int(pool)] }

    private func judgeAll(ofPool pool: UInt16) { for node in nodes(ofPool: pool) { judge(node) } }

    private func planMistrust() {
        var next = UInt64.max
        for pool in 0..<trusts.count where now < trusts[pool] { next = min(next, trusts[pool]) }
        nextMistrust = next
    }

    // MARK: - New connections

    /// The connection has been asked for its version; where the node is read on the strength of its marker, that is
    /// asked for too, on this very connection. True when it is.
    func askForProof(on link: UInt32) -> Bool {
        guard neededProof(on: link) != 0 else { return false }
        links[link].flags.insert(.proving)
        if links[link].proofs == 0 { links[link].provingSince = now }
        links[link].proofs += 1
        let isAsked = queues.append("mg __drover:ready v\r\n", to: &links[link].output, through: &links[link].open)
        if isAsked { markDirty(link: link) } else { condemn(link: link) }
        return true
    }

    /// The token that the connection's node must have to be read; 0 where it is not, or needs none.
    private func neededProof(on link: UInt32) -> UInt64 {
        let row = nodes[links[link].node]
        return row.isFull ? row.verdict.token : 0
    }

    /// A marker that a client's flush has taken is back within some round trips; what waits behind the connection has its
    /// own time.
    private func mayComeBack(_ link: UInt32) -> Bool {
        let patience = min(50_000_000, nodes[links[link].node].timeout / 4)
        return links[link].proofs < 200 && now &- links[link].provingSince < patience
    }

    /// The answer to that. Another process than was proven, or one whose marker is gone, is not read.
    func takeProof(_ bytes: RawSpan, of link: UInt32) -> Int {
        var token: Token?
        let length: Int
        switch ReplyParser.parse(bytes, for: .metaGet) {
        case .needMore: return 0
        case .line(_, let count): length = count
        case .value(let head) where Int(head.dataLength) <= MarkerText.limit:
            length = head.totalLength
            guard bytes.byteCount >= length else { return 0 }
            token = MarkerText.token(in: bytes.extracting((length - 2 - Int(head.dataLength))..<(length - 2)))
        default:
            fail(link: link, .protocolError)
            return bytes.byteCount
        }
        links[link].flags.remove(.proving)
        if token == nil, mayComeBack(link), askForProof(on: link) { return length }
        // As it is now: it may have changed since it was asked.
        let needed = neededProof(on: link)
        if needed != 0, token?.number != needed {
            fail(link: link, .unproven)
            return bytes.byteCount
        }
        becomeReady(link: link)
        return length
    }
}
