internal import Logging
internal import ProxyCore
internal import Reactor

/// What workers may do with each node: by its health, and by its markers where keys have copies.
extension Control {
    func isUp(_ node: Int) -> Bool {
        // One that has left its pool is asked nothing, and keeps the last verdict.
        guard let node = current(node) else { return topology.nodes[node].isUp }
        let pool = topology.pools[topology.nodes[node].pool]
        return health[topology.nodes[node].pool].isUp(pool.server(of: node) - pool.firstNode)
    }

    private func verdict(on number: Int) -> NodeVerdict {
        let (pool, before) = (topology.nodes[number].pool, topology.nodes[number].verdict)
        let isCurrent = topology.pools[pool].nodes.contains(number)
        // Of those that were a pool's before some workers may still need to know.
        guard isCurrent || change != nil else { return before }
        // By the rows that workers go by who have not gone over yet.
        if let mover = mover(of: number), mover.settings.moving != nil {
            return mover.verdict(onNumber: number, isUp: isUp(number))
        }
        guard let node = current(number) else {
            return keeper(of: number).map { $0.verdict(onNumber: number, isUp: before.access != .none) } ?? before
        }
        if let home = homes[pool] { return home.plan.verdict(on: node - home.first) }
        guard let keeper = keeperInCharge(ofPool: pool) else { return NodeVerdict(isUp: isUp(node)) }
        if keeper.numbers.contains(node) { return keeper.verdict(onNumber: node, isUp: isUp(node)) }
        let origin = topology.pools[pool].origins[node - topology.pools[pool].firstNode]
        return origin.map { keeper.verdict(onNumber: $0, isUp: isUp(node)) } ?? before
    }

    /// Every worker gets the same new topology, if it says anything new; each takes it over between two events of its
    /// loop.
    func publish() {
        assert(
            zip(topology.pools, homes).allSatisfy { $0.settings.bringsHome == ($1 != nil) },
            "nobody would say of some nodes that their keys are elsewhere")
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
        for pool in topology.pools.indices { measureReach(of: pool) }
    }

    /// A worker has lost a connection to the node, and does not read from it until it is proven anew.
    /// - Parameter isSilent: because it gave no answer in time.
    func doubt(_ node: Int, at time: UInt64, isSilent: Bool) {
        let pool = topology.nodes[node].pool
        guard let keeper = keepers[pool] else { return }
        owesProof[node] = max(owesProof[node], time)
        keeper.doubt(keeper.place(of: node))
        if isSilent { keeper.isSilent(keeper.place(of: node), since: time) }
    }

    private func tellStates(_ verdicts: [NodeVerdict]) {
        for node in topology.pools.flatMap(\.servers) where verdicts[node].access != topology.nodes[node].verdict.access
        {
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

    /// The one that knows the node by this number.
    func mover(of number: Int) -> MoveKeeper? {
        movers.first { $0?.numbers.contains(number) == true } ?? retiredMovers.last { $0.numbers.contains(number) }
    }

    // MARK: Markers

    /// Before anybody is served: a node may hold what another knows to be stale. Nodes without any markers are adopted.
    func learnMarkers() {
        let learning = settings.pools.indices.filter { keepers[$0] != nil || homes[$0] != nil }
        let patience = learning.map { settings.pools[$0].connectTimeout + settings.pools[$0].timeout }.max()
        guard let patience else { return }
        let deadline = loop.now + patience
        wait(until: deadline) {
            keepers.contains { $0?.isSettled == false } || homes.contains { $0?.isInformed == false }
        }
        for home in homes { home?.begin() }
        for keeper in keepers where keeper?.isInformed == false { keeper?.giveUpUnknown() }
        publish()
    }

    /// - Parameter node: among all nodes.
    func link(of node: Int) -> MarkerLink? {
        guard node < topology.nodes.count else { return nil }
        let home = homes[topology.nodes[node].pool]
        if let home, home.numbers.contains(node) { return home.links[node - home.first] }
        guard let keeper = keeper(of: node), node - keeper.first < keeper.links.count else { return nil }
        return keeper.links[node - keeper.first]
    }

    /// Clients of the worker wait for this.
    func publish(_ miss: MissedWrite, for worker: Int) {
        let (node, round) = (miss.node, miss.round)
        let answer: (Bool) -> Void = { [unowned self] isKept in
            workers[worker].send(.published(node: node, round: round, isKept: isKept))
        }
        if let mover = mover(of: Int(node)), mover.settings.moving != nil {
            return mover.missedWrite(Int(node), answer)
        }
        guard let keeper = keeper(of: Int(node)) else {
            guard let home = homes[topology.nodes[Int(node)].pool] else { return answer(true) }
            guard let node = current(Int(node)) else { return answer(true) }
            return home.missedWrite(node, answer)
        }
        // Of a target its server: that is filled anew, and after it the target.
        keeper.revoke(keeper.place(of: Int(node)), sent: miss.sent, answer)
        // Who works by the settings before tells the keeper before; the new one has to know at once, too.
        if let node = current(keeper.placed.server(of: Int(node))), let new = self.keeper(of: node), new !== keeper {
            new.missedWrite(node - new.first)
        }
    }
}

extension NodeVerdict {
    /// All but when it was found out.
    fileprivate func saysTheSame(as other: NodeVerdict) -> Bool {
        access == other.access && isCovered == other.isCovered && token == other.token && keys == other.keys
            && isMarked == other.isMarked && follows == other.follows && hasContents == other.hasContents
            && lastWhole == other.lastWhole && isUnheard == other.isUnheard && isSilent == other.isSilent
    }
}
