/// When a node is taken out of its pool, and how it comes back. Times are nanoseconds.
public struct HealthPolicy: Sendable, Equatable {
    /// Failures in a row; at least 1.
    public let failAfter: Int
    /// The waits between probes of a node that is down.
    public let backoff: Backoff
    /// A node that goes down again within this time of coming up is flapping.
    public let flapWindow: UInt64

    public init(failAfter: Int, backoff: Backoff, flapWindow: UInt64) {
        self.failAfter = max(failAfter, 1)
        self.backoff = backoff
        self.flapWindow = flapWindow
    }

    public init(_ settings: PoolSettings) {
        self.init(
            failAfter: settings.failAfter, backoff: Backoff(base: settings.probeInterval, cap: settings.probeMax),
            flapWindow: settings.probeMax)
    }
}

/// The verdict on one node, from what is reported of it. It reads no clock and sends nothing: each event says when it
/// happened, and the answer says what to do.
///
///               failAfter failures in a row, if it may be ejected
///        up ────────────────────────────────────────────────────▶ down ──┐ probe failed:
///         ▲                                                        │  ▲   │ a longer wait
///         └──────────────────── probe answered ────────────────────┘  └───┘
public struct NodeHealth: Sendable, Equatable {
    public enum Event: Sendable, Equatable, CaseIterable {
        /// A request failed through the node's fault, or a connection to it.
        case failed
        /// A request was answered.
        case succeeded
        /// A probe connected, and its `version` was answered with a version.
        case probeAnswered
        /// It was not, or not in time.
        case probeFailed
    }

    public enum Decision: Sendable, Equatable {
        case stay
        /// Take the node out, and probe it when `probeTime` says.
        case declareDown
        /// Put it back.
        case declareUp
        /// It stays down; the next probe is at `probeTime`.
        case waitForProbe
    }

    private enum State: Sendable, Equatable {
        /// `since` is nil for a node that has never been down.
        case up(since: UInt64?, failures: Int)
        case down(probeAt: UInt64, attempt: Int, isProbing: Bool)
    }

    private var state = State.up(since: nil, failures: 0)
    /// How often the node went down shortly after it came up; its first wait is that many doublings longer.
    public private(set) var flaps = 0

    public init() {}

    public var isUp: Bool {
        if case .up = state { true } else { false }
    }

    /// When the next probe is to start (monotonic nanoseconds); nil while the node is up or a probe is under way.
    public var probeTime: UInt64? {
        if case .down(let time, _, false) = state { time } else { nil }
    }

    /// Up, though it has failed often enough to be down: it was not allowed to be ejected.
    public func isSuspect(_ policy: HealthPolicy) -> Bool {
        if case .up(_, let failures) = state { failures >= policy.failAfter } else { false }
    }

    /// Up, and its last request failed.
    var isFailing: Bool {
        if case .up(_, let failures) = state { failures > 0 } else { false }
    }

    /// - Parameter mayEject: false keeps a failing node in, as a suspect, until a later failure finds it true.
    public mutating func apply(
        _ event: Event, now: UInt64, policy: HealthPolicy, mayEject: Bool,
        using generator: inout some RandomNumberGenerator
    ) -> Decision {
        switch (state, event) {
        case (.up(let since, let failures), .failed):
            // Saturating: a suspect may fail for as long as it likes.
            let failures = min(failures + 1, policy.failAfter)
            guard failures == policy.failAfter, mayEject else {
                state = .up(since: since, failures: failures)
                return .stay
            }
            goDown(since: since, now: now, policy: policy, using: &generator)
            return .declareDown

        case (.up(let since, _), .succeeded):
            state = .up(since: since, failures: 0)
            return .stay

        case (.down, .probeAnswered):
            state = .up(since: now, failures: 0)
            return .declareUp

        case (.down(_, let attempt, _), .probeFailed):
            let next = attempt + 1
            state = .down(
                probeAt: now.addingSaturated(policy.backoff.delay(attempt: next, using: &generator)), attempt: next,
                isProbing: false)
            return .waitForProbe

        // What workers report of a node that is down was under way before they knew; only a probe lifts the verdict.
        // A probe's result that comes when the node is up already has nothing left to say.
        case (.down, .failed), (.down, .succeeded), (.up, .probeAnswered), (.up, .probeFailed):
            return .stay
        }
    }

    /// For another list of nodes: the answer to a probe that is under way may find nobody, so there is another at once.
    func carriedOver(now: UInt64) -> NodeHealth {
        guard case .down(_, let attempt, true) = state else { return self }
        var copy = self
        copy.state = .down(probeAt: now, attempt: attempt, isProbing: false)
        return copy
    }

    /// Whether a probe is to be started now; if so it counts as started, and its result must be applied.
    public mutating func startProbe(now: UInt64) -> Bool {
        guard case .down(let time, let attempt, false) = state, now >= time else { return false }
        state = .down(probeAt: time, attempt: attempt, isProbing: true)
        return true
    }

    private mutating func goDown(
        since: UInt64?, now: UInt64, policy: HealthPolicy, using generator: inout some RandomNumberGenerator
    ) {
        if let since, now < since.addingSaturated(policy.flapWindow) {
            // Past 63 doublings every wait is the cap.
            flaps = min(flaps + 1, 63)
        } else {
            flaps = 0
        }
        let wait = policy.backoff.delay(attempt: flaps, using: &generator)
        state = .down(probeAt: now.addingSaturated(wait), attempt: flaps, isProbing: false)
    }
}

extension UInt64 {
    /// Times come from clocks and configs: the end of time is far enough.
    public func addingSaturated(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
