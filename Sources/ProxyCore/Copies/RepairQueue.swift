internal import Bytes
public import Telemetry

/// What a worker needs to know of a key whose repair has come up.
public struct Repair: BitwiseCopyable, Sendable {
    /// The key's place in the queue, which still holds it.
    public var slot: UInt32
    public var pool: UInt16
    /// As `WriteTable.hash` gave it.
    public var hash: UInt64
    public var isBase64: Bool
    /// What it was first asked for.
    public var reason: RepairReason
    /// A copy failed: the repair is not over until all copies of the key, not just the live ones, agree.
    public var needsAllCopies: Bool
    /// The copies are only to be compared; `endCheck` ends it, whatever happens.
    public var isCheck = false
    /// A check with this witness has found that they differ, and no write has asked for the repair: that the primary's is
    /// the right one is only likely.
    public var suspicion: UInt64?
    var missed: MissedCopies

    /// The copies for a `RepairPlan`, the source first: the first in the key's order that has missed no write.
    ///
    /// - Parameters:
    ///   - live: a mask of the copies on nodes that take writes; bit 0 is the primary.
    ///   - late: those of them that come behind all others.
    public func order(live: UInt8, late: UInt8 = 0) -> CopyOrder { CopyOrder(of: live, late: late, missed: missed) }
}

/// Why a repair did not succeed this time.
public enum RepairObstacle: Sendable {
    /// A write of the key is under way, or was during the repair: tried again in 1 to 128 ms.
    case busy
    /// A copy that it needs is on a node that is down: tried again in 0.25 to 4 s.
    case nodeDown
    /// A copy did not answer, or refused the value: tried again in 50 ms to 5 s, on all copies of the key from now on,
    /// and given up after `RepairQueue.failureLimit` times.
    case failed
    /// Someone else changed the key meanwhile: likewise, but only the live copies count.
    case moved

    var backoff: Backoff {
        switch self {
        case .busy: Backoff(base: 1_000_000, cap: 128_000_000)
        case .nodeDown: Backoff(base: 250_000_000, cap: 4_000_000_000)
        case .failed, .moved: Backoff(base: 50_000_000, cap: 5_000_000_000)
        }
    }
}

/// The keys that one worker has to repair, each once, by the time at which they come up.
///
///     add ──▶ waiting ── next ──▶ under way ── finished ──▶ gone
///                ▲                    │
///                └── retry, or added again meanwhile
///
/// Bounded: when it is full, the newest key is dropped and counted. The oldest is no better a choice, as any of them
/// stays wrong until its next write, and dropping the newest leaves work alone that has been done already. But keys that
/// wait for a node to come back, which can be all that are written, fill three quarters of it only: the others can be
/// repaired at once and must not be shut out.
///
/// A class held by a `let`, one per worker. It allocates nothing after its start; the memory that is touched grows with
/// the keys that wait at once. Times are monotonic nanoseconds, and are told.
public final class RepairQueue {
    /// A key of this many failed tries is given up.
    public static let failureLimit = 8
    private let settlingTime: UInt64

    let entries: Table<RepairEntry>
    /// Is told which keys wait.
    let writes: WriteTable?
    /// Slots of what waits, as a heap: none comes up before its parent at `(index - 1) / 2`.
    let heap = Stack<UInt32>()
    /// The first entry of each chain of keys whose hashes end alike, or none.
    let chains = Stack<UInt32>()
    /// Keys that wait, and those under way.
    public internal(set) var count = 0
    /// Those of them that are only to be compared.
    var checkCount = 0
    /// Those of them that need all copies.
    private var patientCount = 0
    /// Entries ever queued.
    private var order: UInt64 = 0
    private var generator: JitterGenerator

    /// - Parameters:
    ///   - entries: keys that may wait at once.
    ///   - bytes: of memory that they may take, at some 320 each; the smaller of both bounds counts, and at least 4 keys.
    ///   - settlingTime: for which a copy that did not answer may still carry out what it was sent.
    ///   - seed: for the delays.
    ///   - writes: is told which keys wait.
    public init(
        entries: Int = 16_384, bytes: Int = 8 << 20, settlingTime: UInt64 = 1_000_000_000, seed: UInt64,
        writes: WriteTable? = nil
    ) {
        self.settlingTime = settlingTime
        self.writes = writes
        let limit = max(4, min(entries, bytes / MemoryLayout<RepairEntry>.stride, 1 << 24))
        self.entries = Table(limit: limit)
        generator = JitterGenerator(state: seed)
        var chainCount = 4
        while chainCount < limit { chainCount *= 2 }
        for _ in 0..<chainCount { chains.push(Table<RepairEntry>.none) }
    }

    /// Nothing waits and nothing is under way: the worker may stop.
    public var isEmpty: Bool { count == 0 }

    /// When the next key comes up; nil if none waits.
    @inline(__always)
    public var nextDue: UInt64? { heap.isEmpty ? nil : entries[heap[0]].due }

