/// How far a write to several copies of a key has come. Copies go by rank; that of the acting primary is the lowest one
/// that has not failed.
public struct CopyProgress: BitwiseCopyable, Equatable, Sendable {
    /// The copies asked, those that have answered, and those that never will, as bits.
    public private(set) var asked: UInt8
    public private(set) var answered: UInt8 = 0
    public private(set) var failed: UInt8 = 0
    /// Copies that must have answered before the client hears: see `PoolSettings.Acks`.
    public let needed: Int

    /// - Parameters:
    ///   - asked: the ranks, as bits.
    ///   - needed: 1 or more; no more than answer can be waited for.
    public init(asked: UInt8, needed: Int) {
        self.asked = asked
        self.needed = needed
    }

    public mutating func ask(_ rank: Int) { asked |= 1 << UInt8(rank) }
    public mutating func answer(_ rank: Int) { answered |= 1 << UInt8(rank) }
    public mutating func fail(_ rank: Int) { failed |= 1 << UInt8(rank) }

    /// The acting primary: nil when all have failed.
    public var lead: Int? {
        let left = asked & ~failed
        return left == 0 ? nil : left.trailingZeroBitCount
    }

    /// The client can be answered: the acting primary has answered, and as many others as it takes.
    public var isDecided: Bool {
        guard let lead, answered & 1 << UInt8(lead) != 0 else { return false }
        return answered.nonzeroBitCount >= min(needed, (asked & ~failed).nonzeroBitCount)
    }

    /// No copy is left to answer.
    public var isOver: Bool { answered | failed == asked }

    /// All have failed.
    public var isLost: Bool { failed == asked }
}
