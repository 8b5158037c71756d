/// A write that one copy may have taken and another missed: before its client is answered, the other nodes have to know.
public struct MissedWrite: BitwiseCopyable, Sendable {
    /// Which missed it.
    public var node: UInt32
    /// The worker's question, counted by node; its answer is `Engine.published`.
    public var round: UInt32
    /// When the earliest such write was sent, in monotonic nanoseconds.
    public var sent: UInt64
}

extension Engine {
    /// The answer to a question on `work.misses`.
    ///
    /// - Parameter isKept: another node keeps the revocation, so that the writes that waited may be acknowledged.
    public func published(node: UInt32, round: UInt32, isKept: Bool) {}

    /// What is known of the pool's nodes is good until then (monotonic nanoseconds).
    public func trust(pool: Int, until time: UInt64) {}
}
