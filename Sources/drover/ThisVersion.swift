internal import ProxyCore

/// What a config may say and this version does not serve yet. Only `serve(settings:)` asks.
enum ThisVersion {
    static func reasonAgainst(_ settings: Settings) -> String? {
        for pool in settings.pools where pool.hasCopies {
            let key = pool.replicas > 1 ? "replicas: \(pool.replicas)" : "standby"
            return "\(key) of pool \(pool.name) is not supported by this version; leave it out"
        }
        return nil
    }
}
