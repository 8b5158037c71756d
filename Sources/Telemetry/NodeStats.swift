/// What one worker counts for one node: plain numbers, no atomics. Everything but `inFlight` and `connections` only
/// grows.
public struct NodeStats: BitwiseCopyable, Sendable {
    /// Requests sent; a part of a multi-key get is one.
    public var requests: UInt64 = 0
    /// Requests that wait for the node's reply now.
    public var inFlight: Int = 0
    /// Connections open now.
    public var connections: Int = 0
    /// Connections made.
    public var connects: UInt64 = 0
    /// Requests taken from a dead connection and sent again.
    public var retries: UInt64 = 0
    /// Bytes read from the node.
    public var bytesIn: UInt64 = 0
    /// Bytes written to the node.
    public var bytesOut: UInt64 = 0
    public var errors = ErrorCounts()
    /// From a request being queued for the node to its whole reply having come.
    public var latency = LatencyHistogram()

    public init() {}

    /// Adds what another worker counted for the same node.
    public mutating func merge(_ other: NodeStats) {
        requests &+= other.requests
        inFlight &+= other.inFlight
        connections &+= other.connections
        connects &+= other.connects
        retries &+= other.retries
        bytesIn &+= other.bytesIn
        bytesOut &+= other.bytesOut
        errors.merge(other.errors)
        latency.merge(other.latency)
    }
}
