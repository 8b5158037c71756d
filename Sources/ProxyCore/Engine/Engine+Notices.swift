internal import Bytes
internal import Telemetry

/// What operators should hear of a pool at once, from one worker.
public struct PoolNotice: BitwiseCopyable, Sendable {
    public enum Kind: UInt8, BitwiseCopyable, Sendable {
        /// Keys found no room in the repair queue.
        case repairsDropped
        /// Keys whose repair has failed too often.
        case repairsAbandoned
        /// A client has emptied all nodes, and with the rest their markers.
        case flushed
    }

    public var pool: UInt16
    public var kind: Kind
    /// Keys since the last notice of the kind.
    public var count: UInt64
}

/// How many keys of a pool were given up, as far as it was told.
struct GivenUp: BitwiseCopyable {
    var dropped: UInt64 = 0
    var abandoned: UInt64 = 0
}

extension Engine {
    /// A worker tells of no pool more often than this, in nanoseconds.
    private static var noticePause: UInt64 { 1_000_000_000 }

    /// Tells of keys that will not be repaired. Looked at with the clock, not with each key.
    func noticeGivenUp() {
        guard now >= nextNotice else { return }
        for pool in 0..<givenUp.count {
            let repairs = poolStats[pool].repairs
            notice(.repairsDropped, of: pool, repairs.dropped.total, since: &givenUp[pool].dropped)
            notice(.repairsAbandoned, of: pool, repairs.abandoned, since: &givenUp[pool].abandoned)
        }
    }

    func noticeFlush(of pool: UInt16) { work.wishes.push(.notice(PoolNotice(pool: pool, kind: .flushed, count: 1))) }

    private func notice(_ kind: PoolNotice.Kind, of pool: Int, _ count: UInt64, since told: inout UInt64) {
        guard count > told else { return }
        work.wishes.push(.notice(PoolNotice(pool: UInt16(pool), kind: kind, count: count - told)))
        told = count
        nextNotice = now &+ Self.noticePause
    }
}
