/// Why a key is to be repaired.
public enum RepairReason: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    /// Two writes of it were under way at once.
    case overlap
    /// A copy did not answer a write.
    case copyFailed
    /// Copies answered the same command differently.
    case disagree
    /// They were compared, and differed.
    case check

    /// As operators see it.
    public var label: StaticString {
        switch self {
        case .overlap: "overlap"
        case .copyFailed: "copy_failed"
        case .disagree: "disagree"
        case .check: "check"
        }
    }
}

/// A counter for each reason.
public struct RepairCounts: BitwiseCopyable, Sendable {
    private var counts = InlineArray<4, UInt64>(repeating: 0)

    public init() {}

    public subscript(reason: RepairReason) -> UInt64 { counts[Int(reason.rawValue)] }

    public var total: UInt64 { RepairReason.allCases.reduce(0) { $0 &+ self[$1] } }

    public mutating func count(_ reason: RepairReason) { counts[Int(reason.rawValue)] &+= 1 }

    public mutating func merge(_ other: RepairCounts) {
        for index in counts.indices { counts[index] &+= other.counts[index] }
    }
}

/// What one worker counts of a pool's repairs. Everything but `waiting` only grows; each key that was queued ends as
/// done or abandoned.
public struct RepairStats: BitwiseCopyable, Sendable {
    /// Keys that were not in the queue already.
    public var queued = RepairCounts()
    /// Keys that found no room: their copies may disagree until the next write.
    public var dropped = RepairCounts()
    /// Keys whose copies agree again.
    public var done = RepairCounts()
    /// Keys given up after too many tries.
    public var abandoned: UInt64 = 0
    /// Tries that did not succeed and were put off.
    public var retries: UInt64 = 0
    /// Keys that wait or are being repaired now.
    public var waiting: Int = 0

    public init() {}

    public mutating func merge(_ other: RepairStats) {
        queued.merge(other.queued)
        dropped.merge(other.dropped)
        done.merge(other.done)
        abandoned &+= other.abandoned
        retries &+= other.retries
        waiting &+= other.waiting
    }
}
