/// How long to wait before the next try: doubling from `base` up to `cap`, both in nanoseconds.
///
///     attempt      0       1       2       3       4       5      ...
///     ceiling    500 ms   1 s     2 s     4 s     8 s     10 s    10 s      (base 500 ms, cap 10 s)
///
/// A wait is drawn between half its ceiling and the ceiling, so that proxies that lost a node together do not all knock
/// together, and yet no wait is shorter than the one before (until the cap).
public struct Backoff: BitwiseCopyable, Sendable, Equatable {
    public let base: UInt64
    public let cap: UInt64

    /// - Parameters: a cap below the base is taken as the base; a base of 0 as 1 ns.
    public init(base: UInt64, cap: UInt64) {
        self.base = max(base, 1)
        self.cap = max(cap, self.base)
    }

    /// The longest wait of the given attempt, the first being 0.
    public func ceiling(attempt: Int) -> UInt64 {
        let shift = max(attempt, 0)
        // A shift that loses bits is past any cap.
        guard shift < base.leadingZeroBitCount else { return cap }
        return min(base << UInt64(shift), cap)
    }

    /// A wait in nanoseconds, ceiling / 2 ... ceiling.
    public func delay(attempt: Int, using generator: inout some RandomNumberGenerator) -> UInt64 {
        let ceiling = ceiling(attempt: attempt)
        return UInt64.random(in: ceiling / 2...ceiling, using: &generator)
    }
}
