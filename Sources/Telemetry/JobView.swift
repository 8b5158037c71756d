/// A piece of work on a pool that takes long: a node being filled, a pool being verified, and the like.
public struct JobView: Sendable {
    public enum State: String, Sendable, CaseIterable {
        case running, paused, done
        /// It came to no end by itself, and why stands in `outcome`.
        case ended
    }

    /// Counted from 1, never used again in this process.
    public var id: Int
    /// "fill", "verify", …
    public var kind: String
    public var pool: String
    /// The node that it is about; nil for the whole pool.
    public var node: String?
    public var state: State
    /// What it does now, in a word or two: "quiet time", "copying", "verifying".
    public var phase: String
    /// How it ended, in a few words; empty while it runs.
    public var outcome: String
    /// Unix seconds.
    public var started: UInt64
    /// Seconds, up to its end.
    public var seconds: Double
    /// Items of the pass under way that are done, and those that are known of so far.
    public var done: Int
    public var known: Int
    /// Items a second, lately.
    public var rate: Double
    /// How often the rate is halved for the clients' sake.
    public var halvings: Int
    /// Names and numbers: items copied, bytes, skipped by cause, the four times in seconds, shares before and after; nil
    /// is not known. A name that ends in `_bytes`, `_seconds` or `_ratio` is shown with that unit, others as plain
    /// numbers.
    public var report: [(name: String, value: Double?)]

    public init(id: Int, kind: String, pool: String, node: String?, started: UInt64) {
        (self.id, self.kind, self.pool, self.node, self.started) = (id, kind, pool, node, started)
        (state, phase, outcome) = (.running, "", "")
        (seconds, done, known, rate, halvings) = (0, 0, 0, 0, 0)
        report = []
    }

    /// Seconds that the pass under way will take at its rate; nil while that is not known.
    public var secondsLeft: Double? {
        guard state == .running, rate > 0, known > 0 else { return nil }
        return Double(max(0, known - done)) / rate
    }
}
