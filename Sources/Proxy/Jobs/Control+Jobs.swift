internal import Glibc
internal import Logging
internal import ProxyCore
internal import Reactor
internal import Telemetry

/// Jobs: begun by what happens to nodes, or by an operator.
extension Control {
    /// Those that have ended and are still shown.
    private static var historyLimit: Int { 32 }

    func newJob(_ kind: String, pool: Int, place: Int?) -> Job {
        lastJob += 1
        let node = place.map { topology.pools[pool].settings.allNodes[$0].label }
        return Job(
            id: lastJob, kind: kind, pool: pool, place: place, node: node, now: loop.now, unixTime: UInt64(time(nil)),
            measure: { [unowned self] in quality(for: $0) })
    }

    /// From now on operators see it. (Of several proxies all but one find at once that another does the work.)
    func show(_ job: Job) {
        guard !jobs.contains(where: { $0 === job }) else { return }
        jobs.append(job)
        job.shown()
        let over = jobs.indices.filter { jobs[$0].isOver }
        if over.count > Self.historyLimit { jobs.remove(at: over[0]) }
    }

    var jobViews: [JobView] {
        jobs.map { $0.view(pool: topology.pools[$0.pool].settings.name, now: loop.now) }
    }

    // MARK: What operators ask for

    public func obey(_ command: JobCommand) -> JobAnswer {
        switch command {
        case .sync(let pool, let node): with(pool) { sync($0, node) }
        case .drain(let pool, let node): drain(pool, node)
        case .verify(let pool, let repair, let sample): with(pool) { verify($0, repair: repair, sample: sample) }
        case .backup(let pool, let path): with(pool: pool) { archive(.backup, $0, path) }
        case .restore(let pool, let path, let overwrite):
            with(pool: pool) { archive(.restore(overwrites: overwrite), $0, path) }
        case .pause(let job): with(job) { setPaused(true, $0) }
        case .resume(let job): with(job) { setPaused(false, $0) }
        case .cancel(let job): cancel(job)
        case .reload: reload()
        }
    }

    private func with(_ name: String, _ body: (PoolKeeper) -> JobAnswer) -> JobAnswer {
        with(pool: name) { index in
            keepers[index].map(body)
                ?? .refused("pool \(name) keeps one copy of each key: there is nothing to compare it with")
        }
    }

    /// A pool in which a job can be begun, whatever its nodes are.
    private func with(pool name: String, _ body: (Int) -> JobAnswer) -> JobAnswer {
        let names = topology.pools.map(\.settings.name)
        guard let index = names.firstIndex(of: name) else {
            return .unknown("no pool \"\(name)\"; there are \(names.joined(separator: ", "))")
        }
        if isDraining { return .refused("the proxy is stopping") }
        if let reason = busy(index) { return .refused(reason) }
        return body(index)
    }

    static var changeReason: String { "the config is being taken over; try again in a moment" }

    /// Why no job can be begun in the pool, whatever its nodes are.
    private func busy(_ pool: Int) -> String? {
        if change != nil { return Self.changeReason }
        return (moves[pool]?.job ?? postponed[pool]?.job).map {
            "job \($0.id) moves the keys of the pool; wait for it or cancel it"
        }
    }

    private func with(_ id: Int, _ body: (Job) -> Void) -> JobAnswer {
        guard let job = jobs.first(where: { $0.id == id }) else { return .unknown("no job \(id)") }
        guard !job.isOver else { return .refused("job \(id) is over") }
        body(job)
        return .job(id)
    }

    private func cancel(_ id: Int) -> JobAnswer {
        if let job = jobs.first(where: { $0.id == id && !$0.isOver }), let reason = job.objection() {
            return .refused(reason)
        }
        return with(id) { $0.cancel() }
    }

    private func unknown(_ node: String, _ pool: PoolSettings) -> JobAnswer {
        let labels = pool.servers.map(\.label).joined(separator: ", ")
        return .unknown("no node \"\(node)\" in pool \(pool.name); there are \(labels)")
    }

