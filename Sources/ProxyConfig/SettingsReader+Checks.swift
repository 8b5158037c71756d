internal import Distribution
internal import ProxyCore

extension SettingsReader {
    /// Sum of weights of a distribution that lays out one slot a unit of weight.
    static let maxWeightSum = 1_000_000

    /// What is wrong between values that are each right.
    mutating func check(_ pool: PoolSettings, _ places: PoolPlaces) {
        checkUnique(pool, places)
        checkLoop(pool, places)
        checkCopies(pool, places)
        checkWeights(pool.nodes, key: "nodes", pool, places)
        checkWeights(pool.standby, key: "standby", pool, places)
    }

    private mutating func checkWeights(
        _ nodes: [NodeSettings], key: String, _ pool: PoolSettings, _ places: PoolPlaces
    ) {
        guard pool.distribution == .modula || pool.distribution == .random else { return }
        let weights = nodes.reduce(0) { $0 + $1.weight }
        guard weights > Self.maxWeightSum else { return }
        log.error(
            places[key],
            "\(key): weights add up to \(weights); with \(pool.distribution.rawValue) at most \(Self.maxWeightSum)")
    }

    /// Two nodes of one address would hold a key twice; two of one name could not be told apart.
    private mutating func checkUnique(_ pool: PoolSettings, _ written: PoolPlaces) {
        var addresses: [Endpoint: (line: Int, isStandby: Bool)] = [:]
        var names: [String: TextPosition] = [:]
        let places = written.nodes + written.standby
        for (index, (node, place)) in zip(pool.allNodes, places).enumerated() {
            let isStandby = index >= pool.nodes.count
            if let first = addresses[node.address] {
                let advice =
                    first.isStandby == isStandby
                    ? "give a node more keys by its weight" : "a standby must be another memcached than its nodes"
                log.error(place, "\(node.address) is here twice, first on line \(first.line); \(advice)")
                continue
            }
            addresses[node.address] = (place.line, isStandby)
            if let first = names.updateValue(place, forKey: node.ringName) {
                log.error(
                    place, "the name \"\(node.ringName)\" is taken by the node on line \(first.line); names must differ"
                )
            }
        }
    }

    /// What is filled or cleaned for one pool is so for all that the node holds: nobody could tell whose a key is.
    mutating func checkSharedNodes() {
        var first: [Endpoint: Int] = [:]
        for (index, node) in nodes.enumerated() {
            guard let earlier = first[node.endpoint].map({ nodes[$0] }) else {
                first[node.endpoint] = index
                continue
            }
            guard earlier.pool != node.pool, earlier.hasCopies || node.hasCopies else { continue }
            log.error(
                node.position,
                "\(node.endpoint) is a node of pool \"\(earlier.pool)\" too, on line \(earlier.position.line); "
                    + "a pool with copies needs nodes of its own")
        }
    }

    /// A pool whose node is its own listener would forward to itself for ever.
    private mutating func checkLoop(_ pool: PoolSettings, _ places: PoolPlaces) {
        for (node, place) in zip(pool.allNodes, places.nodes + places.standby) {
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
