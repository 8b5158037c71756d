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

    /// Nanoseconds that a 99th percentile may move by itself.
    static let noise: UInt64 = 200_000
    /// From one lesson to the next, in nanoseconds: what lasts some minutes is usual.
    static let lessonPause: UInt64 = 14_000_000_000

    /// The usual 99th percentile; nil before the first look.
    public private(set) var usual: UInt64?
    private var timeouts = TimeoutWatch()
    private var nextLesson: UInt64 = 0

    public init() {}

    /// What clients have seen since the last look.
    ///
    /// - Parameters:
    ///   - p99: of their requests' latency; nil if there were too few to say.
    ///   - timeouts: that were ever counted.
    ///   - load: while they saw it.
    /// - Returns: they suffer.
    public mutating func look(p99: UInt64?, timeouts count: UInt64, under load: Load, now: UInt64) -> Bool {
        let isLesson = load != .transfer && now >= nextLesson
        if isLesson { nextLesson = now.addingSaturated(Self.lessonPause) }
        let areMoreTimeouts = timeouts.look(count, isLesson: isLesson, now: now)
        guard let p99 else { return areMoreTimeouts }
        guard let usual else {
            self.usual = p99
            return areMoreTimeouts
        }
        if isLesson {
            // An eighth of the way.
            self.usual = p99 > usual ? usual + (p99 - usual) / 8 : usual - (usual - p99) / 8
        }
        return areMoreTimeouts || p99 > (usual + usual / 5).addingSaturated(Self.noise)
    }
}

/// Whether more requests of clients time out than usual: those to a node that is slow for good do so whatever is
/// transferred.
struct TimeoutWatch: BitwiseCopyable, Sendable {
    /// They come in bursts, since all that wait on a connection time out together: nanoseconds over which they are counted.
    private static let window = 4e9

    private var count: UInt64?
    private var lookedAt: UInt64 = 0
    /// A second, lately and usually.
    private var recent = 0.0
    private var usual = 0.0

    /// - Parameters:
    ///   - count: that were ever counted.
    ///   - isLesson: as many as lately are a bit more usual from now on.
    /// - Returns: there are new ones, and they are more than usual. Where they are not usual, one is.
    mutating func look(_ count: UInt64, isLesson: Bool, now: UInt64) -> Bool {
        defer { (self.count, lookedAt) = (count, now) }
        guard let before = self.count, now > lookedAt else { return false }
        let (new, pause) = (count >= before ? count - before : 0, Double(now - lookedAt))
        recent += (Double(new) * 1e9 / pause - recent) * min(pause / Self.window, 1)
        if isLesson { usual += (recent - usual) / 8 }
        return new > 0 && recent > usual * 1.5
    }
}
