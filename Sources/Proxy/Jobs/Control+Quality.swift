internal import ProxyCore
internal import Reactor
internal import Telemetry

/// What a pool is like before a transfer and after it.
extension Control {
    func quality(for job: Job) -> PoolQuality {
        let pool = topology.pools[job.pool]
        // The workers' figures are those that they told last.
        var checks = keepers[job.pool]?.scrub?.consistency ?? ConsistencyStats()
        for worker in snapshots where job.pool < worker.pools.count {
            checks.merge(worker.pools[job.pool].consistency)
        }
        // That the node may be read is written on it; this proxy finds it there at its next poll.
        let node = job.isDone && job.readiesNode ? job.place.map { pool.firstNode + $0 } : nil
        let isFull = { (number: Int) in number == node || self.topology.nodes[number].verdict.access == .full }
        let reach = PoolReach(of: pool, isUp: isFull, isFull: isFull)
        return PoolQuality(
            consistency: checks.ratio, availability: reach.available, backup: lastBackups[job.pool], now: loop.now)
    }
}