    /// Asks for a key's repair. One that waits already comes up at the earlier of both times; one that is being repaired
    /// is repaired once more.
    ///
    /// - Parameters:
    ///   - hash: as `WriteTable.hash` gave it.
    ///   - key: as spelled on the wire, 1 to 250 bytes; others are dropped.
    ///   - missed: a mask of the copies that missed the write, bit 0 the primary; for `copyFailed`, else 0.
    ///   - doubted: a mask of those that may have got something older meanwhile.
    ///   - now: it comes up at once, or, if a copy missed the write, when `settlingTime` is over.
    ///   - stats: the pool's.
    /// - Returns: false if it was dropped.
    @discardableResult
    public func add(
        _ key: RawSpan, isBase64: Bool, hash: UInt64, pool: UInt16, reason: RepairReason, missed: UInt8 = 0,
        doubted: UInt8 = 0, now: UInt64, counted stats: inout RepairStats
    ) -> Bool {
        guard key.byteCount > 0, key.byteCount <= RepairEntry.keyLimit else {
            stats.dropped.count(reason)
            return false
        }
        let due = missed == 0 ? now : now &+ settlingTime
        let slot = find(key, isBase64, hash, pool)
        if slot != Table<RepairEntry>.none {
            if entries[slot].isCheck { becomeRepair(slot, reason, counted: &stats) }
            entries[slot].suspicion = nil
            merge(slot, missed, doubted, due)
            return true
        }
        let isPatient = missed != 0
        guard count < Int(entries.limit), !isPatient || patientCount < Int(entries.limit) / 4 * 3 else {
            stats.dropped.count(reason)
            return false
        }
        let fresh = insert(key, isBase64, hash, pool, reason, at: due)
        entries.update(fresh) {
            $0.missed.doubt(doubted)
            $0.missed.note(missed)
            $0.needsAllCopies = isPatient
            if isPatient { $0.settled = due }
        }
        writes?.owesRepair(hash)
        if isPatient { patientCount += 1 }
        stats.queued.count(reason)
        stats.waiting += 1
        return true
    }

    /// The slot of the key, or none.
    func find(_ key: RawSpan, _ isBase64: Bool, _ hash: UInt64, _ pool: UInt16) -> UInt32 {
        var slot = chains[Int(truncatingIfNeeded: hash) & (chains.count - 1)]
        while slot != Table<RepairEntry>.none, !entries.update(slot, { $0.isFor(key, isBase64, hash, pool) }) {
            slot = entries[slot].nextInChain
        }
        return slot
    }

    /// A slot for a key that has none; there must be room.
    func insert(
        _ key: RawSpan, _ isBase64: Bool, _ hash: UInt64, _ pool: UInt16, _ reason: RepairReason, at due: UInt64
    ) -> UInt32 {
        let chain = Int(truncatingIfNeeded: hash) & (chains.count - 1)
        let fresh = entries.take(
            RepairEntry(
                hash: hash, due: due, pool: pool, isBase64: isBase64, reason: reason, nextInChain: chains[chain]))
        entries.update(fresh) { $0.keep(key) }
        chains[chain] = fresh
        count += 1
        enqueue(fresh, at: due)
        return fresh
    }

    private func merge(_ slot: UInt32, _ missed: UInt8, _ doubted: UInt8, _ due: UInt64) {
        entries[slot].failures = 0
        entries[slot].awaitsNode = false
        if missed != 0 { entries[slot].settled = max(entries[slot].settled, due) }
        if entries[slot].place == RepairEntry.underWay {
            let earlier = entries[slot].isAskedAgain ? min(entries[slot].due, due) : due
            entries[slot].isAskedAgain = true
            entries[slot].missedMeanwhile.doubt(doubted)
            entries[slot].missedMeanwhile.note(missed)
            entries[slot].due = earlier
            return
        }
        entries[slot].missed.doubt(doubted)
        entries[slot].missed.note(missed)
        if missed != 0 { setNeedsAllCopies(slot, true) }
        if due < entries[slot].due {
            entries[slot].due = due
            siftUp(from: Int(entries[slot].place))
        }
    }

    func setNeedsAllCopies(_ slot: UInt32, _ value: Bool) {
        guard entries[slot].needsAllCopies != value else { return }
        entries[slot].needsAllCopies = value
        patientCount += value ? 1 : -1
    }

    /// The key that comes up first, if its time has come. It is under way until `finished`, `retry` or `abandon`.
    public func next(now: UInt64) -> Repair? {
        guard !heap.isEmpty, entries[heap[0]].due <= now else { return nil }
        let slot = removeFirst()
        return entries.update(slot) {
            $0.place = RepairEntry.underWay
            $0.isAskedAgain = false
            $0.began = now
            $0.missedMeanwhile = MissedCopies()
            return Repair(
                slot: slot, pool: $0.pool, hash: $0.hash, isBase64: $0.isBase64, reason: $0.reason,
                needsAllCopies: $0.needsAllCopies, isCheck: $0.isCheck,
                suspicion: $0.suspicion, missed: $0.missed)
        }
    }

