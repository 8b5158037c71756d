public import Histogram

/// What a run counted, of one worker or of all.
public struct LoadTally: Sendable {
    /// Requests that were answered, well or with an error.
    public var answered = 0
    public var gets = 0
    public var sets = 0
    /// Keys that gets found and did not find.
    public var hits = 0
    public var misses = 0
    /// Values of a multi-key get that did not come in the request's order.
    public var reordered = 0
    /// Values that were not their key's.
    public var mismatched = 0
    /// Replies that no memcached would give; each ends its connection.
    public var malformed = 0
    /// Connections that the target ended or that broke.
    public var lost = 0
    /// Requests that had no answer when their connection or the run ended.
    public var unanswered = 0
    public var bytesSent = 0
    public var bytesReceived = 0
    /// Nanoseconds from the first send to the last answer; of several workers, the longest.
    public var elapsed: UInt64 = 0
    /// Nanoseconds from the send (open loop: from when it was due) to the last byte of the reply.
    public var getLatency = LoadTally.emptyLatency
    public var setLatency = LoadTally.emptyLatency
    /// Error replies by their text, in the order in which they were first met.
    public private(set) var errors: [ErrorCount] = []

    public struct ErrorCount: Sendable, Equatable {
        public var text: String
        public var count: Int
    }

    public init() {}

    private static var emptyLatency: Histogram<UInt64> {
        Histogram(
            lowestDiscernibleValue: 1, highestTrackableValue: 3_600_000_000_000, numberOfSignificantValueDigits: .three)
    }

    public var errorCount: Int { errors.reduce(0) { $0 + $1.count } }

    /// Nothing went wrong: misses are no fault.
    public var isClean: Bool { errors.isEmpty && mismatched + malformed + lost + unanswered == 0 }

    public var latency: Histogram<UInt64> {
        var all = getLatency
        all.add(setLatency)
        return all
    }

    /// Texts are few; what comes after the first 32 is counted together.
    mutating func countError(_ text: String, _ count: Int = 1) {
        if let known = errors.firstIndex(where: { $0.text == text }) {
            errors[known].count += count
        } else if errors.count < 32 {
            errors.append(ErrorCount(text: text, count: count))
        } else {
            errors[31] = ErrorCount(text: "(others)", count: errors[31].count + count)
        }
    }

    mutating func add(_ other: LoadTally) {
        answered += other.answered
        gets += other.gets
        sets += other.sets
        hits += other.hits
        misses += other.misses
        reordered += other.reordered
        mismatched += other.mismatched
        malformed += other.malformed
        lost += other.lost
        unanswered += other.unanswered
        bytesSent += other.bytesSent
        bytesReceived += other.bytesReceived
        elapsed = max(elapsed, other.elapsed)
        getLatency.add(other.getLatency)
        setLatency.add(other.setLatency)
        for error in other.errors { countError(error.text, error.count) }
    }
}
