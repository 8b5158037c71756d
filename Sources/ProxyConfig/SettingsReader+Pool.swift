internal import Distribution
internal import MemcacheProtocol
internal import ProxyCore

extension SettingsReader {
    static let poolKeys = [
        "listen", "nodes", "distribution", "hash", "hash_tag", "replicas", "standby", "acks", "min_live", "read",
        "hedge", "on_miss", "checks", "when_down", "proxies", "timeout", "connect_timeout", "fail_after", "probe",
        "poll", "sync", "limits",
    ]

    /// One pool with everything that can be checked within it.
    mutating func pool(_ entry: YamlEntry) -> PoolSettings? {
        let place = "pool \"\(entry.key)\""
        if let reason = Self.reasonAgainst(poolName: entry.key) { log.error(entry.position, reason) }
        guard let map = fields(entry.value, of: place, known: Self.poolKeys) else { return nil }
        var pool = PoolSettings(name: entry.key, listen: [], nodes: [])
        var places = PoolPlaces(pool: entry.position, keys: map.mapValues(\.position))
        pool.listen = listen(map["listen"], written: isWritten("listen", in: entry), of: entry)
        if let node = map["nodes"] {
            pool.nodes = nodes(node, key: "nodes", places: &places.nodes)
        } else if !isWritten("nodes", in: entry) {
            log.error(entry.position, "\(place) has no nodes; add nodes: with at least one host:port")
        }
        if let node = map["standby"] { pool.standby = nodes(node, key: "standby", places: &places.standby) }
        spreading(map, into: &pool)
        copies(map, into: &pool)
        failing(map, into: &pool)
        if let node = map["sync"] { sync(node, of: place, into: &pool.sync) }
        if let node = map["limits"] { limits(node, of: place, into: &pool.limits) }
        for (node, place) in zip(pool.allNodes, places.nodes + places.standby) {
            nodes.append((node.address, place, pool.name, pool.hasCopies))
        }
        check(pool, places)
        warn(pool, places)
        return pool
    }

    /// Whether the pool has the key at all, even with nothing after it (that is an error of its own).
    private func isWritten(_ key: String, in pool: YamlEntry) -> Bool {
        guard case .mapping(let entries) = pool.value.content else { return false }
        return entries.contains { $0.key == key }
    }

    /// Pool names become labels of metrics and words on command lines.
    static func reasonAgainst(poolName name: String) -> String? {
        let isPlain = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        if isPlain && (1...64).contains(name.utf8.count) { return nil }
        return "\"\(name)\" is no name of a pool; use 1 to 64 letters, digits, - _ and ."
    }

