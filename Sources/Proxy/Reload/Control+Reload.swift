internal import Glibc
internal import Logging
internal import ProxyCore
internal import Reactor
internal import Sockets

/// The config is read again, and taken over if it is right and can be. If not, nothing changes.
extension Control {
    /// Reads the config again when SIGHUP comes, from now on.
    /// - Parameter text: of the config that runs.
    public func reloads(_ text: [UInt8], _ read: @escaping () -> ConfigReading) {
        (configText, readConfig) = (text, read)
        _ = loop.watchSignal(SIGHUP, token: Self.hangup)
    }

    /// What an operator hears who asked for it.
    func reload() -> JobAnswer {
        guard let readConfig else { return .refused("this proxy has no config to read again") }
        if isDraining { return .refused("the proxy is stopping") }
        guard change == nil, isStarted else {
            isReloadWanted = true
            return .done("the config is read again when the change under way is over")
        }
        switch readConfig() {
        case .refused(let reasons): return refuse(reasons)
        case .settings(let wanted, let warnings):
            for warning in warnings { logger.warning("config", metadata: ["warning": "\(warning)"]) }
            return take(wanted)
        }
    }

    /// Where keys are that are on their way: what another proxy has gone over to cannot be taken back, and where it comes
    /// back from that, it says so on the nodes.
    private func running(besides wanted: Settings) -> Settings {
        var running = settings
        for (index, pool) in settings.pools.enumerated() where pool.moving?.hasMoved == false {
            guard let markers = keepers[index]?.markers, let next = wanted.pools.first(where: { $0.name == pool.name }),
                next != pool.settled
            else { continue }
            if markers.hasMoved(to: pool.placesToken) {
                running.pools[index] = pool.handedOver ?? pool
            } else if let former = markers.origin(ofKeysTo: next.placesToken) {
                running.pools[index] =
                    (try? pool.settled.resuming(from: former, hasMoved: false).get().standing) ?? pool
            }
        }
        return running
    }

    private func refuse(_ reasons: [String]) -> JobAnswer {
        for reason in reasons {
            logger.error("config not taken over; the proxy goes on as before", metadata: ["reason": "\(reason)"])
        }
        return .refused(reasons.joined(separator: "\n"))
    }

    private func take(_ wanted: ConfigSource) -> JobAnswer {
        let next = SettingsChange(from: running(besides: wanted.settings), to: wanted.settings)
        guard next.refusals.isEmpty else { return refuse(next.refusals.map { "\(wanted.file): \($0)" }) }
        guard !next.changed.isEmpty else {
            configText = wanted.text
            logger.notice("config is read again: nothing in it has changed")
            return .done("nothing has changed")
        }
        switch objection(to: next.pools) {
        case nil: break
        case .hasMoved(let name):
            return refuse(["\(wanted.file): pool \(name): another proxy reads keys where they have moved to already"])
        case .isAsked: return .done("the config is read again when the other proxies have heard of it")
        }
        var pools = next.pools
        for name in next.changed {
            guard let index = settings.pools.firstIndex(where: { $0.name == name }) else { continue }
            dropPostponed(index, "the config has changed once more")
            next.unmoved[name].map { tellUnmoved(name, $0) }
        }
        let waiting = postponeMoves(in: &pools)
        let isBegun = begin(pools) { [unowned self] in
            for name in next.changed {
                if waiting[name] == nil { logger.notice("config is taken over", metadata: ["pool": "\(name)"]) }
                moveKeys(ofPool: name)
            }
        }
        guard isBegun else { return refuse(["\(wanted.file): more than \(Topology.nodeLimit) nodes"]) }
        for name in next.changed { run(ofPool: name)?.end("the config has changed once more") }
        configText = wanted.text
        let taken = next.changed.map { name in "pool \(name)" + (waiting[name].map { ", \($0)" } ?? "") }
        return .done("taken over: \(taken.joined(separator: ", "))")
    }
}

/// From one topology to another.
extension Control {
    /// For names to be resolved, beside the nodes' own timeouts, in nanoseconds.
    private static var namePatience: UInt64 { 1_000_000_000 }

    /// Has the workers go over to other settings of the same pools; false where there are too many nodes.
    func begin(_ pools: [PoolSettings], _ done: @escaping () -> Void) -> Bool {
        let before = topology
        let next = before.changed(to: pools) { pool, origin in
            origin.map { before.nodes[$0].verdict }
                ?? (pool.keepsMarkers ? NodeVerdict(.none, isCovered: false) : NodeVerdict(isUp: true))
        }
        guard let next else { return false }
        let changed = next.pools.indices.filter { next.pools[$0].firstNode != before.pools[$0].firstNode }
        let patience = changed.map { pools[$0].connectTimeout + pools[$0].timeout }.max() ?? 0
        change = RunningChange(
            pools: changed.map { pools[$0].name }, deadline: loop.now + patience + Self.namePatience, done: done)
        settings.pools = pools
        aliases = [:]
        var formerHomes: [Int: HomeKeeper] = [:]
        for index in changed {
            for (place, number) in next.pools[index].nodes.enumerated() {
                if let origin = next.pools[index].origins[place] { aliases[origin] = number }
            }
            health[index] = PoolHealth(
                pools[index], from: health[index],
                origins: next.pools[index].origins.map { $0.map { $0 - before.pools[index].firstNode } }, now: loop.now)
            retire(keepers[index])
            if let mover = movers[index] {
                mover.retire()
                retiredMovers.append(mover)
                movers[index] = nil
            }
            if pools[index].moving?.isSingle == true { unswept.insert(index) }
            formerHomes[index] = homes[index]
            homes[index] = nil
            archiving[index].map { cancelPass(of: $0.job) }
        }
        topology = next
        prepareNodes(ofPools: changed, after: formerHomes)
        for worker in workers { worker.send(.adopt(topology)) }
        return true
    }

