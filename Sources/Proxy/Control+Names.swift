internal import Logging
internal import ProxyCore
internal import Reactor
internal import Sockets

/// Nodes that are named by host: resolved without blocking, at the start and again when connecting fails.
extension Control {
    /// The least time between two questions for the same node's name, in nanoseconds.
    private static var resolvePause: UInt64 { 1_000_000_000 }

    /// For so long nobody is served because a name server is slow, in nanoseconds: as long as one answer is waited for.
    private static var namePatience: UInt64 { 5_000_000_000 }

    func resolveNames() {
        for node in topology.numbers where addresses[node] == nil { resolve(node) }
    }

    /// Before anybody is served: a node without an address would be taken for down, others would stand in for it, and what
    /// it holds would be given up when its name is known.
    func awaitNames() {
        let deadline = EventLoop.monotonicNow() + Self.namePatience
        wait(until: deadline) { resolver.pendingCount > 0 }
    }

    func resolveAgain(_ node: Int) {
        guard case .tcp(let host, _) = topology.nodes[node].settings.address,
            SocketAddress(literal: host, port: 0) == nil, EventLoop.monotonicNow() >= resolvableAt[node]
        else { return }
        resolve(node)
    }

    private func resolve(_ node: Int) {
        guard case .tcp(let host, let port) = topology.nodes[node].settings.address else { return }
        resolvableAt[node] = EventLoop.monotonicNow() + Self.resolvePause
        resolver.resolve(host) { [unowned self] result in
            switch result {
            case .success(let literals): use(literals.compactMap { SocketAddress(literal: $0, port: port) }, for: node)
            case .failure(let error):
                logger.warning("cannot resolve the node's name", metadata: describe(node, ["reason": "\(error)"]))
            }
        }
    }

    /// Keeps to the address in use as long as the name still has it.
    private func use(_ found: [SocketAddress], for node: Int) {
        guard let first = found.first, let node = current(node) else { return }
        if let current = addresses[node], found.contains(current) { return }
        addresses[node] = first
        if let keeper = keepers.isEmpty ? nil : keepers[topology.nodes[node].pool] {
            keeper.moved(keeper.place(of: node))
        }
        if let mover = mover(of: node), node - mover.first < mover.links.count { mover.moved(node - mover.first) }
        if let home = homes.isEmpty ? nil : homes[topology.nodes[node].pool], home.numbers.contains(node) {
            home.moved(node - home.first)
        }
        logger.info("node's name resolved", metadata: describe(node, ["to": "\(first.host)"]))
        for worker in workers { worker.send(.address(node: node, first)) }
    }
}
