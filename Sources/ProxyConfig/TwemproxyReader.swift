internal import Distribution
internal import ProxyCore

/// Reads twemproxy's file. Its meaning is that of twemproxy 0.5: milliseconds without unit, no time-out unless given,
/// a node's name the last word of its line.
struct TwemproxyReader {
    static let keys = [
        "listen", "hash", "hash_tag", "distribution", "timeout", "backlog", "client_connections", "redis",
        "redis_auth", "redis_db", "preconnect", "auto_eject_hosts", "server_connections", "server_retry_timeout",
        "server_failure_limit", "servers", "tcpkeepalive", "reuseport",
    ]
    /// What stands in for twemproxy's wait without end.
    static let longTimeout: UInt64 = 5 * SettingsReader.second

    /// The shared readers of single values, with the log.
    var values: SettingsReader

    init(file: String) {
        values = SettingsReader(file: file)
    }

    mutating func pools(_ root: YamlNode) -> [TwemproxyPool] {
        guard case .mapping(let entries) = root.content, !entries.isEmpty else {
            values.log.error(root.position, "this is \(root.kind); twemproxy's file is a map of pools")
            return []
        }
        if entries.contains(where: { $0.key == "pools" }) {
            values.log.error(root.position, "this is a config of Drover's already; check it without --from")
            return []
        }
        return entries.compactMap { pool($0) }
    }

    private mutating func pool(_ entry: YamlEntry) -> TwemproxyPool? {
        let place = "pool \"\(entry.key)\""
        if let reason = SettingsReader.reasonAgainst(poolName: entry.key) { values.log.error(entry.position, reason) }
        guard let map = values.fields(entry.value, of: place, known: Self.keys, foreign: false) else { return nil }
        if let node = map["redis"], flag(node, key: "redis") == true {
            values.log.error(node.position, "redis: true: Drover speaks memcached only; take \(place) out of the file")
            return nil
        }
        var pool = TwemproxyPool(settings: PoolSettings(name: entry.key, listen: [], nodes: []))
        if let node = map["listen"] {
            pool.settings.listen = listen(node)
        } else {
            values.log.error(entry.position, "\(place) has no listen")
        }
        spreading(map, into: &pool.settings)
        failing(map, at: entry.position, into: &pool)
        if let node = map["client_connections"], let count = number(node, key: "client_connections"), count > 0 {
            pool.clients = count
        }
        if let node = map["servers"] {
            pool.settings.nodes = servers(node, distribution: pool.settings.distribution)
        } else {
            values.log.error(entry.position, "\(place) has no servers")
        }
        noteDropped(map)
        return pool
    }

    private mutating func listen(_ node: YamlNode) -> [Endpoint] {
        guard let text = values.scalar(node, key: "listen") else { return [] }
        let (place, mode) = text.hasPrefix("/") ? NodeText.splitName(text) : (text, nil)
        if let mode { note(node, "listen: the permission \(mode) is dropped; the socket gets those of the umask") }
        guard let endpoint = values.listener(place, key: "listen", owner: "", port: 11211, at: node.position) else {
            return []
        }
        return [endpoint]
    }

    private mutating func spreading(_ map: [String: YamlNode], into pool: inout PoolSettings) {
        values.choice(map["hash"], key: "hash", into: &pool.hash)
        values.choice(map["distribution"], key: "distribution", into: &pool.distribution)
        guard let node = map["hash_tag"], let text = values.scalar(node, key: "hash_tag") else { return }
        let bytes = Array(text.utf8)
        guard bytes.count == 2 else {
            values.log.error(node.position, "hash_tag: \"\(text)\" is not two characters")
            return
        }
        pool.hashTag = HashTag(open: bytes[0], close: bytes[1])
    }

    private mutating func failing(_ map: [String: YamlNode], at pool: TextPosition, into result: inout TwemproxyPool) {
        var timeout: UInt64?
        if let node = map["timeout"], let given = number(node, key: "timeout"), given > 0 {
            timeout = UInt64(given) * SettingsReader.millisecond
        }
        if timeout == nil {
            let time = Units.text(ofDuration: Self.longTimeout)
            values.log.warn(
                map["timeout"]?.position ?? pool,
                "timeout: twemproxy waits for ever; it became \(time), and 200ms is what Drover has by default")
        }
        result.settings.timeout = timeout ?? Self.longTimeout
        result.settings.connectTimeout = timeout ?? Self.longTimeout
        if let node = map["auto_eject_hosts"] { result.ejects = flag(node, key: "auto_eject_hosts") ?? false }
        result.settings.whenDown = result.ejects ? .rehash : .error
        // As a rule there are: each twemproxy goes by itself, and ours have to know of each other.
        result.settings.proxies = result.ejects ? .several : .one
        result.settings.failAfter = 2
        result.settings.probeInterval = 30 * SettingsReader.second
        if let node = map["server_failure_limit"], let limit = number(node, key: "server_failure_limit") {
            result.settings.failAfter = max(1, limit)
            if !result.ejects { noteUnused(node, key: "server_failure_limit") }
        }
        if let node = map["server_retry_timeout"], let pause = number(node, key: "server_retry_timeout") {
            result.settings.probeInterval = UInt64(max(10, pause)) * SettingsReader.millisecond
            if !result.ejects { noteUnused(node, key: "server_retry_timeout") }
        }
        if result.ejects {
            let place = map["auto_eject_hosts"]?.position ?? pool
            values.log.warn(
                place,
                "auto_eject_hosts: an ejected node comes back when a probe is answered, and loses what only it held"
            )
            values.log.warn(
                place,
                "auto_eject_hosts: became proxies: several, too; one if nobody else uses the nodes, and nobody waits"
            )
        }
    }

