internal import Logging
internal import ProxyCore
internal import Reactor

/// What workers may do with each node: by its health, and by its markers where keys have copies.
extension Control {
    func isUp(_ node: Int) -> Bool {
        let pool = topology.nodes[node].pool
        return health[pool].isUp(node - topology.pools[pool].firstNode)
    }

    private func verdict(on node: Int) -> NodeVerdict {
        let pool = topology.nodes[node].pool
        if let home = homes[pool] { return home.plan.verdict(on: node - home.first) }
        guard let keeper = keepers[pool] else { return NodeVerdict(isUp: isUp(node)) }
        return keeper.verdict(on: node - keeper.first, isUp: isUp(node))
    }

    /// Every worker gets the same new topology, if it says anything new; each takes it over between two events of its
    /// loop.
    func publish() {
        let verdicts = topology.nodes.indices.map(verdict)
        let isProofOwed = topology.nodes.indices.contains {
            owesProof[$0] > 0 && verdicts[$0].access == .full && verdicts[$0].provenAt > owesProof[$0]
        }
        guard isProofOwed || zip(verdicts, topology.nodes).contains(where: { !$0.saysTheSame(as: $1.verdict) }) else {
            return
        }
        for node in verdicts.indices where verdicts[node].provenAt > owesProof[node] { owesProof[node] = 0 }
        tellStates(verdicts)
        topology = topology.with { verdicts[$0] }
        for worker in workers { worker.send(.adopt(topology)) }
        for pool in topology.pools.indices where keepers[pool] != nil { measureReach(of: pool) }
    }

    /// A worker has lost a connection to the node, and does not read from it until it is proven anew.
    func doubt(_ node: Int, at time: UInt64) {
        let pool = topology.nodes[node].pool
        guard let keeper = keepers[pool] else { return }
        owesProof[node] = max(owesProof[node], time)
        keeper.doubt(node - keeper.first)
    }

    private func tellStates(_ verdicts: [NodeVerdict]) {
        for node in verdicts.indices where verdicts[node].access != topology.nodes[node].verdict.access {
            // Without copies a node that is up is read.
            guard keepers[topology.nodes[node].pool] != nil else { continue }
            switch verdicts[node].access {
            case .none: break  // told with its reason
            case .syncing where isStarted:
                logger.notice("node is not to be read for now", metadata: describe(node, [:]))
            case .full where isStarted: logger.notice("node may be read", metadata: describe(node, [:]))
            case .syncing, .full: break
            }
        }
    }

    // MARK: Markers

    /// Before anybody is served: a node may hold what another knows to be stale. Nodes without any markers are adopted.
    func learnMarkers() {
        let learning = settings.pools.indices.filter { keepers[$0] != nil || homes[$0] != nil }
        let patience = learning.map { settings.pools[$0].connectTimeout + settings.pools[$0].timeout }.max()
        guard let patience else { return }
        let deadline = loop.now + patience
        for home in homes { home?.learn() }
        while loop.now < deadline,
            keepers.contains(where: { $0?.isSettled == false }) || homes.contains(where: { $0?.isInformed == false })
        {
            turn(until: deadline)
        }
        for home in homes { home?.begin() }
        for keeper in keepers where keeper?.isInformed == false { keeper?.giveUpUnknown() }
        publish()
    }

    /// - Parameter node: among all nodes.
    func link(of node: Int) -> MarkerLink? {
        guard node < topology.nodes.count else { return nil }
        let pool = topology.nodes[node].pool
        return keepers[pool].map { $0.links[node - $0.first] } ?? homes[pool].map { $0.links[node - $0.first] }
    }

    /// Clients of the worker wait for this.
    func publish(_ miss: MissedWrite, for worker: Int) {
        let (node, round) = (miss.node, miss.round)
        let answer: (Bool) -> Void = { [unowned self] isKept in
            workers[worker].send(.published(node: node, round: round, isKept: isKept))
        }
        let pool = topology.nodes[Int(node)].pool
        guard let keeper = keepers[pool] else { return answer(homes[pool]?.missedWrite(Int(node)) ?? true) }
        keeper.revoke(Int(node) - keeper.first, sent: miss.sent, answer)
    }
}

extension NodeVerdict {
    /// All but when it was found out.
    fileprivate func saysTheSame(as other: NodeVerdict) -> Bool {
        access == other.access && isCovered == other.isCovered && token == other.token && keys == other.keys
            && isMarked == other.isMarked
    }
}