    /// The key of a repair under way, as spelled on the wire.
    public func withKey<Result>(of slot: UInt32, _ body: (RawSpan) -> Result) -> Result {
        entries.update(slot) { unsafe body($0.key.span.bytes.extracting(0..<Int($0.keyLength))) }
    }

    /// All copies agree. If the key was added again meanwhile, or is not settled, it waits again.
    public func finished(_ slot: UInt32, now: UInt64, counted stats: inout RepairStats) {
        if entries[slot].settled > entries[slot].began {
            entries[slot].awaitsNode = false
            noteMeanwhile(slot)
            return enqueue(slot, at: max(entries[slot].settled, now))
        }
        stats.done.count(entries[slot].reason)
        guard entries[slot].isAskedAgain else {
            stats.waiting -= 1
            return free(slot)
        }
        let missed = entries[slot].missedMeanwhile
        entries[slot].missed = missed
        setNeedsAllCopies(slot, !missed.isEmpty)
        let reason: RepairReason = missed.isEmpty ? .overlap : .copyFailed
        entries[slot].reason = reason
        entries[slot].tries = 0
        stats.queued.count(reason)
        enqueue(slot, at: entries[slot].due)
    }

    /// Puts the repair off.
    ///
    /// - Returns: false if that was its last try and it is gone.
    @discardableResult
    public func retry(_ slot: UInt32, _ obstacle: RepairObstacle, now: UInt64, counted stats: inout RepairStats) -> Bool
    {
        if obstacle == .failed {
            setNeedsAllCopies(slot, true)
            entries[slot].settled = max(entries[slot].settled, now &+ settlingTime)
        }
        if obstacle == .failed || obstacle == .moved {
            entries[slot].failures += 1
            guard entries[slot].failures < Self.failureLimit else {
                abandon(slot, counted: &stats)
                return false
            }
        }
        stats.retries &+= 1
        entries[slot].awaitsNode = obstacle == .nodeDown
        noteMeanwhile(slot)
        let tries = entries[slot].tries
        entries[slot].tries = tries &+ (tries < .max ? 1 : 0)
        let due = now &+ obstacle.backoff.delay(attempt: Int(tries), using: &generator)
        enqueue(slot, at: entries[slot].isAskedAgain ? min(due, max(entries[slot].due, now)) : due)
        return true
    }

    private func noteMeanwhile(_ slot: UInt32) {
        entries[slot].missed.note(entries[slot].missedMeanwhile)
        if !entries[slot].missedMeanwhile.isEmpty { setNeedsAllCopies(slot, true) }
    }

    /// Gives a repair up: for a graceful stop while its node is down.
    public func abandon(_ slot: UInt32, counted stats: inout RepairStats) {
        stats.abandoned &+= 1
        stats.waiting -= 1
        free(slot)
    }

    /// Lets all that wait come up now: when a node is back, or before a stop. But not what only a check has asked for,
    /// which would be too early then.
    public func hurry(now: UInt64) {
        for index in 0..<heap.count {
            let slot = heap[index]
            if entries[slot].isCheck || entries[slot].suspicion != nil { continue }
            entries[slot].due = min(entries[slot].due, now)
        }
        // The heap is made anew.
        for index in 0..<heap.count { siftUp(from: index) }
    }

    /// Keys of the pool, or of any, wait to be repaired, and not only to be compared, or for a node that is down.
    public func holdsRepairs(ofPool pool: UInt16? = nil) -> Bool {
        for index in 0..<heap.count where pool == nil || entries[heap[index]].pool == pool {
            if entries[heap[index]].isRepairable { return true }
        }
        return false
    }

    /// Drops what waits of a pool, whose keys are elsewhere now; nothing of it is under way.
    public func forget(pool: UInt16, counted stats: inout RepairStats) {
        var others: [UInt32] = []
        var own: [UInt32] = []
        for index in 0..<heap.count {
            if entries[heap[index]].pool == pool { own.append(heap[index]) } else { others.append(heap[index]) }
        }
        heap.removeAll()
        for slot in others { enqueue(slot, at: entries[slot].due) }
        for slot in own {
            if entries[slot].isCheck {
                endCheck(slot, suspicion: nil, counted: &stats)
            } else {
                abandon(slot, counted: &stats)
            }
        }
    }

    func enqueue(_ slot: UInt32, at due: UInt64) {
        order &+= 1
        entries[slot].due = due
        entries[slot].order = order
        entries[slot].place = UInt32(heap.count)
        heap.push(slot)
        siftUp(from: heap.count - 1)
    }

    func free(_ slot: UInt32) {
        let chain = Int(truncatingIfNeeded: entries[slot].hash) & (chains.count - 1)
        let next = entries[slot].nextInChain
        if chains[chain] == slot {
            chains[chain] = next
        } else {
            var before = chains[chain]
            while entries[before].nextInChain != slot { before = entries[before].nextInChain }
            entries[before].nextInChain = next
        }
        setNeedsAllCopies(slot, false)
        if !entries[slot].isCheck { writes?.repaired(entries[slot].hash) }
        entries.free(slot)
        count -= 1
    }
}

/// SplitMix64.
struct JitterGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}
