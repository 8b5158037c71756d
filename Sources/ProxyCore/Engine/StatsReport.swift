internal import Telemetry

/// How the answers of all nodes become one.
enum StatsReport: BitwiseCopyable, Equatable {
    case none
    /// OK when all said OK.
    case flush
    /// A flush that all nodes have answered, or will not.
    case flushed
    /// RESET when all said RESET.
    case reset
    /// Merged, name by name.
    case stats(StatsTopic)
}
