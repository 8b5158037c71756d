internal import Bytes

/// Sees to it that one worker at a time writes a key: so that all its copies get the writes in one order.
///
/// One per process, shared by its workers. A worker claims a key before the first byte of a write goes to a node, and
/// releases it when what the write promises cannot be overtaken any more. Its own writes need no order but that of its
/// connections: it claims as often as it likes, unless another worker waits.
///
///     worker 1   claim ✓   claim ✓          release   release ─┐ the key is reserved for worker 2, who is told
///     worker 2             claim ✗ (waits)                     └▶ claim ✓   claim ✓   settle        release
///     worker 1                         claim ✗ (waits)                                                 └▶ …
///
/// Nobody starves: who waits is noted, the owner then waits behind him, and the key goes round among the workers that
/// wait. Who is told that a key is reserved for him claims it for all that waits, and settles: then, or with the last
/// release, it goes on to the next, or is free. So it always has an owner who will let go of it.
///
/// A key that is written has a word. It stands in the key's place, unless another's does: then in a list beside the
/// places, and so does each that comes to that place as long as there is a list. So no write waits for one of another
/// key, whatever the number of those under way, but where two share all `keyBits` bits. Each call is one
/// compare-and-exchange, nothing is locked and nobody spins, but for who comes to a place that is taken: one in some
/// thousands while some hundred keys are written.
public final class WriteLocks: Sendable {
    private let words: AtomicWords<UInt64>
    /// What is left of a key after this shift is its place.
    private let shift: UInt64
    /// By place: the words of keys that found it taken. Their place says that there are some: it is marked first, and
    /// unmarked last, both under this lock, so that no key ever has two words.
    private let crowds = Guarded<[UInt64: [UInt64]]>([:])
    /// Who share it, 1 to 1024.
    let workers: Int

    /// - Parameter places: eight bytes each; raised to a power of two, 2 to 2^24. One worker needs none.
    public init(workers: Int, places: Int = 1 << 18) {
        let wanted = workers > 1 ? min(max(places, 2), 1 << 24) : 2
        let bits = Int.bitWidth - (wanted - 1).leadingZeroBitCount
        words = AtomicWords(count: 1 << bits)
        shift = UInt64(64 - bits)
        self.workers = workers
    }

    /// What stands for a key in the other calls: its place, and behind it its tag.
    ///
    /// - Parameter hash: as `WriteTable.hash` gave it.
    @inline(__always)
    func key(of hash: UInt64) -> UInt64 {
        // Multiplied, because some of the rings' hashes leave their high bits empty.
        let unused = shift &- LockWord.tagBits
        return ((hash &* 0x9e37_79b9_7f4a_7c15) &>> unused) &<< unused
    }

    /// How many bits of its hash tell a key from others.
    var keyBits: Int { Int(64 - shift + LockWord.tagBits) }

    /// The worker, from 0 on, wants to write. True: it may, and has to `release` it; false: it will be told.
    func claim(_ key: UInt64, by worker: Int) -> Bool {
        let tag = tag(of: key)
        return LockWord.isOpen(change(key) { LockWord.claimed($0, by: worker, tag: tag) }, to: worker)
    }

    /// A write is over. Returns for which group of workers the key is reserved now, if it has just been.
    func release(_ key: UInt64) -> Int? {
        let before = change(key, LockWord.released)
        let after = LockWord.released(before)
        return !LockWord.isReserved(before) && LockWord.isReserved(after) ? LockWord.owner(after) : nil
    }

    /// The worker, for whom the key was reserved, has claimed it for all that waited, or not at all. Returns what
    /// `release` does.
    func settle(_ key: UInt64, by worker: Int) -> Int? {
        let before = change(key) { LockWord.settled($0, by: worker) }
        let after = LockWord.settled(before, by: worker)
        return before != after && LockWord.isReserved(after) ? LockWord.owner(after) : nil
    }

    /// The workers of a group: one, unless there are more workers than groups. Among several it is chance who has the key
    /// first.
    func members(of group: Int) -> StrideTo<Int> { stride(from: group, to: workers, by: LockWord.groups) }

    /// No key has an owner. For tests.
    var areFree: Bool { crowds.withValue { $0.isEmpty } && (0..<words.count).allSatisfy { words.load($0) == 0 } }

    // MARK: - Where a key's word is

    private func tag(of key: UInt64) -> UInt64 { key &>> (shift &- LockWord.tagBits) & LockWord.tag }

    /// Changes the key's word. Returns what it was; 0 where the key is free.
    @inline(__always)
    private func change(_ key: UInt64, _ change: (UInt64) -> UInt64) -> UInt64 {
        let (place, tag) = (key &>> shift, tag(of: key))
        let before = words.update(Int(place)) { LockWord.isOf(tag, $0) ? change($0) : $0 }
        return LockWord.isOf(tag, before) ? before : changeInCrowd(at: place, tag, change)
    }

