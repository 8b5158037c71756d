internal import Distribution
internal import ProxyCore

extension SettingsReader {
    /// Sum of weights of a distribution that lays out one slot a unit of weight.
    static let maxWeightSum = 1_000_000

    /// What is wrong between values that are each right.
    mutating func check(_ pool: PoolSettings, _ places: PoolPlaces) {
        checkUnique(pool.nodes + pool.standby, places.nodes + places.standby)
        checkLoop(pool, places)
        if pool.replicas > pool.nodes.count && !pool.nodes.isEmpty {
            log.error(
                places["replicas"],
                "replicas: \(pool.replicas) copies need as many nodes, and the pool has \(pool.nodes.count)")
        }
        let copies = pool.replicas + (pool.standby.isEmpty ? 0 : 1)
        if pool.minLive > copies {
            log.error(places["min_live"], "min_live: \(pool.minLive) is more than a key has copies, \(copies)")
        }
        if pool.read == .nearest && !pool.nodes.contains(where: { $0.zone != nil }) {
            log.error(places["read"], "read: nearest needs a zone: on the nodes; write {address: …, zone: …}")
        }
        let weights = pool.nodes.reduce(0) { $0 + $1.weight }
        if pool.distribution == .modula || pool.distribution == .random, weights > Self.maxWeightSum {
            log.error(
                places["nodes"],
                "nodes: weights add up to \(weights); with \(pool.distribution.rawValue) at most \(Self.maxWeightSum)")
        }
        ThisVersion.refuse(pool, places, into: &log)
    }

    /// Two nodes of one address would hold a key twice; two of one name could not be told apart.
    private mutating func checkUnique(_ nodes: [NodeSettings], _ places: [TextPosition]) {
        var addresses: [Endpoint: TextPosition] = [:]
        var names: [String: TextPosition] = [:]
        for (node, place) in zip(nodes, places) {
            if let first = addresses[node.address] {
                let advice = "give a node more keys by its weight"
                log.error(place, "\(node.address) is here twice, first on line \(first.line); \(advice)")
                continue
            }
            addresses[node.address] = place
            if let first = names.updateValue(place, forKey: node.ringName) {
                log.error(
                    place, "the name \"\(node.ringName)\" is taken by the node on line \(first.line); names must differ"
                )
            }
        }
    }

    /// A pool whose node is its own listener would forward to itself for ever.
    private mutating func checkLoop(_ pool: PoolSettings, _ places: PoolPlaces) {
        for (node, place) in zip(pool.nodes + pool.standby, places.nodes + places.standby) {
            guard pool.listen.contains(where: { Self.reaches(node.address, $0) }) else { continue }
            log.error(place, "\(node.address) is this pool's own listener; name the memcached behind it")
        }
    }

    static func reaches(_ node: Endpoint, _ listener: Endpoint) -> Bool {
        guard case .tcp(let host, let port) = node, case .tcp(let bound, let boundPort) = listener else {
            return node == listener
        }
        guard port == boundPort else { return false }
        if host == bound || (host == "localhost" && isLoopback(bound)) { return true }
        return isWildcard(bound) && isLoopback(host)
    }
}
