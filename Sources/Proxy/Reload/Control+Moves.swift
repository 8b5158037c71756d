internal import Logging
internal import ProxyCore
internal import Reactor

/// A move that waits until the keys of the pool, which have one copy, are where they belong.
struct PostponedMove {
    let job: Job
    let wanted: PoolSettings
}

/// Keys that go to other nodes.
extension Control {
    func run(ofPool name: String) -> MoveRun? { moves.values.first { settings.pools[$0.index].name == name } }

    /// Before anybody is served: keys may be on their way still to where the config puts them, or from there.
    func resumeMoves() {
        goOnWithMoves()
        holdMovesBack()
    }

    /// Others move keys to places of which this config knows nothing. Before the first write passes them by, who was about
    /// to read keys there has heard the objection, or has said that he does.
    private func holdMovesBack() {
        let opposed = keepers.compactMap(\.self).filter {
            let (markers, places) = ($0.markers, $0.settings.placesToken)
            return markers.isMoving(besides: places) || markers.hasMoved(besides: places)
        }
        let held = opposed.filter { $0.markers.isMoving(besides: $0.settings.placesToken) }
        for keeper in held {
            logger.notice(
                "other proxies move keys by another config: they are told to wait before anybody is served",
                metadata: ["pool": "\(keeper.settings.name)"])
        }
        // Who has found no objection just before goes over when his workers are connected everywhere.
        let patience = held.map { $0.quietTime + $0.settings.connectTimeout + 1_000_000_000 }.max() ?? 0
        wait(until: loop.now + patience)
        publish()
        for keeper in opposed where keeper.markers.hasMoved(besides: keeper.settings.placesToken) {
            logger.error(
                "other proxies read keys elsewhere already: what is written here they do not see; start with their config",
                metadata: ["pool": "\(keeper.settings.name)"])
        }
    }

    private func goOnWithMoves() {
        // Once more where reads have moved just now.
        for _ in 0..<2 {
            let pools = settings.pools.indices.map { keepers[$0]?.resumed ?? settings.pools[$0] }
            guard pools != settings.pools, begin(pools, {}) else { return }
            while change != nil, !isDraining { turn(until: changeTime) }
            // That this proxy reads them where they were has to be known before it is seen that nobody reads them elsewhere.
            let (time, deadline) = (loop.now, loop.now + 2 * (pools.map { $0.poll + $0.timeout }.max() ?? 0))
            wait(until: deadline) { keepers.contains { $0?.hasReadTwice(since: time) == false } }
            publish()
        }
    }

    func moveKeysOfAll() { for pool in settings.pools { moveKeys(ofPool: pool.name) } }

    /// After the pool's settings have changed: all workers write to both places, where its keys have to go elsewhere.
    func moveKeys(ofPool name: String) {
        guard let index = settings.pools.firstIndex(where: { $0.name == name }) else { return }
        guard settings.pools[index].moving != nil else { return dropStrays(ofPool: index) }
        let job = newJob("move", pool: index, place: nil)
        show(job)
        moveKeys(of: job)
    }

    func moveKeys(of job: Job) {
        let pool = settings.pools[job.pool]
        guard pool.moving != nil else {
            return job.end("moved at once: what has moved is a miss once", isDone: true, now: loop.now)
        }
        logger.notice("keys begin to move", metadata: ["pool": "\(pool.name)", "job": "\(job.id)"])
        moves[job.pool] = MoveRun(job.pool, job, pool, self)
        // It is said at once where they are read.
        keepers[job.pool]?.doubtAll()
    }

    /// Who has left the pool misses what is written from now on: it must not be taken for full when it comes back.
    func revokeLeavers() {
        for keeper in retired {
            guard let now = keepers[keeper.pool] else { continue }
            for (place, name) in keeper.names.enumerated() where !now.names.contains(name) {
                keeper.revoke(place, sent: 0) { _ in }
            }
        }
    }

    func tellUnmoved(_ pool: String, _ reason: String) {
        logger.warning(
            "keys go to other nodes at once: what has moved is a miss once",
            metadata: ["pool": "\(pool)", "reason": "\(reason)"])
    }
}

/// Where keys have one copy.
extension Control {
    enum MoveReadiness {
        case now
        /// The nodes that are down are to leave: what they have cannot be copied, and is missed whatever is done.
        case atOnce
        case later(String)
    }

