internal import Bytes
internal import MemcacheProtocol

/// A key that is reserved for another worker, which is to be told.
public struct LockHandover: BitwiseCopyable, Sendable {
    public var worker: Int
    /// As `WriteLocks` has it.
    public var key: UInt64
}

/// Writes of a key through several workers: one of them at a time.
///
///     the command is whole ──▶ claim ✓ ──▶ begin, send ── the copies have answered ──▶ release
///                                │ ✗             ▲                                         │ whoever waits is told
///                                └─▶ waits ──────┴──── granted(key:) ◀─────────────────────┘
///
/// A write that waits keeps its place in its client's line; the client is not read on meanwhile, as behind a large value.
/// Nothing but answers and their time limits is waited for: a client that sends or reads slowly, or is gone, owns no
/// key for that. A write that waits owns none either, so no two wait for each other.
///
/// When a node hangs, the first write of a key to it waits for a timeout, and whoever waits for that write began later.
/// He must not wait for a timeout of his own behind it: so the key is let go of only when all workers have been told
/// that the node missed something and is silent (`noteMisses`), and who has it then asks it nothing (`askLate`).
///
/// Not locked, and thus still noticed as overlaps by `WriteTable` and repaired: a gat of several keys, flushes, repairs,
/// back-fills, and the old value of what is too large.
extension Engine {
    /// When a write lets go of its key.
    enum Hold: UInt8, BitwiseCopyable {
        case none
        /// One copy's answer is all that is promised. What comes to the others later may overtake it there, which is
        /// noticed.
        case untilAnswered
        /// All copies have answered or failed: with a quorum, one that has not may be the acting primary next, and must
        /// not get this write behind a later one.
        case untilOver
    }

    /// The write, which is whole, may begin. If not, it is to `wait`.
    @inline(never)
    func claims(_ fan: UInt32) -> Bool {
        guard locks.claim(lockKey(of: fan), by: number) else { return false }
        fans.update(fan) { $0.hold = $0.progress.needsOne ? .untilAnswered : .untilOver }
        return true
    }

    private func lockKey(of fan: UInt32) -> UInt64 {
        locks.key(of: WriteTable.hash(fans[fan].hash, pool: fans[fan].pool))
    }

    /// Keeps the command of a write that has to wait.
    @inline(never)
    func wait(_ fan: UInt32, _ bytes: RawSpan, line: Int) {
        guard keep(bytes, line: line, of: fan) else {
            // This worker will be told all the same, and passes the key on: it must not stop before.
            if lockWaits.count <= limits.rows { lockWaits.update(lockKey(of: fan)) { _ in } }
            abandon(fan, answering: .outOfMemory)
            return
        }
        wait(fan)
    }

    /// The write, of which all is kept, goes on when the key is this worker's.
    func wait(_ fan: UInt32) {
        let client = requests[fans[fan].own].client
        if client != none { clients[client].blockers &+= 1 }
        lockWaits.update(lockKey(of: fan)) {
            if $0.first == none { $0.first = fan } else { fans[$0.last].next = fan }
            $0.last = fan
        }
    }

    /// The write is over, or what it promises is: others may have its key.
    @inline(never)
    func letGo(_ fan: UInt32) {
        fans[fan].hold = .none
        let key = lockKey(of: fan)
        if let group = locks.release(key) { handOver(key, to: group) }
    }

    private func handOver(_ key: UInt64, to group: Int) {
        let members = locks.members(of: group)
        let isAlone = members.dropFirst().first { _ in true } == nil
        for worker in members {
            // It hears no sooner than others of its group: or they would never have their turn.
            if worker == number, isAlone {
                work.grants.push(key)
            } else {
                work.wishes.push(.handOver(LockHandover(worker: worker, key: key)))
            }
        }
    }

    // MARK: - Whose turn it is

    /// Another worker has let go of the key, and it is reserved for this one.
    public func granted(key: UInt64) { work.grants.push(key) }

    /// Begins what waits for keys that are reserved for this worker. They stay so until its clients have been read on
    /// once: what they have sent behind it, to the same keys, goes with it.
    func useGrants() {
        while let key = work.settling.pop() {
            if let group = locks.settle(key, by: number) { handOver(key, to: group) }
        }
        while let key = work.grants.pop() {
            beginWaiting(for: key)
            work.settling.push(key)
        }
    }

    private func beginWaiting(for key: UInt64) {
        var fan = lockWaits.take(key)
        while fan != none {
            let next = fans[fan].next
            fans[fan].next = none
            goOn(fan)
            fan = next
        }
    }

    private func goOn(_ waited: UInt32) {
        let client = requests[fans[waited].own].client
        if client != none {
            clients[client].blockers &-= 1
            if clients[client].flags.contains(.waiting) { considerResuming(client) }
        }
        guard let fan = renew(waited) else { return }
        guard claims(fan) else { return wait(fan) }
        begin(fan)
        send(fan)
    }

    /// The write once more as its key's copies are now: nodes may have come, gone, or become unreadable while it waited.
    /// Nil, with the write answered, where too few are left.
    private func renew(_ fan: UInt32) -> UInt32? {
        var row = fans[fan]
        fans.free(fan)
        requests.update(row.own) {
            $0.flags.remove(.fanned)
            ($0.fan, $0.pending) = (none, 0)
        }
        guard let renewed = newFan(for: row.own, row.head, row.hash, isRenewed: true) else {
            queues.release(row.line)
            queues.clear(&row.block)
            return nil
        }
        fans.update(renewed) { ($0.line, $0.block) = (row.line, row.block) }
        return renewed
    }
}
