internal import Telemetry

/// How the answers of all nodes become one.
enum StatsReport: BitwiseCopyable, Equatable {
    case none
    /// OK when all said OK, or enough of them; see `Pool.staysFlushed`.
    case flush(isDelayed: Bool)
    /// A flush that all nodes have answered, or will not: every key has a copy that had it, or some key may not.
    case flushed, notFlushed
    /// RESET when all said RESET.
    case reset
    /// Merged, name by name.
    case stats(StatsTopic)
}
