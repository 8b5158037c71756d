internal import Bytes

/// Notices that two writes of one key were under way at the same time: then they may have reached the copies in
/// different orders, and the key has to be repaired.
///
/// One per process, shared by its workers. A write calls `begin` before its first byte goes to a node, and `end` when
/// each of its copies has answered or failed. Whatever changes an item at a node is such a write: a touch, a back-fill
/// and a repair too. A writer that joins keeps its own writes in order, at each copy as at the first: they do not
/// overlap with each other. Nor do those of several, as far as `WriteLocks` goes. Between others there is no order but this:
///
///     write 1   begin ──────────── end ▶ true
///     write 2            begin ──────────── end ▶ true
///     write 3                                      begin ──── end ▶ false
///
/// Every write of such a group is told, not only the last: keys share slots, so the last may be of another key. A
/// shared slot costs a needless repair (a write in 1,000 with 64 writes under way), it never hides a needed one.
///
/// A writer keeps its order as long as it sends what changes an item at once only while `begin` says that nothing else
/// is under way, and else to the first copy alone, until that has answered: then what the first copies do in one order,
/// and answer in that order, goes to the others in the same.
///
/// `begin` and `end` are one compare-and-exchange each; nothing is locked or allocated.
public final class WriteTable: Sendable {
    /// The slots, and behind them the number of flushes under way and that of the writers.
    private let words: AtomicWords<UInt32>
    private let slots: Int
    /// Keys that are to be repaired, by the hash's slot divided by four.
    private let owed: AtomicWords<UInt32>
    /// What is left of a hash after this shift is a slot number.
    private let shift: UInt64

    /// - Parameter slots: four bytes each; raised to a power of two, 2 to 2^24.
    public init(slots: Int = 1 << 16) {
        let wanted = min(max(slots, 2), 1 << 24)
        let bits = Int.bitWidth - (wanted - 1).leadingZeroBitCount
        self.slots = 1 << bits
        words = AtomicWords(count: self.slots + 2)
        owed = AtomicWords(count: max(1, self.slots / 4))
        shift = UInt64(64 - bits)
    }

    /// What stands for a pool's key in the other calls.
    ///
    /// - Parameter hash: any hash of the decoded key. The ring's will do, at the price of needless repairs where many
    ///   keys share a hash tag.
    @inline(__always)
    public static func hash(_ hash: UInt64, pool: UInt16) -> UInt64 {
        hash &+ UInt64(pool) &* 0xd6e8_feb8_6659_fd93
    }

    @inline(__always)
    private func slot(of hash: UInt64) -> Int {
        // Multiplied, because some of the rings' hashes leave their high bits empty.
        Int(truncatingIfNeeded: (hash &* 0x9e37_79b9_7f4a_7c15) &>> shift)
    }

    /// Who keeps its own writes in order: the number that `begin` is given.
    public func join() -> UInt32 {
        let number = words.update(slots + 1) { $0 &+ 1 } &+ 1
        return number <= WriteSlot.writerLimit ? number : 0
    }

    /// A write starts. True: others are under way.
    /// - Parameter writer: 0 is nobody, who overlaps with himself too.
    @inline(__always) @discardableResult
    public func begin(_ hash: UInt64, by writer: UInt32 = 0) -> Bool {
        !WriteSlot.isIdle(words.update(slot(of: hash)) { WriteSlot.begun($0, by: writer) })
    }

    /// A write that is under way may be overtaken by others of its own writer: it overlaps with those as well.
    public func loseOrder(_ hash: UInt64) {
        _ = words.update(slot(of: hash), WriteSlot.disordered)
    }

    /// A write starts unless another is under way; false if one is. For repairs, which would only be undone, and which
    /// thus never overlap with each other.
    ///
    /// - Parameter targets: the copies that it may bring an older value to, as bits.
    public func beginAlone(_ hash: UInt64, targets: UInt8 = 0) -> Bool {
        let word = words.update(slot(of: hash)) {
            WriteSlot.isIdle($0) ? WriteSlot.begun($0, by: WriteSlot.doubting(targets)) : $0
        }
        return WriteSlot.isIdle(word)
    }

