/// What one worker found when it compared the copies of keys. A check that a write overlapped, or that found nothing on
/// any copy, is not counted.
public struct ConsistencyStats: BitwiseCopyable, Sendable {
    /// Checks whose copies agreed, and those whose copies differed.
    public var agreeing: UInt64 = 0
    public var differing: UInt64 = 0
    /// How many the latest checks are, and how many of them agreed.
    public var recent = 0
    public var recentAgreeing = 0

    public init() {}

    /// The share of the latest checks that agreed; nil before the first.
    public var ratio: Double? { recent == 0 ? nil : Double(recentAgreeing) / Double(recent) }

    public mutating func merge(_ other: ConsistencyStats) {
        agreeing &+= other.agreeing
        differing &+= other.differing
        recent &+= other.recent
        recentAgreeing &+= other.recentAgreeing
    }
}

/// How many of the latest answers were yes: a window that slides.
public struct RecentAnswers: BitwiseCopyable, Sendable {
    /// Answers that it remembers.
    public static let capacity = 1024

    private var bits = InlineArray<16, UInt64>(repeating: 0)
    /// Where the next answer goes, over the oldest one.
    private var next = 0
    public private(set) var count = 0
    public private(set) var yes = 0

    public init() {}

    public mutating func add(_ isYes: Bool) {
        let (word, bit) = (next / 64, UInt64(1) << UInt64(next % 64))
        // A place that was not used yet holds no.
        if bits[word] & bit != 0 { yes -= 1 }
        if isYes { yes += 1 }
        bits[word] = isYes ? bits[word] | bit : bits[word] & ~bit
        next = (next + 1) % Self.capacity
        count = min(count + 1, Self.capacity)
    }
}
