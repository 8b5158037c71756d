internal import Logging
internal import ProxyCore
internal import Reactor
internal import Telemetry

/// What workers want operators to hear of a pool: one line of the log for all of them, and not too often.
extension Control {
    func tell(_ notice: PoolNotice) {
        let kind = Int(notice.pool) << 8 | Int(notice.kind.rawValue)
        guard let count = noticeRate.admit(kind: kind, notice.count, now: loop.now) else { return }
        let name = topology.pools[Int(notice.pool)].settings.name
        switch notice.kind {
        case .repairsDropped:
            logger.warning(
                "the repair queue is full: keys may differ between their copies until they are written again",
                metadata: ["pool": "\(name)", "keys": "\(count)"])
        case .repairsAbandoned:
            logger.warning(
                "repairs failed too often: keys may differ between their copies until they are written again",
                metadata: ["pool": "\(name)", "keys": "\(count)"])
        }
    }
}
