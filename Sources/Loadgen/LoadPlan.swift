public import Sockets

/// One run of the load generator: what is sent, how fast, for how long, and what is checked.
public struct LoadPlan: Sendable {
    /// How long a part of the run lasts. Whatever is chosen, `LoadPlan.duration` or a stated time bounds it.
    public enum Extent: Sendable, Equatable {
        /// Requests, over all connections.
        case requests(Int)
        case nanoseconds(UInt64)
    }

    public var target: SocketAddress
    /// Over all threads; at least one a thread.
    public var connections = 50
    public var threads = 1
    /// Requests that a connection may have outstanding at once: 1...4096.
    public var depth = 1
    /// Requests per second over all connections, sent on schedule whatever the answers do (open loop); nil sends the
    /// next request as soon as one is answered (closed loop).
    public var rate: Double?
    /// Gets and sets are sent in this proportion.
    public var gets = 1
    public var sets = 0
    /// Keys in one get request: 1...1000.
    public var keysPerGet = 1
    /// `mg` and `ms` instead of `get` and `set`.
    public var meta = false
    /// Bytes of a value. Each key has one length out of the range, always the same.
    public var valueSizes: ClosedRange<Int> = 100...100
    public var keyCount = 10_000
    /// Skew of the choice of keys; 0 is uniform.
    public var zipf = 0.0
    public var keyPrefix = "key:"
    /// Counted requests; nil is as many as `duration` allows.
    public var requests: Int?
    /// Nanoseconds of the counted part, at most.
    public var duration: UInt64 = 10_000_000_000
    public var warmup: Extent = .nanoseconds(1_000_000_000)
    /// Sets every key before anything else.
    public var prefill = true
    /// Compares each value with what the key's value must be.
    public var verify = false
    /// Waits for a line on standard input before and after the counted part, connections open and nothing in flight,
    /// so that someone can read the target's counters.
    public var stepwise = false
    public var seed: UInt64 = 1
    /// Nanoseconds to wait for answers that are still missing at the end of a part.
    public var grace: UInt64 = 5_000_000_000

    public init(target: SocketAddress) { self.target = target }

    /// Why the plan cannot be run; nil when it can.
    public var problem: String? {
        if threads < 1 || threads > 64 { return "threads must be 1 to 64" }
        if connections < threads || connections > 50_000 { return "connections must be one a thread to 50000" }
        if depth < 1 || depth > 4096 { return "depth must be 1 to 4096" }
        if let rate, !(rate >= 1 && rate <= 10_000_000) { return "rate must be 1 to 10000000 a second" }
        if gets < 0 || sets < 0 || gets + sets < 1 || gets + sets > 1_000_000 { return "mix must name a request" }
        if keysPerGet < 1 || keysPerGet > 1000 { return "keys in a get must be 1 to 1000" }
        if valueSizes.upperBound > 128 << 20 { return "values must be at most 128 MiB" }
        if keyCount < 1 || keyCount > 10_000_000 { return "keys must be 1 to 10000000" }
        if !(zipf >= 0 && zipf <= 5) { return "zipf must be 0 to 5" }
        if keyPrefix.utf8.count > 200 { return "the key prefix must be at most 200 bytes" }
        if keyPrefix.utf8.contains(where: { $0 <= 32 || $0 == 127 }) { return "the key prefix has a space or control" }
        if let requests, requests < 1 { return "requests must be at least 1" }
        if duration < 1_000_000 || duration > 86_400_000_000_000 { return "duration must be 1 ms to a day" }
        return nil
    }
}

/// A part of a run, as one worker gets it.
struct Phase: Sendable {
    enum Kind: Sendable { case prefill, warmup, counted }

    var kind: Kind
    /// This worker's share.
    var requests: Int
    var duration: UInt64
    /// This worker's share, requests per second; 0 is closed loop.
    var rate = 0.0
}

extension LoadPlan {
    /// The parts of the run for worker `worker`, in order.
    func phases(worker: Int) -> [Phase] {
        var phases: [Phase] = []
        let rate = (rate ?? 0) / Double(threads)
        if prefill {
            // Bounded like everything else, but by no wish of the user's: a slow target takes long to fill.
            phases.append(Phase(kind: .prefill, requests: share(keyCount, worker), duration: 600_000_000_000))
        }
        switch warmup {
        case .requests(let count) where count > 0:
            phases.append(Phase(kind: .warmup, requests: share(count, worker), duration: 60_000_000_000, rate: rate))
        case .nanoseconds(let time) where time > 0:
            phases.append(Phase(kind: .warmup, requests: .max, duration: time, rate: rate))
        default: break
        }
        let counted = requests.map { share($0, worker) } ?? .max
        phases.append(Phase(kind: .counted, requests: counted, duration: duration, rate: rate))
        return phases
    }

    /// Worker `worker`'s part of `total`; the parts differ by one at most and add up.
    func share(_ total: Int, _ worker: Int) -> Int {
        total / threads + (worker < total % threads ? 1 : 0)
    }
}
