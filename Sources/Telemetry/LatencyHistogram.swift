/// Latencies in 184 log-linear buckets: exact to 1 µs below 16 µs, to an eighth above, up to 33.5 s; what took longer
/// is counted in the last bucket. 1480 bytes, written by one worker; others get copies.
///
/// A group is a power of two of microseconds, split in eight, so a bucket's width is at most 12.5 % of its lower edge.
public struct LatencyHistogram: BitwiseCopyable, Sendable {
    @usableFromInline static var bucketCount: Int { 184 }
    /// The last microsecond below the catch-all: 2^25 - 1.
    @usableFromInline static var largest: UInt64 { (1 << 25) - 1 }

    @usableFromInline var buckets = InlineArray<184, UInt64>(repeating: 0)
    @usableFromInline var nanoseconds: UInt64 = 0

    public init() {}

    /// Counts one latency. A dozen instructions; the bounds check is the only branch.
    @inlinable @inline(__always)
    public mutating func record(nanoseconds latency: UInt64) {
        record(Latency(nanoseconds: latency))
    }

    /// Counts a latency that more than one histogram counts.
    @inlinable @inline(__always)
    public mutating func record(_ latency: Latency) {
        // Neither can wrap: 2^64 requests, or 584 years of waiting.
        buckets[latency.bucket] &+= 1
        nanoseconds &+= latency.nanoseconds
    }

    /// A latency and the bucket that it falls into.
    public struct Latency: BitwiseCopyable, Sendable {
        public let nanoseconds: UInt64
        @usableFromInline let bucket: Int

        @inlinable @inline(__always)
        public init(nanoseconds: UInt64) {
            self.nanoseconds = nanoseconds
            bucket = LatencyHistogram.bucket(ofMicrosecond: nanoseconds / 1000)
        }
    }

    /// Latencies recorded.
    public var count: UInt64 { count(below: Self.bucketCount) }

    /// Nanoseconds of all latencies together.
    public var sum: UInt64 { nanoseconds }

    // Of a whole histogram through a span: reading one bucket of a value copies all of them.

    /// Adds what another worker recorded.
    public mutating func merge(_ other: LatencyHistogram) {
        let added = other.buckets.span
        for index in added.indices { buckets[index] &+= added[index] }
        nanoseconds &+= other.nanoseconds
    }

    /// What was recorded since `earlier`, a copy of this one.
    public func since(_ earlier: LatencyHistogram) -> LatencyHistogram {
        var recent = self
        let before = earlier.buckets.span
        for index in before.indices { recent.buckets[index] &-= before[index] }
        recent.nanoseconds &-= earlier.nanoseconds
        return recent
    }

    /// The latency in nanoseconds that `part` (0...1) of all recorded ones do not exceed, rounded up to a bucket's
    /// upper edge; 0 when nothing was recorded.
    public func quantile(_ part: Double) -> UInt64 {
        let total = count
        guard total > 0 else { return 0 }
        let wanted = max(1, (min(max(part, 0), 1) * Double(total)).rounded(.up))
        var seen: UInt64 = 0
        let buckets = buckets.span
        for index in buckets.indices {
            seen &+= buckets[index]
            if Double(seen) >= wanted { return Self.upperEdge(ofBucket: index) * 1000 }
        }
        return Self.upperEdge(ofBucket: Self.bucketCount - 1) * 1000
    }

    /// How many latencies were shorter than 2^`exponent` microseconds (3...24): those are edges of buckets.
    public func count(belowPowerOfTwo exponent: Int) -> UInt64 {
        precondition((3...24).contains(exponent))
        return count(below: Self.bucket(ofMicrosecond: (1 << UInt64(exponent)) - 1) + 1)
    }

    private func count(below end: Int) -> UInt64 {
        var total: UInt64 = 0
        let buckets = buckets.span
        for index in 0..<end { total &+= buckets[index] }
        return total
    }

    /// The top four bits of the number, with the place of the highest; below 16 the number itself.
    @inlinable @inline(__always)
    static func bucket(ofMicrosecond microsecond: UInt64) -> Int {
        let clamped = min(microsecond, largest)
        let shift = 60 &- (clamped | 8).leadingZeroBitCount
        return shift &* 8 &+ Int(truncatingIfNeeded: clamped &>> UInt64(truncatingIfNeeded: shift))
    }

    /// The first microsecond that the bucket does not hold.
    static func upperEdge(ofBucket index: Int) -> UInt64 {
        if index < 16 { return UInt64(index) + 1 }
        let shift = index / 8 - 1
        return UInt64(index - shift * 8 + 1) << UInt64(shift)
    }
}