    private func prepareNodes(ofPools changed: [Int], after homes: [Int: HomeKeeper]) {
        for number in addresses.count..<max(addresses.count, topology.nodes.count) {
            addresses.append(nil)
            resolvableAt.append(0)
            owesProof.append(0)
            precondition(addresses.count == number + 1)
        }
        for index in changed {
            let pool = topology.pools[index]
            for (place, number) in pool.nodes.enumerated() {
                (resolvableAt[number], owesProof[number]) = (0, 0)
                addresses[number] = SocketAddress(endpoint: topology.nodes[number].settings.address)
                let server = pool.server(of: number)
                if server != number {
                    (addresses[number], resolvableAt[number]) = (addresses[server], resolvableAt[server])
                } else if let origin = pool.origins[place] {
                    (addresses[number], owesProof[number]) = (addresses[origin], owesProof[origin])
                }
                for worker in workers { worker.send(.address(node: number, addresses[number])) }
            }
            if pool.settings.keepsMarkers {
                keepers[index] = PoolKeeper(self, pool: index, after: retired.last { $0.pool == index })
            }
            if !pool.settings.keepsMarkers, pool.settings.hasHomes {
                movers[index] = MoveKeeper(self, pool: index, after: retiredMovers.last { $0.pool == index })
            }
            if pool.settings.bringsHome {
                let home = HomeKeeper(self, pool: index, after: homes[index])
                home.begin(after: homes[index], origins: pool.origins, awaitsSweep: unswept.contains(index))
                self.homes[index] = home
            } else {
                homes[index]?.retire()
            }
            answering[index] = .whole
            reach[index] = .whole
        }
        resolveNames()
    }

    /// It ends what it was doing, and still serves those who work by the settings before.
    private func retire(_ keeper: PoolKeeper?) {
        guard let keeper else { return }
        keeper.retire()
        retired.append(keeper)
    }

    /// In each turn of the loop.
    func proceedChange() {
        retired.removeAll { keeper in
            guard change == nil, keeper.isAtRest else { return false }
            return true
        }
        if change == nil { retiredMovers = [] }
        guard let change else {
            beginPostponed()
            if isReloadWanted, isStarted, !isDraining {
                isReloadWanted = false
                _ = reload()
            }
            return
        }
        if !change.isAnnounced, loop.now >= change.deadline || isPrepared {
            change.isAnnounced = true
            for keeper in keepers where keeper?.isInformed == false { keeper?.giveUpUnknown() }
            publish()
            change.awaited = Set(workers.indices).subtracting(stopped)
            for worker in workers { worker.send(.move) }
        }
        guard change.isAnnounced, change.awaited.subtracting(stopped).isEmpty else { return }
        self.change = nil
        revokeLeavers()
        for index in topology.pools.indices where change.pools.contains(topology.pools[index].settings.name) {
            measureReach(of: index)
        }
        change.done()
    }

    private var isPrepared: Bool {
        topology.numbers.allSatisfy { addresses[$0] != nil } && keepers.allSatisfy { $0?.isInformed != false }
    }

    /// When `proceedChange` has something to do although nothing is ready.
    var changeTime: UInt64 {
        if let change, !change.isAnnounced { return change.deadline }
        return change == nil && isReloadWanted && isStarted && !isDraining ? loop.now : .max
    }

    // MARK: Numbers

    /// The number that a node has now, by one that it has or had; nil where it is in no pool any more.
    func current(_ number: Int) -> Int? {
        guard number < topology.nodes.count else { return nil }
        let isCurrent = topology.pools[topology.nodes[number].pool].nodes.contains(number)
        return isCurrent ? number : aliases[number]
    }

    /// The keeper that knows the node by this number.
    func keeper(of number: Int) -> PoolKeeper? {
        guard number < topology.nodes.count, !keepers.isEmpty else { return nil }
        let pool = topology.nodes[number].pool
        if let keeper = keepers[pool], keeper.numbers.contains(number) { return keeper }
        return retired.last { $0.pool == pool && $0.numbers.contains(number) }
    }

    /// Whose word on the pool's nodes counts: that of the keeper before until the new one knows as much.
    func keeperInCharge(ofPool pool: Int) -> PoolKeeper? {
        guard let keeper = keepers[pool] else { return nil }
        guard change != nil, !keeper.isInformed else { return keeper }
        return retired.last { $0.pool == pool } ?? keeper
    }
}