    private mutating func noteUnused(_ node: YamlNode, key: String) {
        note(node, "\(key): is dropped; without auto_eject_hosts twemproxy does not use it either")
    }

    /// The nodes by twemproxy's names, in the order by which it counts them.
    private mutating func servers(_ node: YamlNode, distribution: DistributionKind) -> [NodeSettings] {
        guard case .sequence(let items) = node.content, !items.isEmpty else {
            values.log.error(node.position, "servers: is \(node.kind); it takes a list of host:port:weight")
            return []
        }
        let named = items.compactMap { values.value($0, key: "servers", TwemproxyServer.parse) }
        if distribution == .ketama { return named.map(\.node) }
        // twemproxy sorts its servers, by length of name first, before modula counts them.
        let sorted = named.sorted { left, right in
            let (a, b) = (Array(left.name.utf8), Array(right.name.utf8))
            return a.count == b.count ? a.lexicographicallyPrecedes(b) : a.count < b.count
        }
        if sorted.map(\.name) != named.map(\.name) {
            note(
                node,
                "servers: are in another order, the one in which twemproxy counts them for \(distribution.rawValue)")
        }
        return sorted.map(\.node)
    }

    private mutating func noteDropped(_ map: [String: YamlNode]) {
        if let node = map["server_connections"], let count = number(node, key: "server_connections"), count != 1 {
            note(
                node,
                "server_connections: is dropped; each worker has one connection to a node and fills it with many requests"
            )
        }
        let reasons = [
            "backlog": "Drover listens with the most that the kernel allows",
            "preconnect": "Drover opens its connections to nodes by itself",
            "tcpkeepalive": "dead connections are found by time-outs and probes",
            "reuseport": "workers share the port always",
            "redis_auth": "it is redis's", "redis_db": "it is redis's",
        ]
        for (key, reason) in reasons {
            if let node = map[key] { note(node, "\(key): is dropped; \(reason)") }
        }
    }

    private mutating func note(_ node: YamlNode, _ text: String) { values.log.warn(node.position, text) }

    private mutating func number(_ node: YamlNode, key: String) -> Int? {
        guard let value = values.value(node, key: key, Units.integer) else { return nil }
        return values.inRange(value, 0...Int(Int32.max), key: key, at: node.position) ? value : nil
    }

    private mutating func flag(_ node: YamlNode, key: String) -> Bool? {
        guard let text = values.scalar(node, key: key) else { return nil }
        if text == "true" || text == "false" { return text == "true" }
        values.log.error(node.position, "\(key): \"\(text)\" is not true or false")
        return nil
    }
}

/// `host:port:weight [name]` or `/path:weight [name]`, split from the end as twemproxy does.
struct TwemproxyServer {
    /// What twemproxy hashes.
    var name: String
    var node: NodeSettings

    static func parse(_ text: String) throws(Refusal) -> TwemproxyServer {
        let refusal = Refusal(reason: "\"\(text)\" is not host:port:weight or /path:weight, with or without a name")
        let (place, given) = NodeText.splitName(text)
        guard let colon = place.lastIndex(of: ":") else { throw refusal }
        let weight = try NodeText.weight(String(place[place.index(after: colon)...]))
        let address = String(place[..<colon])
        var node: NodeSettings
        var name: String
        if address.hasPrefix("/") {
            node = NodeSettings(address: .unix(path: try EndpointText.checkedPath(address)), weight: weight)
            // twemproxy keeps the colon before the port that is not there.
            name = address + ":"
        } else {
            guard let middle = address.lastIndex(of: ":") else { throw refusal }
            let port = try EndpointText.port(String(address[address.index(after: middle)...]), of: address)
            let host = String(address[..<middle])
            let bracketed = EndpointText.isIPv6(host) ? "[\(host)]" : host
            node = NodeSettings(address: try EndpointText.parse("\(bracketed):\(port)"), weight: weight)
            name = port == 11211 ? host : address
        }
        if let given { name = try NodeText.checkedName(given) }
        // Only where our rings would say something else, the name is written.
        if given != nil || node.ringName != name { node.name = name }
        return TwemproxyServer(name: name, node: node)
    }
}
