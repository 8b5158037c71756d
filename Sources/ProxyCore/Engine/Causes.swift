internal import MemcacheProtocol
internal import Telemetry

extension ErrorCause {
    /// What the client of a request that failed this way is told.
    var reply: ReplyText {
        switch self {
        case .timeout: .nodeTimeout
        case .nodeDown: .nodeDown
        case .tooFewCopies: .tooFewCopies
        case .memoryLimit: .outOfMemory
        case .notSecured: .notSecured
        default: .nodeFailed
        }
    }

    /// A sign that the node is not well, as opposed to us or a client.
    var countsAgainstNode: Bool {
        switch self {
        case .timeout, .connectFailed, .connectionLost, .protocolError: true
        default: false
        }
    }
}

extension Refusal {
    /// Under which cause the refusal is counted.
    var cause: ErrorCause {
        switch reply {
        case .keyTooLong: .keyTooLong
        case .tooLarge: .valueTooLarge
        case .reservedKey: .reservedKey
        case .lineTooLong: .lineTooLong
        default: .malformedRequest
        }
    }
}

extension Verb {
    var isMeta: Bool {
        switch self {
        case .metaGet, .metaSet, .metaDelete, .metaArithmetic, .metaNoop, .metaDebug: true
        default: false
        }
    }
}
