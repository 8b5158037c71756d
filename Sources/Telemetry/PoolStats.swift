/// A counter for each verb, by its raw value, which must be below 32.
public struct VerbCounts: BitwiseCopyable, Sendable {
    /// Verbs that can be told apart.
    public static let capacity = 32

    @usableFromInline var counts = InlineArray<32, UInt64>(repeating: 0)

    public init() {}

    @inlinable
    public subscript(verb: UInt8) -> UInt64 { counts[Int(verb)] }

    @inlinable
    public mutating func count(_ verb: UInt8) { counts[Int(verb)] &+= 1 }

    /// For the keys of a multi-key get.
    @inlinable
    public mutating func add(_ amount: UInt64, to verb: UInt8) { counts[Int(verb)] &+= amount }

    public var total: UInt64 {
        var total: UInt64 = 0
        for index in counts.indices { total &+= counts[index] }
        return total
    }

    public mutating func merge(_ other: VerbCounts) {
        for index in counts.indices { counts[index] &+= other.counts[index] }
    }
}

/// What one worker counts for the clients of one pool: plain numbers, no atomics. Everything but `connections` only
/// grows.
public struct PoolStats: BitwiseCopyable, Sendable {
    /// Requests of clients; a multi-key get is one.
    public var requests = VerbCounts()
    /// Keys found, by the verb that asked.
    public var hits = VerbCounts()
    /// Keys not found.
    public var misses = VerbCounts()
    public var errors = ErrorCounts()
    /// From a request's last byte read to its reply being queued.
    public var latency = LatencyHistogram()
    /// Bytes read from clients.
    public var bytesIn: UInt64 = 0
    /// Bytes written to clients.
    public var bytesOut: UInt64 = 0
    /// Clients connected now.
    public var connections: Int = 0
    /// Clients ever accepted.
    public var connectionsTotal: UInt64 = 0
    /// Clients turned away by the limit.
    public var connectionsRefused: UInt64 = 0
    /// Requests sent a second time, on another connection.
    public var retries: UInt64 = 0
    public var copies = CopyStats()
    public var repairs = RepairStats()
    public var consistency = ConsistencyStats()

    public init() {}

    /// Adds what another worker counted for the same pool.
    public mutating func merge(_ other: PoolStats) {
        requests.merge(other.requests)
        hits.merge(other.hits)
        misses.merge(other.misses)
        errors.merge(other.errors)
        latency.merge(other.latency)
        bytesIn &+= other.bytesIn
        bytesOut &+= other.bytesOut
        connections &+= other.connections
        connectionsTotal &+= other.connectionsTotal
        connectionsRefused &+= other.connectionsRefused
        retries &+= other.retries
        copies.merge(other.copies)
        repairs.merge(other.repairs)
        consistency.merge(other.consistency)
    }
}
