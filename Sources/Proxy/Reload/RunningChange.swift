internal import Logging
internal import ProxyCore

/// Other settings on their way to the workers.
///
///     told ──▶ the nodes are known: addresses, markers ──▶ workers go over, each when nothing is under way ──▶ over
///
/// Until then the workers go on by the settings before, with verdicts on the nodes of both.
final class RunningChange {
    /// By their names.
    let pools: [String]
    /// Until then the nodes' names and markers are waited for.
    let deadline: UInt64
    /// The workers have been told to go over.
    var isAnnounced = false
    /// Those that have not done so.
    var awaited: Set<Int> = []
    let done: () -> Void

    init(pools: [String], deadline: UInt64, done: @escaping () -> Void) {
        (self.pools, self.deadline, self.done) = (pools, deadline, done)
    }
}
