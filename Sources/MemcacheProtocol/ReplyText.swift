/// Replies that Drover gives by itself, to the letter as memcached 1.6.38 spells them.
public enum ReplyText: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    case ok, end, en, error, mn, resetDone
    case stored, notStored, exists, notFound, deleted, touched
    case badCommandLine, badDataChunk, lineTooLong
    /// To the letter `badCommandLine`, as memcached has it; told apart where refusals are counted.
    case keyTooLong
    case invalidFlag, duplicateFlag, invalidOrDuplicateFlag, opaqueTooLong
    case optionsAreTooLong, optionsTooLong, badToken, undecodableKey, modeLength
    case invalidInitial, invalidDelta, invalidModeForSet, invalidModeForArithmetic
    case invalidNumericDelta, invalidExptime, deleteUsage
    case tooLarge, outOfMemory
    case nodeTimeout, nodeDown, nodeFailed, tooFewCopies, notSecured, reservedKey, tooManyClients

    /// With its CR LF.
    public var bytes: StaticString {
        switch self {
        case .ok: "OK\r\n"
        case .end: "END\r\n"
        case .en: "EN\r\n"
        case .error: "ERROR\r\n"
        case .mn: "MN\r\n"
        case .resetDone: "RESET\r\n"
        case .stored: "STORED\r\n"
        case .notStored: "NOT_STORED\r\n"
        case .exists: "EXISTS\r\n"
        case .notFound: "NOT_FOUND\r\n"
        case .deleted: "DELETED\r\n"
        case .touched: "TOUCHED\r\n"
        case .badCommandLine, .keyTooLong: "CLIENT_ERROR bad command line format\r\n"
        case .badDataChunk: "CLIENT_ERROR bad data chunk\r\n"
        case .lineTooLong: "CLIENT_ERROR line too long\r\n"
        case .invalidFlag: "CLIENT_ERROR invalid flag\r\n"
        case .duplicateFlag: "CLIENT_ERROR duplicate flag\r\n"
        case .invalidOrDuplicateFlag: "CLIENT_ERROR invalid or duplicate flag\r\n"
        case .opaqueTooLong: "CLIENT_ERROR opaque token too long\r\n"
        case .optionsAreTooLong: "CLIENT_ERROR options flags are too long\r\n"
        case .optionsTooLong: "CLIENT_ERROR options flags too long\r\n"
        case .badToken: "CLIENT_ERROR bad token in command line format\r\n"
        case .undecodableKey: "CLIENT_ERROR error decoding key\r\n"
        case .modeLength: "CLIENT_ERROR incorrect length for M token\r\n"
        case .invalidInitial: "CLIENT_ERROR invalid numeric initial value\r\n"
        case .invalidDelta: "CLIENT_ERROR invalid numeric delta value\r\n"
        case .invalidModeForSet: "CLIENT_ERROR invalid mode for ms M token\r\n"
        case .invalidModeForArithmetic: "CLIENT_ERROR invalid mode for ma M token\r\n"
        case .invalidNumericDelta: "CLIENT_ERROR invalid numeric delta argument\r\n"
        case .invalidExptime: "CLIENT_ERROR invalid exptime argument\r\n"
        case .deleteUsage: "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n"
        case .tooLarge: "SERVER_ERROR object too large for cache\r\n"
        case .outOfMemory: "SERVER_ERROR out of memory\r\n"
        case .nodeTimeout: "SERVER_ERROR node timed out\r\n"
        case .nodeDown: "SERVER_ERROR node is down\r\n"
        case .nodeFailed: "SERVER_ERROR node connection failed\r\n"
        case .tooFewCopies: "SERVER_ERROR too few live copies\r\n"
        case .notSecured: "SERVER_ERROR write not secured\r\n"
        case .reservedKey: "CLIENT_ERROR key is reserved\r\n"
        case .tooManyClients: "ERROR Too many open connections\r\n"
        }
    }
}
