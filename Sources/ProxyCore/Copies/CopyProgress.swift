/// How far a write to several copies of a key has come. Copies go by rank; that of the acting primary is the lowest one
/// that has not failed.
public struct CopyProgress: BitwiseCopyable, Equatable, Sendable {
    /// The copies asked, those that have answered, and those that never will, as bits.
    public private(set) var asked: UInt8 = 1
    public private(set) var answered: UInt8 = 0
    public private(set) var failed: UInt8 = 0
    /// Those of them that have answered an error.
    public private(set) var refused: UInt8 = 0
    /// How many have answered.
    public private(set) var answers: UInt8 = 0
    /// Copies that must have answered before the client hears: see `PoolSettings.Acks`.
    private let needed: UInt8
    /// Of those that count, as bits, so many must have it: see `PoolSettings.minLive`.
    private let minimum: UInt8
    private let counted: UInt8
    /// Copies that decide nothing, as bits: they are asked when all others have answered or failed, or before.
    public private(set) var late: UInt8

    /// The first copy is asked.
    /// - Parameters:
    ///   - needed: 1 or more; no more than answer can be waited for.
    ///   - minimum: likewise, whatever `needed` is.
    ///   - late: those that decide nothing, behind all others.
    ///   - uncounted: those that do not count for the minimum: they may get a delete instead.
    public init(needed: Int, minimum: Int = 1, late: UInt8 = 0, uncounted: UInt8 = 0) {
        self.needed = UInt8(truncatingIfNeeded: max(needed, minimum))
        self.minimum = UInt8(truncatingIfNeeded: minimum)
        self.late = late
        counted = ~uncounted
    }

    /// One copy's answer is enough.
    var needsOne: Bool { needed == 1 }

    public mutating func ask(_ rank: Int) { asked |= Self.bit(rank) }

    /// Asks so many copies, the first included.
    @inline(__always)
    public mutating func askFirst(_ count: Int) { asked = UInt8(truncatingIfNeeded: 1 &<< count &- 1) }

    public mutating func answer(_ rank: Int) {
        answered |= Self.bit(rank)
        answers &+= 1
    }

    /// What it has answered is that it did not do it.
    public mutating func refuse(_ rank: Int) { refused |= Self.bit(rank) }

    public mutating func fail(_ rank: Int) { failed |= Self.bit(rank) }

    /// Asks the late ones from this rank on, whose turn it is. The others that were not asked have nothing to do.
    public mutating func askLate(from rank: Int) {
        late &= asked | ~(Self.bit(rank) &- 1)
        asked |= late
    }

    /// The late ones that were not asked have nothing to do.
    public mutating func dismissLate() { late &= asked }

    public func isAsked(_ rank: Int) -> Bool { asked & Self.bit(rank) != 0 }

    /// The client can be answered: the acting primary has answered, and as many others as it takes.
    public var isDecided: Bool {
        let left = (asked | late) & ~failed
        let deciding = left & ~late
        let lead = deciding & (0 &- deciding)  // its lowest bit
        return answered & lead != 0 && (answers >= needed || answered == left)
    }

    /// Fewer copies have done it than there must be. When it is decided, and not by the first copy alone, no other will.
    public var isShort: Bool { (answered & ~refused & counted).nonzeroBitCount < minimum }

    /// `isDecided` and `isOver` where all copies decide, all were asked, and none has failed.
    @inline(__always)
    var isUsuallyDecided: Bool { answered & 1 != 0 && (answers >= needed || answered == asked) }
    @inline(__always)
    var isUsuallyOver: Bool { answered == asked }

    /// All that were asked have answered or failed, and there are late ones that were not.
    public var isLateNext: Bool { asked & late != late && answered | failed == asked }

    /// No copy is left to answer.
    public var isOver: Bool { answered | failed == asked | late }

    /// All that decide have failed.
    public var isLost: Bool { asked & ~late & ~failed == 0 }

    private static func bit(_ rank: Int) -> UInt8 { 1 &<< UInt8(truncatingIfNeeded: rank) }
}
