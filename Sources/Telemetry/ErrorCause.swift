/// Why a request was not answered as its client hoped. Counted, and a label of the metrics.
public enum ErrorCause: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    // The node's side.
    case timeout, connectFailed, connectionLost, nodeDown
    /// The node said something that memcached does not say.
    case protocolError
    /// The node itself answered with an error, which was passed on.
    case serverError
    // The client's side.
    case malformedRequest, keyTooLong, valueTooLarge, lineTooLong, reservedKey
    // Limits of the pool.
    case pipelineLimit, memoryLimit, clientLimit
    /// A write found fewer nodes up than `min_live`.
    case tooFewCopies
    /// The client held the most, replies that it does not read or half a command, when buffers ran short: it was closed.
    case slowClient
    /// A connection to a node reached another process than the one that was proven readable, or its marker is gone.
    case unproven
    /// A copy missed a write, and no other node keeps that: its client cannot be told that it was done.
    case notSecured

    /// As operators see it.
    public var label: StaticString {
        switch self {
        case .timeout: "timeout"
        case .connectFailed: "connect_failed"
        case .connectionLost: "connection_lost"
        case .nodeDown: "node_down"
        case .protocolError: "protocol_error"
        case .serverError: "server_error"
        case .malformedRequest: "malformed_request"
        case .keyTooLong: "key_too_long"
        case .valueTooLarge: "value_too_large"
        case .lineTooLong: "line_too_long"
        case .reservedKey: "reserved_key"
        case .pipelineLimit: "pipeline_limit"
        case .memoryLimit: "memory_limit"
        case .clientLimit: "client_limit"
        case .tooFewCopies: "too_few_copies"
        case .slowClient: "slow_client"
        case .unproven: "unproven"
        case .notSecured: "not_secured"
        }
    }

    /// The causes that a node can be blamed for.
    public static let ofNodes: [ErrorCause] = [
        .timeout, .connectFailed, .connectionLost, .nodeDown, .protocolError, .serverError, .unproven,
    ]

    /// Why a copy of a key can be passed over.
    public static let ofCopies: [ErrorCause] = [
        .timeout, .connectFailed, .connectionLost, .nodeDown, .protocolError, .memoryLimit, .unproven,
    ]
}

/// A counter for each cause.
public struct ErrorCounts: BitwiseCopyable, Sendable {
    @usableFromInline var counts = InlineArray<24, UInt64>(repeating: 0)

    public init() {}

    @inlinable
    public subscript(cause: ErrorCause) -> UInt64 { counts[Int(cause.rawValue)] }

    @inlinable
    public mutating func count(_ cause: ErrorCause) { counts[Int(cause.rawValue)] &+= 1 }

    public var total: UInt64 { ErrorCause.allCases.reduce(0) { $0 &+ self[$1] } }

    public mutating func merge(_ other: ErrorCounts) {
        for index in counts.indices { counts[index] &+= other.counts[index] }
    }
}
