internal import ProxyCore

extension SettingsReader {
    /// Listeners of one pool, and nodes of one pool.
    static let maxListeners = 64
    static let maxNodes = 1024

    /// A pool's listeners: one, or a list.
    mutating func listen(_ node: YamlNode?, written: Bool, of pool: YamlEntry) -> [Endpoint] {
        guard let node else {
            if !written {
                log.error(pool.position, "pool \"\(pool.key)\" has no listen; add listen: 127.0.0.1:11311")
            }
            return []
        }
        var items = [node]
        if case .sequence(let list) = node.content { items = list }
        guard (1...Self.maxListeners).contains(items.count) else {
            log.error(node.position, "listen: has \(items.count) addresses; it takes 1 to \(Self.maxListeners)")
            return []
        }
        return items.compactMap { item in
            guard let text = scalar(item, key: "listen") else { return nil }
            guard
                let endpoint = listener(
                    text, key: "listen", owner: "pool \"\(pool.key)\"", port: 11311, at: item.position)
            else {
                return nil
            }
            if case .tcp(let host, _) = endpoint, Self.isWildcard(host) {
                log.warn(
                    item.position,
                    "listen: \(text) takes clients from every network, and memcached has no passwords; name one address"
                )
            }
            return endpoint
        }
    }

    /// An address to bind: an IP or localhost, never a name that may mean several.
    mutating func listener(_ text: String, key: String, owner: String, port: UInt16, at position: TextPosition)
        -> Endpoint?
    {
        var endpoint: Endpoint
        do {
            endpoint = try EndpointText.parse(text, example: port)
        } catch {
            log.error(position, "\(key): \(error.reason)")
            return nil
        }
        if case .tcp(let host, let port) = endpoint {
            if host == "localhost" {
                endpoint = .tcp(host: "127.0.0.1", port: port)
            } else if !EndpointText.isIPv4(host) && !EndpointText.isIPv6(host) {
                log.error(position, "\(key): \"\(host)\" is a name; listen on an IP address of this host, or 127.0.0.1")
                return nil
            }
        }
        listeners.append((endpoint, position, owner))
        return endpoint
    }

    /// No two listeners may take the same port of the same address.
    mutating func checkListeners() {
        for (index, later) in listeners.enumerated() {
            for earlier in listeners[..<index] where Self.overlap(earlier.endpoint, later.endpoint) {
                let same = earlier.endpoint == later.endpoint ? "is taken" : "overlaps \(earlier.endpoint)"
                log.error(
                    later.position,
                    "\(later.endpoint) \(same) by \(earlier.owner) on line \(earlier.position.line); use another port")
                break
            }
        }
    }

    static func overlap(_ a: Endpoint, _ b: Endpoint) -> Bool {
        guard case .tcp(let hostA, let portA) = a, case .tcp(let hostB, let portB) = b else { return a == b }
        guard portA == portB else { return false }
        // Listeners share their port among workers, so the kernel would not refuse a wildcard beside one address.
        if isWildcard(hostA) || isWildcard(hostB) { return hostA.contains(":") == hostB.contains(":") }
        return hostA == hostB
    }

    /// A pool's nodes with the place of each.
    mutating func nodes(_ node: YamlNode, key: String, places: inout [TextPosition]) -> [NodeSettings] {
        guard case .sequence(let items) = node.content else {
            log.error(node.position, "\(key): is \(node.kind); it takes a list, a line - host:port for each")
            return []
        }
        if items.isEmpty && key == "nodes" { log.error(node.position, "nodes: is empty; add at least one host:port") }
        guard items.count <= Self.maxNodes else {
            log.error(node.position, "\(key): has \(items.count) nodes; a pool takes at most \(Self.maxNodes)")
            return []
        }
        var result: [NodeSettings] = []
        for item in items {
            var parsed: NodeSettings?
            switch item.content {
            case .mapping: parsed = nodeMap(item, key: key)
            default: parsed = value(item, key: key, NodeText.parse)
            }
            guard let parsed else { continue }
            result.append(parsed)
            places.append(item.position)
        }
        return result
    }

    /// `{address: …, weight: …, name: …, zone: …}`
    private mutating func nodeMap(_ node: YamlNode, key: String) -> NodeSettings? {
        guard let map = fields(node, of: "a node", known: ["address", "weight", "name", "zone"]) else { return nil }
        guard let address = map["address"] else {
            log.error(node.position, "\(key): a node has no address; add address: host:port")
            return nil
        }
        guard let endpoint = value(address, key: "address", NodeText.address) else { return nil }
        var result = NodeSettings(address: endpoint)
        if let weight = value(map["weight"], key: "weight", NodeText.weight) { result.weight = weight }
        result.name = value(map["name"], key: "name", NodeText.checkedName)
        result.zone = value(map["zone"], key: "zone", NodeText.checkedName)
        return result
    }
}