    @inline(never)
    private func changeInCrowd(at place: UInt64, _ tag: UInt64, _ change: (UInt64) -> UInt64) -> UInt64 {
        crowds.withValue { crowds in
            // Its owner may just have left the place.
            let first = words.update(Int(place)) { LockWord.isOf(tag, $0) ? change($0) : $0 | LockWord.crowded }
            if LockWord.isOf(tag, first) { return first }
            var crowd = crowds[place] ?? []
            let index = crowd.firstIndex { LockWord.isOf(tag, $0) }
            let before = index.map { crowd[$0] } ?? 0
            let after = change(before)
            if let index { crowd.remove(at: index) }
            if !LockWord.isFree(after) { crowd.append(after) }
            crowds[place] = crowd.isEmpty ? nil : crowd
            if crowd.isEmpty { _ = words.update(Int(place)) { $0 & ~LockWord.crowded } }
            return before
        }
    }
}

/// The word of a key that is written; 0 is one that is free. From its top bit: the owner; whether other keys have their
/// words beside the place; how many of the owner's writes are not over; whether it is his until he settles; whether it is
/// reserved for a group (the owner's), none of whom has claimed it yet; who waits, a bit for each group of workers; and
/// the key's tag.
enum LockWord {
    /// With its place, 35 bits of a key's hash as a rule: more than most hashes have.
    static let tagBits: UInt64 = 17
    static let tag: UInt64 = 1 << tagBits - 1
    static let groups = 24
    private static let waiting: UInt64 = (1 << groups - 1) << tagBits
    private static let offered: UInt64 = 1 << (tagBits + UInt64(groups))
    private static let held: UInt64 = offered << 1
    private static let one: UInt64 = held << 1
    private static let countBits = 10
    private static let counted: UInt64 = (1 << countBits - 1) * one
    /// The word in a key's place: others are in the list beside it.
    static let crowded: UInt64 = one << countBits
    private static let ownerShift: UInt64 = 54  // 10 bits are left
    /// So many writes of one worker at once; who comes then waits for all of them.
    static let full = 1 << countBits - 1

    static func owner(_ word: UInt64) -> Int { Int(word &>> ownerShift) }
    /// For a group, or for one of it who has claimed it and not settled yet: so somebody is still to hear of it.
    static func isReserved(_ word: UInt64) -> Bool { word & (offered | held) != 0 }
    static func group(of worker: Int) -> Int { worker % groups }
    static func isFree(_ word: UInt64) -> Bool { word & (counted | offered | held) == 0 }

    /// It is the word of the key with this tag, or may become that: nobody's, and there are none beside it.
    @inline(__always)
    static func isOf(_ tag: UInt64, _ word: UInt64) -> Bool {
        word == 0 || !isFree(word) && word & Self.tag == tag
    }

    private static func bit(of group: Int) -> UInt64 { 1 &<< (tagBits &+ UInt64(group)) }

    private static func isOffered(_ word: UInt64, to worker: Int) -> Bool {
        word & offered != 0 && owner(word) == group(of: worker)
    }

    /// Whether a claim succeeds.
    static func isOpen(_ word: UInt64, to worker: Int) -> Bool {
        if word == 0 || isOffered(word, to: worker) { return true }
        return owner(word) == worker && (word & held != 0 || word & waiting == 0) && word & counted != counted
    }

    static func claimed(_ word: UInt64, by worker: Int, tag: UInt64) -> UInt64 {
        guard isOpen(word, to: worker) else { return word | bit(of: group(of: worker)) }
        // Others of the group have to wait until he has settled: it is he who is still to hear of it, perhaps alone.
        let hold = word & offered != 0 ? offered ^ held : 0
        return (word ^ hold) & (1 << ownerShift - 1) + one | tag | UInt64(worker) << ownerShift
    }

    static func released(_ word: UInt64) -> UInt64 {
        let left = word &- one
        return isFree(left) ? passedOn(left) : left
    }

    static func settled(_ word: UInt64, by worker: Int) -> UInt64 {
        let isHis = word & held != 0 && owner(word) == worker
        guard isHis || isOffered(word, to: worker) else { return word }
        let left = word & ~(offered | held)
        return isFree(left) ? passedOn(left) : left
    }

    /// The owner has let go of it: the next of those who wait, in a circle, gets it.
    private static func passedOn(_ word: UInt64) -> UInt64 {
        let all = word & waiting
        guard all != 0 else { return word & crowded }
        let behind = all & ~(bit(of: group(of: owner(word))) &* 2 &- 1)
        let next = behind != 0 ? behind : all
        let first = next & (0 &- next)
        let group = UInt64(first.trailingZeroBitCount) &- tagBits
        return word & (tag | crowded) | all & ~first | offered | group << ownerShift
    }
}