    /// To the config without that node, as if it had been read; the file says otherwise until it is changed, too.
    private func drain(_ pool: String, _ name: String) -> JobAnswer {
        with(pool: pool) { index in drain(index, settings.pools[index], name) }
    }

    private func drain(_ index: Int, _ pool: PoolSettings, _ name: String) -> JobAnswer {
        guard let place = pool.servers.firstIndex(where: { $0.label == name }) else { return unknown(name, pool) }
        guard pool.hasHomes else {
            return .refused("with distribution: \(pool.distribution) keys have no node of their own")
        }
        let wanted = pool.without(name)
        var next = settings
        if case .success(let without) = wanted { next.pools[index] = without }
        switch wanted.flatMap({ pool.next(towards: $0) }) {
        case .failure(let refusal): return .refused(refusal.reason)
        case .success(let moving):
            if let reason = SettingsChange(from: settings, to: next).unmoved[pool.name] {
                return .refused("the keys cannot be moved: \(reason)")
            }
            let job = newJob("drain", pool: index, place: place)
            job.phase = "telling the workers"
            job.objection = { Self.changeReason }
            show(job)
            var pools = settings.pools
            if moving.moving?.isSingle == true {
                postpone(job, ofPool: index, to: moving.settled)
                return .job(job.id)
            }
            pools[index] = moving
            guard begin(pools, { [unowned self] in moveKeys(of: job) }) else {
                job.end("too many nodes", isDone: false, now: loop.now)
                return .refused("too many nodes")
            }
            return .job(job.id)
        }
    }

    private func sync(_ keeper: PoolKeeper, _ name: String) -> JobAnswer {
        guard let place = keeper.settings.servers.firstIndex(where: { $0.label == name }) else {
            return unknown(name, keeper.settings)
        }
        guard isUp(keeper.first + place) else { return .refused("\(name) is down; it is filled once it answers") }
        return keeper.sync(place).map { .job($0.id) }
            ?? .refused("another node of the pool is being filled; try again later")
    }

    private func archive(_ kind: ArchiveOrder.Kind, _ index: Int, _ path: String) -> JobAnswer {
        let name = topology.pools[index].settings.name
        guard path.utf8.first == 0x2f, !path.utf8.contains(0) else { return .refused("\(path) is no absolute path") }
        if let run = archiving[index] { return .refused("job \(run.job.id) is under way in pool \(name)") }
        let pool = topology.pools[index]
        let isUp = topology.nodes[pool.nodes].map { $0.verdict.access == .full }
        // Without copies nothing stands in for a node that is down.
        if keepers[index] == nil, let down = isUp.firstIndex(of: false) {
            return .refused("\(pool.settings.allNodes[down].label) is down")
        }
        let full = keepers[index]?.fullNodes ?? isUp
        // A copy that is left out might be read later, and be another.
        if kind != .backup, let place = full.firstIndex(of: false) {
            return .refused("\(pool.settings.allNodes[place].label) is not up; a restore needs all nodes")
        }
        guard full.contains(true) else { return .refused("no node of pool \(name) can be read") }
        let job = newJob(kind == .backup ? "backup" : "restore", pool: index, place: nil)
        show(job)
        let run = ArchiveRun(job, kind, path: path, full: full, self)
        archiving[index] = run
        run.begin()
        return .job(job.id)
    }

    private func verify(_ keeper: PoolKeeper, repair: Bool, sample: Int) -> JobAnswer {
        if let job = jobs.first(where: { !$0.isOver && $0.pool == keeper.pool && $0 !== keeper.scrub?.job }) {
            return .refused("job \(job.id) is under way in pool \(keeper.settings.name); wait for it or cancel it")
        }
        let job = newJob("verify", pool: keeper.pool, place: nil)
        show(job)
        let run = VerifyRun(job, keeper, repairs: repair, sample: sample)
        keeper.verifying = run
        run.begin()
        return .job(job.id)
    }
}
