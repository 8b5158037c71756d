internal import Bytes

/// Sees to it that one worker at a time writes a key: so that all its copies get the writes in one order.
///
/// One per process, shared by its workers. A worker claims a key's slot before the first byte of a write goes to a node,
/// and releases it when what the write promises cannot be overtaken any more. Its own writes need no order but that of
/// its connections: it claims as often as it likes, unless another worker waits.
///
///     worker 1   claim ✓   claim ✓          release   release ─┐ the slot is reserved for worker 2, who is told
///     worker 2             claim ✗ (waits)                     └▶ claim ✓   claim ✓   settle        release
///     worker 1                         claim ✗ (waits)                                                 └▶ …
///
/// Nobody starves: who waits is noted in the slot, the owner then waits behind him, and the slot goes round among the
/// workers that wait. Who is told that a slot is reserved for him claims it for all that waits, and settles: then, or
/// with the last release, it goes on to the next, or is free. So it always has an owner who will let go of it.
///
/// Keys share slots: a write may wait for one of another key. Each call is one compare-and-exchange; nothing is locked,
/// nobody spins.
public final class WriteLocks: Sendable {
    private let words: AtomicWords<UInt64>
    /// What is left of a hash after this shift is a slot number.
    private let shift: UInt64
    /// Who share it, 1 to 1024.
    let workers: Int

    /// - Parameter slots: eight bytes each; raised to a power of two, 2 to 2^24. One worker needs none.
    public init(workers: Int, slots: Int = 1 << 18) {
        let wanted = workers > 1 ? min(max(slots, 2), 1 << 24) : 2
        let bits = Int.bitWidth - (wanted - 1).leadingZeroBitCount
        words = AtomicWords(count: 1 << bits)
        shift = UInt64(64 - bits)
        self.workers = workers
    }

    /// - Parameter hash: as `WriteTable.hash` gave it.
    @inline(__always)
    func slot(of hash: UInt64) -> UInt32 {
        // Multiplied, because some of the rings' hashes leave their high bits empty.
        UInt32(truncatingIfNeeded: (hash &* 0x9e37_79b9_7f4a_7c15) &>> shift)
    }

    /// The worker, from 0 on, wants to write. True: it may, and has to `release` it; false: it will be told.
    func claim(_ slot: UInt32, by worker: Int) -> Bool {
        LockWord.isOpen(words.update(Int(slot)) { LockWord.claimed($0, by: worker) }, to: worker)
    }

    /// A write is over. Returns for which group of workers the slot is reserved now, if it has just been.
    func release(_ slot: UInt32) -> Int? {
        let before = words.update(Int(slot), LockWord.released)
        let after = LockWord.released(before)
        return !LockWord.isReserved(before) && LockWord.isReserved(after) ? LockWord.owner(after) : nil
    }

    /// The worker, for whom the slot was reserved, has claimed it for all that waited, or not at all. Returns what
    /// `release` does.
    func settle(_ slot: UInt32, by worker: Int) -> Int? {
        let before = words.update(Int(slot)) { LockWord.settled($0, by: worker) }
        let after = LockWord.settled(before, by: worker)
        return before != after && LockWord.isReserved(after) ? LockWord.owner(after) : nil
    }

    /// The workers of a group: one, unless there are more workers than groups.
    func members(of group: Int) -> StrideTo<Int> { stride(from: group, to: workers, by: LockWord.groups) }

    /// No slot has an owner. For tests.
    var areFree: Bool { (0..<words.count).allSatisfy { words.load($0) == 0 } }
}

/// The word of a slot; 0 is free. From its top bit: the owner; how many of his writes are not over; whether it is reserved
/// for him, whether he has claimed it by now or not; and who waits, a bit for each group of workers.
enum LockWord {
    static let groups = 40
    private static let waiting: UInt64 = 1 << groups - 1
    private static let reserved: UInt64 = 1 << groups
    private static let one: UInt64 = reserved << 1
    private static let countBits = 13
    private static let ownerShift = groups + 1 + countBits  // 54: 10 bits are left
    private static let counted: UInt64 = (1 << countBits - 1) * one
    /// So many writes of one worker at once; who comes then waits for all of them.
    static let full = 1 << countBits - 1

    static func count(_ word: UInt64) -> Int { Int((word & counted) / one) }
    static func owner(_ word: UInt64) -> Int { Int(word &>> UInt64(ownerShift)) }
    static func isReserved(_ word: UInt64) -> Bool { word & reserved != 0 }
    static func group(of worker: Int) -> Int { worker % groups }

    /// It is reserved, and not claimed yet, for this worker or another of its group.
    private static func isOffered(_ word: UInt64, to worker: Int) -> Bool {
        isReserved(word) && word & counted == 0 && group(of: owner(word)) == group(of: worker)
    }

    /// Whether a claim succeeds.
    static func isOpen(_ word: UInt64, to worker: Int) -> Bool {
        if word == 0 || isOffered(word, to: worker) { return true }
        return owner(word) == worker && (isReserved(word) || word & waiting == 0) && word & counted != counted
    }

    static func claimed(_ word: UInt64, by worker: Int) -> UInt64 {
        guard isOpen(word, to: worker) else { return word | 1 << UInt64(group(of: worker)) }
        return word & (1 << UInt64(ownerShift) - 1) + one | UInt64(worker) << UInt64(ownerShift)
    }

    static func released(_ word: UInt64) -> UInt64 {
        let left = word &- one
        return left & (counted | reserved) == 0 ? passedOn(left) : left
    }

    static func settled(_ word: UInt64, by worker: Int) -> UInt64 {
        let isHis = isReserved(word) && owner(word) == worker || isOffered(word, to: worker)
        guard isHis else { return word }
        let left = word & ~reserved
        return left & counted == 0 ? passedOn(left) : left
    }

    /// The owner has let go of it: the next of those who wait, in a circle, gets it.
    private static func passedOn(_ word: UInt64) -> UInt64 {
        let all = word & waiting
        guard all != 0 else { return 0 }
        let behind = all & ~(2 << UInt64(group(of: owner(word))) &- 1)
        let next = UInt64((behind != 0 ? behind : all).trailingZeroBitCount)
        return next << UInt64(ownerShift) | reserved | all & ~(1 << next)
    }
}
