internal import Logging
internal import ProxyCore
internal import Reactor
internal import Telemetry

/// What operators want to hear of a pool, beside its nodes.
extension Control {
    /// After a verdict, where keys have copies: for the metrics what can be read and counted on, which is less than what
    /// answers; for the log which keys cannot be read or written now, and when all can again.
    func measureReach(of index: Int) {
        let pool = topology.pools[index]
        guard pool.settings.hasCopies else { return }
        let isFull = { (node: Int) in self.topology.nodes[node].verdict.access == .full }
        let whole = PoolReach(of: pool, isUp: isFull, isFull: isFull)
        let up = PoolReach(of: pool, isUp: { topology.nodes[$0].isUp }, isFull: isFull)
        reach[index] = PoolReach(available: whole.available, readable: whole.readable, writable: up.writable)
        // Before that nobody is served.
        guard isStarted else { return }
        tellReach(up, of: index)
        tellProof(of: index, unproven: up.readable - whole.readable)
    }

    private func tellReach(_ after: PoolReach, of index: Int) {
        let pool = topology.pools[index]
        let before = answering[index]
        answering[index] = after
        func keys(_ share: Double) -> Logger.Metadata {
            ["pool": "\(pool.settings.name)", "keys": "\(Self.percent(1 - share))"]
        }
        if after.readable < min(before.readable, 1) {
            logger.error("no live copy is left of some keys", metadata: keys(after.readable))
        } else if after.readable == 1, before.readable < 1 {
            logger.notice("every key has a live copy again", metadata: ["pool": "\(pool.settings.name)"])
        }
        // Without a live copy nothing can be written anyway.
        if after.writable < min(before.writable, after.readable) {
            logger.error(
                "writes of some keys are refused: fewer live copies than min_live", metadata: keys(after.writable))
        } else if after.writable == 1, before.writable < 1, pool.settings.minLive > 1 {
            logger.notice("every key has min_live live copies again", metadata: ["pool": "\(pool.settings.name)"])
        }
    }

    /// Which keys are read from copies that nothing vouches for, if more are than before.
    private func tellProof(of index: Int, unproven: Double) {
        guard let keeper = keepers[index], keeper.isAcquainted else { return }
        let name = topology.pools[index].settings.name
        if unproven > unprovenTold[index] {
            logger.error(
                "no copy of some keys is known to be whole: they are read from any that answers, and may be old",
                metadata: ["pool": "\(name)", "keys": "\(Self.percent(unproven))"])
        } else if unproven == 0, unprovenTold[index] > 0 {
            logger.notice("every key has a whole copy again", metadata: ["pool": "\(name)"])
        }
        unprovenTold[index] = unproven
    }

    /// "12.5%"; anything above nothing is 0.1% at least.
    private static func percent(_ share: Double) -> String {
        let tenths = share > 0 ? max(1, Int((share * 1000).rounded())) : 0
        return "\(tenths / 10).\(tenths % 10)%"
    }

    /// One line of the log for all workers, and not too often.
    func tell(_ notice: PoolNotice) {
        if notice.kind == .flushed {
            for keeper in [keepers[Int(notice.pool)]] + retired where keeper?.pool == Int(notice.pool) {
                keeper?.flushed()
            }
            return
        }
        let kind = Int(notice.pool) << 8 | Int(notice.kind.rawValue)
        guard let count = noticeRate.admit(kind: kind, notice.count, now: loop.now) else { return }
        let name = topology.pools[Int(notice.pool)].settings.name
        switch notice.kind {
        case .repairsDropped:
            logger.warning(
                "the repair queue is full: keys may differ between their copies until they are written again",
                metadata: ["pool": "\(name)", "keys": "\(count)"])
        case .flushed: break
        case .repairsAbandoned:
            logger.warning(
                "repairs were given up: keys may differ between their copies until they are written again",
                metadata: ["pool": "\(name)", "keys": "\(count)"])
        }
    }
}
