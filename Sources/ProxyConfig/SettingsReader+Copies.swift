internal import Distribution
internal import ProxyCore

/// What is wrong with a pool's copies, and what about them will hurt.
extension SettingsReader {
    mutating func checkCopies(_ pool: PoolSettings, _ places: PoolPlaces) {
        if pool.replicas > pool.nodes.count && !pool.nodes.isEmpty {
            log.error(
                places["replicas"],
                "replicas: \(pool.replicas) copies need as many nodes, and the pool has \(pool.nodes.count)")
        }
        if pool.copies > Copies.capacity {
            log.error(
                places["replicas"],
                "replicas: \(pool.replicas) and the standby's make \(pool.copies) copies; at most \(Copies.capacity) can be"
            )
        }
        if pool.minLive > pool.copies {
            log.error(places["min_live"], "min_live: \(pool.minLive) is more than a key has copies, \(pool.copies)")
        }
        if pool.hasCopies && pool.distribution == .random {
            log.error(
                places["distribution"],
                "distribution: random takes another node for a key each time, so its copies could not be found; use ketama"
            )
        }
        checkZones(pool, places)
    }

    private mutating func checkZones(_ pool: PoolSettings, _ places: PoolPlaces) {
        guard pool.read == .nearest else { return }
        if !pool.allNodes.contains(where: { $0.zone != nil }) {
            log.error(places["read"], "read: nearest needs a zone: on the nodes; write {address: …, zone: …}")
        } else if pool.ownZone == nil {
            log.error(
                places["read"],
                "read: nearest needs this proxy's own zone; write zone: at the top of the file, or start it with --zone"
            )
        }
    }

    mutating func warnOfCopies(_ pool: PoolSettings, _ places: PoolPlaces) {
        if pool.proxies != .one && !pool.bringsHome {
            log.warn(
                places["proxies"], "proxies: has no effect where no other node stands in for one that is down")
        } else if pool.proxies == .several && pool.poll < 500 * Self.millisecond {
            log.warn(
                places["poll"],
                "poll: with proxies: several a proxy that is held up for half of it uses no node for a moment")
        }
        if pool.read != .fastest && pool.hedge != PoolSettings.defaultHedge {
            log.warn(places["hedge"], "hedge: has no effect without read: fastest")
        }
        guard pool.hasCopies else {
            if pool.acks != .all { log.warn(places["acks"], "acks: has no effect while a key has one copy") }
            if pool.read != .primary { log.warn(places["read"], "read: has no effect while a key has one copy") }
            if pool.checks != PoolSettings.defaultChecks {
                log.warn(places["checks"], "checks: has no effect while a key has one copy")
            }
            if pool.onMiss != .miss { log.warn(places["on_miss"], "on_miss: has no effect while a key has one copy") }
            return
        }
        if places.keys["when_down"] != nil {
            log.warn(
                places["when_down"],
                "when_down: has no effect while a key has \(pool.copies) copies; the others answer instead")
        }
        if pool.acks == .quorum && pool.copies == 2 {
            log.warn(places["acks"], "acks: a quorum of 2 copies is both, as with all")
        }
        if pool.distribution == .leastLoaded && pool.read != .spread {
            log.warn(
                places["distribution"],
                "distribution: least-loaded with copies is ketama; loads choose the copy that is read with read: spread"
            )
        }
        warnOfZones(pool, places)
    }

    private mutating func warnOfZones(_ pool: PoolSettings, _ places: PoolPlaces) {
        let zoned = pool.nodes.compactMap(\.zone)
        // A node without a zone counts as one of its own.
        let zones = Set(zoned).count + pool.nodes.count - zoned.count
        if !zoned.isEmpty && zones < pool.replicas {
            let count = "\(zones) zone\(zones == 1 ? "" : "s")"
            log.warn(
                places["replicas"],
                "replicas: \(pool.replicas) copies on nodes in \(count): one that fails takes several copies of a key")
        }
        if pool.read == .nearest, let own = pool.ownZone, !pool.allNodes.contains(where: { $0.zone == own }) {
            log.warn(places["read"], "read: nearest finds no node in this proxy's zone, \(own)")
        }
    }
}
