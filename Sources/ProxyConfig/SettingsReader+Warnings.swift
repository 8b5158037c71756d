internal import Distribution
internal import ProxyCore

extension SettingsReader {
    /// What is allowed and will hurt.
    mutating func warn(_ pool: PoolSettings, _ places: PoolPlaces) {
        warnOfTimes(pool, places)
        warnOfSpreading(pool, places)
        warnOfCopies(pool, places)
        if pool.nodes.count == 1 && pool.standby.isEmpty {
            log.warn(places["nodes"], "nodes: there is one node; when it is down, the whole pool is")
        }
    }

    private mutating func warnOfTimes(_ pool: PoolSettings, _ places: PoolPlaces) {
        for (key, time) in [("timeout", pool.timeout), ("connect_timeout", pool.connectTimeout)] {
            if time > 5 * Self.second {
                log.warn(
                    places[key],
                    "\(key): a node that hangs keeps its clients waiting for \(Units.text(ofDuration: time))")
            } else if time < 5 * Self.millisecond {
                log.warn(places[key], "\(key): a short pause of a node will count as a failure")
            }
        }
        if pool.probeMax > 60 * Self.second {
            let time = Units.text(ofDuration: pool.probeMax)
            log.warn(places["probe"], "probe: a node that came back may stay unused for \(time)")
        }
        if pool.failAfter == 1 {
            log.warn(places["fail_after"], "fail_after: one lost reply takes a node out; 3 tells a blip from a failure")
        } else if pool.failAfter > 100 {
            log.warn(places["fail_after"], "fail_after: \(pool.failAfter) requests fail before a dead node is left out")
        }
    }

    private mutating func warnOfSpreading(_ pool: PoolSettings, _ places: PoolPlaces) {
        let name = pool.distribution.rawValue
        if !pool.hasCopies, let harm = Self.harm(of: pool) {
            log.warn(places["distribution"], "distribution: \(name) \(harm)")
        }
        // libmemcached's crc32 keeps 15 bits and crc16 has 16, against points over all of 32 bits.
        let isRing = pool.distribution == .ketama || pool.distribution == .leastLoaded
        if isRing && (pool.hash == .crc16 || pool.hash == .crc32) && pool.nodes.count > 1 {
            let hash = "hash: \(pool.hash.rawValue) gives numbers below 65536"
            log.warn(places["hash"], "\(hash), so on \(name)'s ring nearly all keys fall on one node; use fnv1a_64")
        }
    }

    /// What a distribution does, where a key has one copy, that its users may not expect.
    private static func harm(of pool: PoolSettings) -> String? {
        switch pool.distribution {
        case .random:
            "reads a key from another node than it was written to; it is for nodes that hold the same"
        case .leastLoaded:
            "puts a busy key on more than one node; a write changes only one of them"
        case .ketama, .modula, .jump, .rendezvous, .maglev: nil
        }
    }
}
