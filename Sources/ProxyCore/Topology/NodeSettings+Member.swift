internal import Distribution

extension NodeSettings {
    /// The node on the ring.
    var member: Member { Member(key: ringKey, weight: weight, zone: zone) }

    /// What stands for it there; the same as in twemproxy and libmemcached.
    private var ringKey: String {
        if let name { return name }
        return switch address {
        case .tcp(let host, let port): Member.key(host: host, port: port)
        case .unix(let path): Member.key(path: path)
        }
    }
}
