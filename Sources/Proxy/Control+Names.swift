internal import ProxyCore
internal import Sockets

/// Nodes that are named by host: resolved without blocking, and again when connecting fails.
extension Control {
    func resolveAgain(_ node: Int) {
        guard case .tcp = topology.nodes[node].settings.address else { return }
    }
}
