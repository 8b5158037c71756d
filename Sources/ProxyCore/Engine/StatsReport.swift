/// How the answers of all nodes become one.
enum StatsReport: UInt8, BitwiseCopyable {
    case none
    /// OK when all said OK.
    case flush
    /// RESET when all said RESET.
    case reset
    /// Summed, name by name.
    case stats
    /// Drover's own list of nodes.
    case nodes
}
