internal import ProxyCore

/// What the config language has and this version does not do yet. Nothing else knows of it.
enum ThisVersion {
    static func refuse(_ pool: PoolSettings, _ places: PoolPlaces, into log: inout FindingLog) {
        if pool.replicas > 1 {
            log.error(
                places["replicas"],
                "replicas: \(pool.replicas) is not supported by this version; leave it out or write 1")
        }
        if !pool.standby.isEmpty {
            log.error(places["standby"], "standby: is not supported by this version; leave it out or write []")
        }
    }
}