    private mutating func spreading(_ map: [String: YamlNode], into pool: inout PoolSettings) {
        choice(map["distribution"], key: "distribution", into: &pool.distribution)
        choice(map["hash"], key: "hash", into: &pool.hash)
        guard let node = map["hash_tag"], let text = scalar(node, key: "hash_tag") else { return }
        let bytes = Array(text.utf8)
        guard bytes.count == 2, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            log.error(node.position, "hash_tag: \"\(text)\" is not two visible ASCII characters; write it like \"{}\"")
            return
        }
        pool.hashTag = HashTag(open: bytes[0], close: bytes[1])
    }

    private mutating func copies(_ map: [String: YamlNode], into pool: inout PoolSettings) {
        integer(map["replicas"], key: "replicas", 1...Copies.capacity, into: &pool.replicas)
        choice(map["acks"], key: "acks", into: &pool.acks)
        integer(map["min_live"], key: "min_live", 1...Copies.capacity, into: &pool.minLive)
        choice(map["read"], key: "read", into: &pool.read)
        if let node = map["hedge"], let share = value(node, key: "hedge", Units.share) {
            if (1...10_000).contains(share) {
                pool.hedge = share
            } else {
                log.error(
                    node.position, "hedge: \(scalar(node, key: "hedge") ?? "") is out of range; it may be 0.01% to 100%"
                )
            }
        }
        pool.ownZone = ownZone
        choice(map["on_miss"], key: "on_miss", into: &pool.onMiss)
        if let node = map["checks"] { rate(node, orOff: "checks", 1...1000, into: &pool.checks) }
        choice(map["when_down"], key: "when_down", into: &pool.whenDown)
        choice(map["proxies"], key: "proxies", into: &pool.proxies)
        duration(map["poll"], key: "poll", 100 * Self.millisecond...60 * Self.second, into: &pool.poll)
    }

    /// A rate, or `off`, which is 0.
    private mutating func rate(_ node: YamlNode, orOff key: String, _ range: ClosedRange<Int>, into rate: inout Int) {
        if case .scalar("off", _) = node.content {
            rate = 0
        } else if let given = value(node, key: key, Units.rate), inRange(given, range, key: key, at: node.position) {
            rate = given
        }
    }

    private mutating func failing(_ map: [String: YamlNode], into pool: inout PoolSettings) {
        let patience = Self.millisecond...300 * Self.second
        duration(map["timeout"], key: "timeout", patience, into: &pool.timeout)
        duration(map["connect_timeout"], key: "connect_timeout", patience, into: &pool.connectTimeout)
        integer(map["fail_after"], key: "fail_after", 1...1000, into: &pool.failAfter)
        guard let node = map["probe"] else { return }
        guard let probe = fields(node, of: "probe", known: ["interval", "max"]) else { return }
        let pause = 10 * Self.millisecond...3600 * Self.second
        duration(probe["interval"], key: "probe.interval", pause, into: &pool.probeInterval)
        duration(probe["max"], key: "probe.max", pause, into: &pool.probeMax)
        guard pool.probeMax < pool.probeInterval else { return }
        if let given = probe["max"] {
            let interval = Units.text(ofDuration: pool.probeInterval)
            log.error(given.position, "probe.max: is less than probe.interval, \(interval); make it that or more")
        } else {
            // Only an interval was given, and it is above the default for max: it means both.
            pool.probeMax = pool.probeInterval
        }
    }

    private mutating func sync(_ node: YamlNode, of place: String, into sync: inout SyncSettings) {
        let known = ["rate", "bandwidth", "depth", "verify", "order", "scrub", "scrub_every"]
        guard let map = fields(node, of: "sync of \(place)", known: known) else { return }
        if let node = map["rate"], let rate = value(node, key: "sync.rate", Units.rate),
            inRange(rate, 1...10_000_000, key: "sync.rate", at: node.position)
        {
            sync.rate = rate
        }
        if let node = map["bandwidth"], let bytes = value(node, key: "sync.bandwidth", Units.bandwidth) {
            if (1 << 10...64 << 30).contains(bytes) {
                sync.bandwidth = bytes
            } else {
                log.error(node.position, "sync.bandwidth: is out of range; it may be 1KiB/s to 64GiB/s")
            }
        }
        integer(map["depth"], key: "sync.depth", 1...10_000, into: &sync.depth)
        choice(map["verify"], key: "sync.verify", into: &sync.verify)
        choice(map["order"], key: "sync.order", into: &sync.order)
        if let node = map["scrub"] { rate(node, orOff: "sync.scrub", 1...100_000, into: &sync.scrub) }
        duration(
            map["scrub_every"], key: "sync.scrub_every", Self.second...168 * 3600 * Self.second, into: &sync.scrubEvery)
    }

    private mutating func limits(_ node: YamlNode, of place: String, into limits: inout PoolLimits) {
        let known = ["clients", "key", "value", "pipeline", "memory"]
        guard let map = fields(node, of: "limits of \(place)", known: known) else { return }
        integer(map["clients"], key: "limits.clients", 1...1_000_000, into: &limits.clients)
        integer(map["key"], key: "limits.key", 1...250, into: &limits.protocolLimits.key)
        size(map["value"], key: "limits.value", 1...1 << 30, into: &limits.protocolLimits.value)
        integer(map["pipeline"], key: "limits.pipeline", 1...1_000_000, into: &limits.pipeline)
        size(map["memory"], key: "limits.memory", 1 << 20...1 << 40, into: &limits.memory)
        if limits.protocolLimits.value > 128 << 20, let node = map["value"] {
            log.warn(
                node.position,
                "limits.value: no memcached stores items above 128MiB (-I); larger ones are refused by the node")
        }
        if limits.clients > 200_000, let node = map["clients"] {
            log.warn(node.position, "limits.clients: needs as many open files; raise ulimit -n (LimitNOFILE) to match")
        }
    }

    static let millisecond: UInt64 = 1_000_000
    static let second: UInt64 = 1_000_000_000
}

/// Where the parts of a pool were written, for checks that compare them.
struct PoolPlaces {
    var pool: TextPosition
    var keys: [String: TextPosition]
    var nodes: [TextPosition] = []
    var standby: [TextPosition] = []

    /// The key's value where it was written, else the pool.
    subscript(key: String) -> TextPosition { keys[key] ?? pool }
}
