/// One of those over whom keys are spread.
public struct Member: Sendable, Equatable {
    /// What stands for it in the ring: `key(host:port:)` or `key(path:)`, or the name that the operator gave it.
    public var key: String
    /// Its share, 1 to 100,000, against the sum of all.
    public var weight: Int
    /// Where it stands. Copies of a key go to different zones while there are any left; nil is a zone of its own.
    public var zone: String?

    public init(key: String, weight: Int = 1, zone: String? = nil) {
        self.key = key
        self.weight = weight
        self.zone = zone
    }

    /// What stands for a server on TCP that has no name. twemproxy and libmemcached agree on it: memcached's own port
    /// is left out. An IPv6 host has no brackets.
    public static func key(host: String, port: UInt16) -> String {
        port == 11211 ? host : "\(host):\(port)"
    }

    /// What stands for a server on a Unix socket that has no name, by twemproxy's rule, which keeps the colon before an
    /// absent port. (libmemcached writes a port of 0.)
    public static func key(path: String) -> String {
        "\(path):"
    }
}