    /// A write has ended: all its copies have answered or failed. True: it overlapped with another, so its key has to
    /// be repaired.
    @inline(__always)
    public func end(_ hash: UInt64) -> Bool { conclude(hash).overlapped }

    /// `end`, and the copies to which a repair or back-fill that it overlapped with may have brought an older value.
    @inline(__always)
    public func conclude(_ hash: UInt64) -> (overlapped: Bool, doubted: UInt8) {
        let flushing = words.load(slots) > 0
        let word = words.update(slot(of: hash), WriteSlot.ended)
        return (WriteSlot.hasOverlap(word) || flushing, WriteSlot.doubted(word))
    }

    /// Whether another write began, or a flush, since the one under way did.
    @inline(__always)
    public func isOverlapped(_ hash: UInt64) -> Bool {
        WriteSlot.hasOverlap(words.load(slot(of: hash))) || words.load(slots) > 0
    }

    // MARK: - Back-fills

    /// A key waits for its repair, until `repaired`: which of its copies is right is not known.
    public func owesRepair(_ hash: UInt64) { _ = owed.update(slot(of: hash) / 4 % owed.count) { $0 &+ 1 } }

    public func repaired(_ hash: UInt64) { _ = owed.update(slot(of: hash) / 4 % owed.count) { $0 &- 1 } }

    /// `isOverlapped`, or the key waits for its repair.
    public func isDisturbed(_ hash: UInt64) -> Bool {
        isOverlapped(hash) || owed.load(slot(of: hash) / 4 % owed.count) > 0
    }

    // MARK: - Flushes

    /// A flush of all keys starts: every write that is not over before, or begins before `endFlush`, is told.
    ///
    /// Looks at every slot: some 50 µs.
    public func beginFlush() {
        // In this order: a write that ends unmarked has ended before, or sees the flush.
        _ = words.update(slots) { $0 &+ 1 }
        markAll()
    }

    /// All copies have answered or failed the flush.
    public func endFlush() {
        markAll()
        _ = words.update(slots) { $0 &- 1 }
    }

    private func markAll() {
        for index in 0..<slots where words.load(index) != 0 {
            _ = words.update(index) { WriteSlot.isIdle($0) ? $0 : WriteSlot.marked($0) }
        }
    }
}

/// The word of a slot: in its top bit whether any two writes have overlapped since it was idle, below it who began the
/// first of them, and how many are under way.
///
/// Who that is, is a writer's number; of a repair or back-fill, the copies that it writes to, marked as such.
enum WriteSlot {
    static let overlap: UInt32 = 1 << 31
    private static let shift: UInt32 = 20
    /// Beyond this many it counts no more and no less: the slot then says overlap for good, and no repair is missed.
    static let full: UInt32 = 1 << shift - 1
    private static let mark: UInt32 = 1 << (30 - shift)
    static let writerLimit: UInt32 = mark - 1

    @inline(__always)
    static func isIdle(_ word: UInt32) -> Bool { word & full == 0 }

    @inline(__always)
    static func hasOverlap(_ word: UInt32) -> Bool { word & overlap != 0 }

    @inline(__always)
    static func marked(_ word: UInt32) -> UInt32 { word | overlap }

    @inline(__always)
    static func begun(_ word: UInt32, by writer: UInt32) -> UInt32 {
        let count = word & full
        if count == 0 { return writer &<< shift | 1 }
        if count >= full - 1 { return word | full | overlap }
        let isInOrder = writer != 0 && writer == word &>> shift & (mark | writerLimit)
        return (isInOrder ? word : word | overlap) &+ 1
    }

    static func disordered(_ word: UInt32) -> UInt32 {
        let count = word & full
        return count > 1 ? word | overlap : word & overlap | count
    }

    @inline(__always)
    static func doubting(_ targets: UInt8) -> UInt32 { targets == 0 ? 0 : mark | UInt32(targets) }

    @inline(__always)
    static func doubted(_ word: UInt32) -> UInt8 {
        word &>> shift & mark == 0 ? 0 : UInt8(truncatingIfNeeded: word &>> shift)
    }

    @inline(__always)
    static func ended(_ word: UInt32) -> UInt32 {
        let count = word & full
        // The last one to end clears the mark. (0 would be an end without a begin.)
        if count <= 1 { return 0 }
        return count == full ? word : word &- 1
    }
}
