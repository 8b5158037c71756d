internal import ProxyCore

/// What a config may say and this version does not serve yet. Only `serve(settings:)` asks.
enum ThisVersion {
    static func reasonAgainst(_ settings: Settings) -> String? {
        for pool in settings.pools where pool.read == .fastest {
            return "read: fastest of pool \(pool.name) is not supported by this version; use primary, spread or nearest"
        }
        return nil
    }
}