    /// Whether the keys of a pool, which are where they belong, can begin to move.
    func readiness(ofPool index: Int, toMoveTo wanted: PoolSettings) -> MoveReadiness {
        let pool = topology.pools[index]
        let stay = wanted.allNodes.map { ($0.ringName, $0.address) }
        var (staying, leaving) = ([String](), false)
        for number in pool.servers where !isUp(number) {
            let node = topology.nodes[number].settings
            if stay.contains(where: { $0 == (node.ringName, node.address) }) {
                staying.append(node.label)
            } else {
                leaving = true
            }
        }
        if !staying.isEmpty { return .later("waiting until \(staying.joined(separator: ", ")) is up") }
        if moves[index] != nil { return .later("waiting until what was brought elsewhere is dropped") }
        if homes[index]?.plan.isSettled == false { return .later("waiting until all keys are home") }
        return leaving ? .atOnce : .now
    }

    /// Goes over to the settings, if that is what its keys need, when they can move.
    ///
    /// - Parameter pools: of the change that is about to begin; those that have to wait are put back.
    /// - Returns: what those wait for, by their names.
    func postponeMoves(in pools: inout [PoolSettings]) -> [String: String] {
        var waiting: [String: String] = [:]
        for index in pools.indices where pools[index].moving?.isSingle == true && settings.pools[index].moving == nil {
            let wanted = pools[index].settled
            switch readiness(ofPool: index, toMoveTo: wanted) {
            case .now: break
            case .atOnce:
                pools[index] = wanted
                tellUnmoved(wanted.name, "a node that leaves is down")
            case .later(let reason):
                pools[index] = settings.pools[index]
                let job = newJob("move", pool: index, place: nil)
                show(job)
                logger.notice("keys are to move later", metadata: ["pool": "\(wanted.name)", "reason": "\(reason)"])
                postpone(job, ofPool: index, to: wanted)
                waiting[wanted.name] = reason
            }
        }
        return waiting
    }

    func postpone(_ job: Job, ofPool index: Int, to wanted: PoolSettings) {
        postponed[index] = PostponedMove(job: job, wanted: wanted)
        job.rest("waiting")
        job.objection = { nil }
        job.cancelled = { [unowned self] in dropPostponed(index, "cancelled") }
    }

    /// Another config has come.
    func dropPostponed(_ index: Int, _ outcome: String) {
        postponed.removeValue(forKey: index)?.job.end(outcome, isDone: false, now: loop.now)
    }

    /// In each turn of the loop.
    func beginPostponed() {
        guard !postponed.isEmpty, change == nil, isStarted, !isDraining else { return }
        for (index, move) in postponed where !move.job.isPaused {
            var pools = settings.pools
            switch readiness(ofPool: index, toMoveTo: move.wanted) {
            case .later(let reason):
                move.job.phase = reason
                continue
            case .atOnce:
                pools[index] = move.wanted
                tellUnmoved(move.wanted.name, "a node that leaves is down")
            case .now:
                guard case .success(let next) = settings.pools[index].next(towards: move.wanted) else {
                    pools[index] = move.wanted
                    break
                }
                pools[index] = next
            }
            postponed[index] = nil
            move.job.objection = { Self.changeReason }
            move.job.phase = "telling the workers"
            guard begin(pools, { [unowned self] in moveKeys(of: move.job) }) else {
                move.job.end("too many nodes", isDone: false, now: loop.now)
                return
            }
            return
        }
    }

    /// The pool's keys are where they belong, and its nodes may have what was brought to them: it is dropped.
    func dropStrays(ofPool index: Int) {
        guard unswept.contains(index), settings.pools[index].moving == nil, moves[index] == nil else { return }
        let job = newJob("move", pool: index, place: nil)
        show(job)
        moves[index] = MoveRun(dropping: index, job, settings.pools[index], self) { [unowned self] in
            job.end("dropped what was brought elsewhere", isDone: true, now: loop.now)
        }
    }

    func swept(pool index: Int) {
        unswept.remove(index)
        homes[index]?.swept()
    }

    enum TurnObjection {
        case hasMoved(String)
        /// The others are asked, and then the config is read again.
        case isAsked
    }

    /// Settings that take a move back which others may be about to finish.
    func objection(to pools: [PoolSettings]) -> TurnObjection? {
        for index in pools.indices {
            let (name, places) = (settings.pools[index].name, settings.pools[index].placesToken)
            guard let moving = settings.pools[index].moving, !moving.hasMoved, pools[index].placesToken != places,
                let ground = moveGround(ofPool: index), !ground.talk.isObjecting
            else { continue }
            if ground.situation(of: settings.pools[index]).hasMoved {
                // From there they can be moved back.
                if moving.isSingle { return .hasMoved(name) } else { continue }
            }
            ground.talk.object { [unowned self] isKept in
                if isKept { return _ = reload() }
                logger.error(
                    "config not taken over; the proxy goes on as before",
                    metadata: ["pool": "\(name)", "reason": "another proxy has moved reads, or is about to"])
            }
            return .isAsked
        }
        return nil
    }
}
