internal import ProxyCore
internal import Reactor
internal import Telemetry

/// The transfer thread and what it tells.
extension Control {
    /// Begins a pass over items for a job.
    ///
    /// - Parameter ended: told the end, on the control thread.
    func start(
        _ pass: FillingPlan.Pass, of job: Job, target: Int, isFull: (Int) -> Bool,
        change: (inout PassOrder) -> Void = { _ in }, _ ended: @escaping (PassEnd) -> Void
    ) {
        let pool = topology.pools[job.pool]
        lastPass += 1
        var order = PassOrder(
            id: lastPass, pass: pass, pool: pool, target: target,
            nodes: pool.nodes.enumerated().map {
                PassOrder.Node(address: addresses[$0.element], isFull: isFull($0.offset))
            })
        change(&order)
        job.passBegan(lastPass, pass, on: target, now: loop.now)
        passes[lastPass] = (job, ended)
        transferThread().start(order)
        if job.isPaused { transferThread().pause(lastPass) }
        watchForeground()
    }

    func nextPass() -> UInt64 {
        lastPass += 1
        return lastPass
    }

    /// Begins a backup or a restore.
    func start(_ order: ArchiveOrder, of job: Job, _ ended: @escaping (PassEnd) -> Void) {
        job.passBegan(order.id, .copy(number: 1), on: 0, now: loop.now)
        passes[order.id] = (job, ended)
        transferThread().start(order)
        watchForeground()
    }

    private func transferThread() -> TransferThread {
        if let transfers { return transfers }
        let mailbox = mailbox
        let made = TransferThread { mailbox.send(.transfer($0)) }
        transfers = made
        return made
    }

    func hear(_ message: FromTransfer) {
        switch message {
        case .progress(let progress): passes[progress.id]?.job.take(progress, now: loop.now)
        case .ended(let end):
            guard let (job, ended) = passes.removeValue(forKey: end.id) else { return }
            job.passEnded(end, now: loop.now)
            ended(end)
        }
    }

    func cancelPass(of job: Job) { if let pass = job.pass { transfers?.cancel(pass) } }

    func setPaused(_ isPaused: Bool, _ job: Job) {
        job.setPaused(isPaused)
        guard let pass = job.pass else { return }
        if isPaused { transfers?.pause(pass) } else { transfers?.resume(pass) }
    }

    // MARK: Clients first

    /// The pause between two looks at the clients, in nanoseconds: while passes run, and to learn what is usual.
    private static var lookPause: UInt64 { 500_000_000 }
    private static var learnPause: UInt64 { 5_000_000_000 }
    /// Requests, or nanoseconds, of which a 99th percentile says something; and requests of which it says nothing.
    private static var tellingCount: UInt64 { 5000 }
    private static var tellingTime: UInt64 { 2_000_000_000 }
    private static var silentCount: UInt64 { 200 }

    private var load: ForegroundWatch.Load {
        let transfers = passes.values.filter { $0.job.kind != "scrub" && !$0.job.isPaused }
        guard !transfers.isEmpty else { return .usual }
        return transfers.allSatisfy(\.job.isSlowest) ? .slowestTransfer : .transfer
    }

    /// Looks at once how clients fare, before a pass weighs on them.
    private func watchForeground() { nextLook = min(nextLook, loop.now) }

    /// While passes run: whether clients suffer more than they did before, some times a second. The workers' figures
    /// come by mail; these are of the time before.
    func lookAtForeground() {
        guard loop.now >= nextLook else { return }
        nextLook = loop.now + (passes.isEmpty ? Self.learnPause : Self.lookPause)
        let totals = WorkerSnapshot.merged(snapshots)
        var (latency, timeouts) = (LatencyHistogram(), UInt64(0))
        for stats in totals.pools {
            latency.merge(stats.latency)
            timeouts &+= stats.errors[.timeout]
        }
        let recent = latency.since(seenLatency)
        let isTelling = recent.count >= Self.tellingCount || loop.now - seenAt >= Self.tellingTime
        if isTelling { (seenLatency, seenAt) = (latency, loop.now) }
        let p99 = isTelling && recent.count >= Self.silentCount ? recent.quantile(0.99) : nil
        let isStrained = foreground.look(p99: p99, timeouts: timeouts, under: load, now: loop.now)
        if !passes.isEmpty, isTelling || isStrained { transfers?.look(isStrained: isStrained) }
        for worker in workers { worker.send(.snapshot) }
    }
}
