/// Whether clients suffer more than they did before a transfer began.
public struct ForegroundWatch: BitwiseCopyable, Sendable {
    /// What weighs on the clients meanwhile.
    public enum Load: BitwiseCopyable, Sendable {
        /// Nothing, or what always does: the scrub.
        case usual
        case transfer
        /// Transfers that go as slowly as they can: clients hardly notice them, and see what they would see without.
        case slowestTransfer
    }

    private var latency = LatencyWatch()
    private var timeouts = TimeoutWatch()

    /// The usual 99th percentile; nil before the first look.
    public var usual: UInt64? { latency.usual }

    public init() {}

    /// What clients have seen since the last look.
    ///
    /// - Parameters:
    ///   - p99: of their requests' latency; nil if there were too few to say.
    ///   - timeouts: that were ever counted.
    ///   - load: while they saw it.
    /// - Returns: they suffer.
    public mutating func look(p99: UInt64?, timeouts count: UInt64, under load: Load, now: UInt64) -> Bool {
        let areMoreTimeouts = timeouts.look(count, under: load, now: now)
        guard let p99 else { return areMoreTimeouts }
        return latency.look(p99, under: load, now: now) || areMoreTimeouts
    }
}

/// Whether the 99th percentile of clients' requests is above what is usual: the median of what it was at some times lately,
/// so that neither the end of a rush nor a node's failure just before a transfer is taken for it.
struct LatencyWatch: BitwiseCopyable, Sendable {
    /// Nanoseconds that it may move by itself.
    static let noise: UInt64 = 50_000
    /// From one lesson to the next, in nanoseconds; the latter where a transfer may be the reason: what lasts for a minute
    /// beside the slowest is usual.
    private static let pause: UInt64 = 4_500_000_000
    private static let longPause: UInt64 = 14_000_000_000

    private var lessons = InlineArray<9, UInt64>(repeating: 0)
    private var count = 0
    private var nextLesson: UInt64 = 0
    private var wasHigh = false

    /// Nil before the first look.
    var usual: UInt64? {
        let known = min(count, lessons.count)
        guard known > 0 else { return nil }
        return (0..<known).map { lessons[$0] }.sorted()[(known - 1) / 2]
    }

    /// - Returns: it was high twice in a row.
    mutating func look(_ p99: UInt64, under load: ForegroundWatch.Load, now: UInt64) -> Bool {
        if count == 0 || load != .transfer && now >= nextLesson {
            lessons[count % lessons.count] = p99
            count += 1
            nextLesson = now.addingSaturated(load == .usual ? Self.pause : Self.longPause)
        }
        let usual = usual ?? p99
        let isHigh = p99 > (usual + usual / 5).addingSaturated(Self.noise)
        defer { wasHigh = isHigh }
        return isHigh && wasHigh
    }
}

/// Whether more requests of clients time out than usual: those to a node that is slow for good do so whatever is
/// transferred.
struct TimeoutWatch: BitwiseCopyable, Sendable {
    /// They come in bursts, since all that wait on a connection time out together: nanoseconds over which they are counted.
    private static let window = 4e9
    /// From one lesson to the next, in nanoseconds: what lasts some minutes is usual.
    private static let lessonPause: UInt64 = 14_000_000_000

    private var count: UInt64?
    private var lookedAt: UInt64 = 0
    /// A second, lately and usually.
    private var recent = 0.0
    private var usual = 0.0
    private var nextLesson: UInt64 = 0

    /// - Parameter count: that were ever counted.
    /// - Returns: there are new ones, and they are more than usual. Where they are not usual, one is.
    mutating func look(_ count: UInt64, under load: ForegroundWatch.Load, now: UInt64) -> Bool {
        let isLesson = load != .transfer && now >= nextLesson
        if isLesson { nextLesson = now.addingSaturated(Self.lessonPause) }
        defer { (self.count, lookedAt) = (count, now) }
        guard let before = self.count, now > lookedAt else { return false }
        let (new, pause) = (count >= before ? count - before : 0, Double(now - lookedAt))
        recent += (Double(new) * 1e9 / pause - recent) * min(pause / Self.window, 1)
        // As many as lately are a bit more usual from now on.
        if isLesson { usual += (recent - usual) / 8 }
        return new > 0 && recent > usual * 1.5
    }
}
