/// With `read: fastest`: how long an answer is waited for before another copy is asked too, and whether it may be.
///
/// The wait is the latency that one read in twenty has exceeded lately. It is not computed but followed: an answer that
/// took longer raises it by nineteen parts in 256, one that did not lowers it by one, so that it rests where one in
/// twenty takes longer. Some 180 answers halve it, ten double it.
public struct HedgePolicy: BitwiseCopyable, Sendable {
    /// Reads that may be doubled at once after a long time without.
    private static let burst = 64
    private static let whole = 10_000
    /// Below this the wait says nothing but how busy this process is.
    private static let shortest: UInt64 = 50_000
    private static let first: UInt64 = 10_000_000

    /// Nanoseconds.
    public private(set) var patience: UInt64
    private let longest: UInt64
    /// Of 10,000 keys.
    private let share: Int
    /// In shares of a key; a doubled one costs `whole`.
    private var credit = 0

    /// - Parameters:
    ///   - share: of 10,000 reads, how many may be doubled, 1 to 10,000.
    ///   - timeout: of a request to a node, in nanoseconds: who waits for that long need not ask twice.
    public init(share: Int, timeout: UInt64) {
        self.share = share
        longest = max(timeout, Self.shortest)
        patience = min(Self.first, longest)
    }

    /// A read begins: of one key, or of as many as one node is asked for at once.
    public mutating func began(keys: Int = 1) {
        let most = Self.burst * Self.whole * keys
        if credit < most { credit = min(credit &+ keys &* share, most) }
    }

    /// The copy that was asked first has answered, be it after another.
    public mutating func answered(after latency: UInt64) {
        let part = patience >> 8
        let next = latency > patience ? patience &+ 19 &* part : patience &- part
        patience = min(max(next, Self.shortest), longest)
    }

    /// Whether a read of so many keys may be doubled; they then count as such.
    public mutating func takes(keys: Int = 1) -> Bool {
        guard credit >= keys * Self.whole else { return false }
        credit -= keys * Self.whole
        return true
    }
}
