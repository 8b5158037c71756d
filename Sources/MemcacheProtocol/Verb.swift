/// The commands of memcached's text protocol, classic and meta.
public enum Verb: UInt8, BitwiseCopyable, Sendable, CaseIterable {
    case get, gets, gat, gats
    case set, add, replace, append, prepend, cas
    case delete, incr, decr, touch
    case metaGet, metaSet, metaDelete, metaArithmetic, metaNoop, metaDebug
    case flushAll, version, verbosity, stats, quit

    /// As it is spelled on the wire.
    public var spelling: StaticString {
        switch self {
        case .get: "get"
        case .gets: "gets"
        case .gat: "gat"
        case .gats: "gats"
        case .set: "set"
        case .add: "add"
        case .replace: "replace"
        case .append: "append"
        case .prepend: "prepend"
        case .cas: "cas"
        case .delete: "delete"
        case .incr: "incr"
        case .decr: "decr"
        case .touch: "touch"
        case .metaGet: "mg"
        case .metaSet: "ms"
        case .metaDelete: "md"
        case .metaArithmetic: "ma"
        case .metaNoop: "mn"
        case .metaDebug: "me"
        case .flushAll: "flush_all"
        case .version: "version"
        case .verbosity: "verbosity"
        case .stats: "stats"
        case .quit: "quit"
        }
    }

    /// May be sent a second time when its connection died, because it changes nothing.
    @inlinable
    public var isIdempotentRead: Bool {
        switch self {
        case .get, .gets, .metaDebug: true
        default: false  // gat and gats touch; mg may touch or vivify: its flags decide
        }
    }

    /// A data block follows the command line.
    @inlinable
    public var carriesBody: Bool {
        switch self {
        case .set, .add, .replace, .append, .prepend, .cas, .metaSet: true
        default: false
        }
    }
}
