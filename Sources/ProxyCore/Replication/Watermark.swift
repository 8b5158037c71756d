/// A point in the life of a node: what it stored later has a higher CAS number.
public struct Watermark: BitwiseCopyable, Equatable, Sendable {
    public var cas: UInt64
    /// The node's ready token then: memcached counts anew after a restart.
    public var token: Token

    public init(cas: UInt64, token: Token) {
        self.cas = cas
        self.token = token
    }
}

/// The last points of one node, one for each poll; a revocation names one of them.
///
/// memcached numbers an ms when it reads the command and not when it stores the item, so a point is before a write only
/// if it was known before the write was sent.
public struct WatermarkRing: BitwiseCopyable, Sendable {
    private struct Sample: BitwiseCopyable {
        /// When the answer was there; 0 is none.
        var time: UInt64 = 0
        var mark: Watermark?
    }

    /// Enough for any timeout that is not longer than some polls; what is older counts as unknown.
    private static let capacity = 16

    private var samples = InlineArray<16, Sample>(repeating: Sample())
    private var next = 0

    public init() {}

    /// The node has told a CAS number.
    ///
    /// - Parameters:
    ///   - now: when the answer was there.
    ///   - cas: 0 where the node keeps no such numbers.
    public mutating func record(cas: UInt64, token: Token, now: UInt64) {
        guard cas > 0 else { return }
        samples[next] = Sample(time: now, mark: Watermark(cas: cas, token: token))
        next = (next + 1) % Self.capacity
    }

    /// The last point that was known before `time`, if that was under this token.
    public func last(before time: UInt64, token: Token) -> Watermark? {
        var best = Sample()
        for index in 0..<Self.capacity where samples[index].time < time && samples[index].time > best.time {
            best = samples[index]
        }
        guard let mark = best.mark, mark.token == token else { return nil }
        return mark
    }
}
