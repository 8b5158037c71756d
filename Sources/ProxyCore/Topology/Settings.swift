public import Distribution
public import MemcacheProtocol

/// Everything the proxy may be told, already valid. `ProxyConfig` makes it from a file.
public struct Settings: Sendable, Equatable {
    /// Event loops; nil is one per core.
    public var workers: Int?
    /// Where the admin HTTP listens; nil is nowhere.
    public var admin: Endpoint?
    public var pools: [PoolSettings]

    public init(workers: Int? = nil, admin: Endpoint? = nil, pools: [PoolSettings] = []) {
        self.workers = workers
        self.admin = admin
        self.pools = pools
    }
}

/// An address to listen on or to connect to.
public enum Endpoint: Sendable, Hashable, CustomStringConvertible {
    /// The host is an IPv4 or IPv6 literal without brackets, or a name to resolve.
    case tcp(host: String, port: UInt16)
    case unix(path: String)

    public var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

public struct NodeSettings: Sendable, Equatable {
    public var address: Endpoint
    public var weight: Int
    /// Stands for the address in the ring and in every output.
    public var name: String?
    public var zone: String?

    public init(address: Endpoint, weight: Int = 1, name: String? = nil, zone: String? = nil) {
        self.address = address
        self.weight = weight
        self.name = name
        self.zone = zone
    }

    /// What operators see.
    public var label: String { name ?? address.description }

    /// What stands for the node in a ring: its name, else what libmemcached and twemproxy hash of its address.
    public var ringName: String {
        if let name { return name }
        switch address {
        case .tcp(let host, let port): return Member.key(host: host, port: port)
        case .unix(let path): return Member.key(path: path)
        }
    }
}

/// One listener set, one list of nodes, one set of policies. Times are nanoseconds.
public struct PoolSettings: Sendable, Equatable {
    /// What becomes of a down node's keys, where a key has one copy.
    public enum WhenDown: String, Sendable, CaseIterable { case rehash, miss, error }

    public var name: String
    public var listen: [Endpoint]
    public var nodes: [NodeSettings]
    public var distribution = DistributionKind.ketama
    public var hash = KeyHash.fnv1a64
    /// The two bytes that enclose the part of a key that is hashed.
    public var hashTag: HashTag?
    /// Copies of each key on `nodes`.
    public var replicas = 1
    /// The second farm, which holds one more copy of every key; empty is none.
    public var standby: [NodeSettings] = []
    public var acks = Acks.all
    /// With fewer live copies than this a write is refused; 1 to `copies`.
    public var minLive = 1
    public var read = Read.primary
    /// The zone that this proxy is in, for `read: nearest`.
    public var ownZone: String?
    /// With `read: fastest`, how many of 10,000 reads may be sent to a second copy, 1 to 10,000.
    public var hedge = defaultHedge
    public var onMiss = OnMiss.miss
    /// Keys a second whose copies each worker compares, 1 to 1,000; 0 is none.
    public var checks = defaultChecks
    public var whenDown = WhenDown.rehash
    public var proxies = Proxies.one
    public var timeout: UInt64 = 200_000_000
    public var connectTimeout: UInt64 = 500_000_000
    public var failAfter = 3
    public var probeInterval: UInt64 = 500_000_000
    public var probeMax: UInt64 = 10_000_000_000
    public var poll: UInt64 = 1_000_000_000
    public var sync = SyncSettings()
    public var limits = PoolLimits()
    /// Its keys are on their way to other nodes; no file says so.
    public internal(set) var moving: MovingKeys?
    /// As with `on_miss: next`: while keys move, and until it is sure that all have.
    var asksNext = false

    public init(name: String, listen: [Endpoint], nodes: [NodeSettings]) {
        self.name = name
        self.listen = listen
        self.nodes = nodes
    }
}

/// Limits of transfers.
public struct SyncSettings: Sendable, Equatable {
    public enum Verify: String, Sendable, CaseIterable { case full, sample, none }
    public enum Order: String, Sendable, CaseIterable { case hottest, any }

    /// Items a second from one source.
    public var rate = 20_000
    /// Bytes a second from one source.
    public var bandwidth = 20 << 20
    /// Items under way at once.
    public var depth = 100
    public var verify = Verify.full
    public var order = Order.hottest
    /// Items a second from one source that are compared all the time; 0 is none.
    public var scrub = 200
    /// Nanoseconds that a round takes at least, in which each node is compared with the others once.
    public var scrubEvery: UInt64 = 600_000_000_000

    public init() {}
}

/// What a pool's clients may use.
public struct PoolLimits: Sendable, Equatable {
    /// Connections at once.
    public var clients = 10_000
    /// Requests of one client that wait for their replies.
    public var pipeline = 1024
    /// Bytes of buffer that the pool adds to what all pools share.
    public var memory = 256 << 20
    public var protocolLimits = ProtocolLimits()

    public init() {}
}
