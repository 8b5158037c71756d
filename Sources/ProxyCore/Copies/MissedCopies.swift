/// Which copies of a key missed a write, so that none of them passes for the source of its repair while there is a
/// better one: a primary that comes back with what it held before would undo what its replica took meanwhile.
///
/// Masks: bit 0 is the key's first copy. That holds from the write to the repair, however long it waits: a key's copies
/// keep their order for as long as the pool's settings do, as neither verdicts on nodes nor loads move one (`Placement`).
struct MissedCopies: BitwiseCopyable, Sendable, Equatable {
    /// Those that missed the latest write that any missed.
    private(set) var last: UInt8 = 0
    /// Those that missed one before it, or that someone else may have given something older.
    private(set) var before: UInt8 = 0

    var isEmpty: Bool { last == 0 }

    /// A write was missed.
    mutating func note(_ copies: UInt8) {
        guard copies != 0 else { return }
        before |= last
        last = copies
    }

    /// What happened later.
    mutating func note(_ later: MissedCopies) {
        doubt(later.before)
        note(later.last)
    }

    /// These may have got something older; who missed a write is worse.
    mutating func doubt(_ copies: UInt8) { before |= copies }

    /// The less, the better a source: a copy that took the latest write is better than one that did not.
    func rank(_ copy: Int) -> Int {
        let bit = UInt8(1) << UInt8(copy)
        if last & bit != 0 { return 2 }
        return before & bit != 0 ? 1 : 0
    }
}

/// Copies of a key in the order in which a repair takes them for its source.
public struct CopyOrder: BitwiseCopyable, Sendable {
    private var indices = InlineArray<8, UInt8>(repeating: 0)
    public private(set) var count = 0

    init(of live: UInt8, late: UInt8 = 0, missed: MissedCopies) {
        for some in [live & ~late, live & late] {
            for rank in 0...2 {
                for copy in 0..<8 where some & (1 << UInt8(copy)) != 0 && missed.rank(copy) == rank {
                    indices[count] = UInt8(copy)
                    count += 1
                }
            }
        }
    }

    /// All but the source, as bits: what a repair may write an older value to, while someone else writes.
    public var targets: UInt8 {
        var mask: UInt8 = 0
        for index in 1..<max(count, 1) { mask |= 1 << indices[index] }
        return mask
    }

    /// The place of a copy among all copies of its key: 0 is the primary.
    public subscript(index: Int) -> Int { Int(indices[index]) }
}
