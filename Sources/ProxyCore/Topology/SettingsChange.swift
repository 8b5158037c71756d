internal import Distribution

/// What a running proxy makes of other settings: takes them over, or says what of them cannot be had without a restart.
public struct SettingsChange: Sendable, Equatable {
    /// All pools, in the order in which they run; some with keys that move.
    public let pools: [PoolSettings]
    /// Names of those that change.
    public let changed: [String]
    /// Each a reason why nothing of it is taken over; empty if it is.
    public let refusals: [String]
    /// By name, pools with one copy of each key that get other places at once, and why: what has moved is a miss once.
    public let unmoved: [String: String]

    public init(from running: Settings, to wanted: Settings) {
        var refusals: [String] = []
        func refuse(_ what: String) {
            refusals.append("\(what) cannot change while the proxy runs; restart it for that")
        }
        if wanted.workers != running.workers { refuse("workers") }
        if wanted.admin != running.admin { refuse("admin") }
        var pools: [PoolSettings] = []
        var unmoved: [String: String] = [:]
        for pool in running.pools {
            guard let next = wanted.pools.first(where: { $0.name == pool.name }) else {
                refuse("pool \(pool.name) is gone: the set of pools")
                continue
            }
            for what in Self.fixed(of: pool, in: next) { refuse("pool \(pool.name): \(what)") }
            guard pool.settled != next else {
                pools.append(pool)
                continue
            }
            let isShared = [running, wanted].contains { $0.shares(nodesOf: pool) || $0.shares(nodesOf: next) }
            switch pool.next(towards: next) {
            case .success(let settings) where settings.moving?.isSingle == true && isShared:
                pools.append(next)
                unmoved[pool.name] = "some of its nodes are another pool's too"
            case .success(let settings): pools.append(settings)
            case .failure(let refusal) where !next.hasCopies:
                pools.append(next)
                unmoved[pool.name] = "\(refusal.reason) cannot change while keys move"
            case .failure(let refusal): refuse("pool \(pool.name): \(refusal.reason)")
            }
        }
        for pool in wanted.pools where !running.pools.contains(where: { $0.name == pool.name }) {
            refuse("pool \(pool.name) is new: the set of pools")
        }
        self.pools = refusals.isEmpty ? pools : running.pools
        self.refusals = refusals
        self.unmoved = refusals.isEmpty ? unmoved : [:]
        changed = refusals.isEmpty ? zip(running.pools, pools).filter { $0 != $1 }.map(\.0.name) : []
    }

    /// What differs and must not.
    private static func fixed(of pool: PoolSettings, in next: PoolSettings) -> [String] {
        var fixed: [String] = []
        if pool.listen != next.listen { fixed.append("listen") }
        if pool.limits.clients != next.limits.clients { fixed.append("limits.clients") }
        if pool.limits.memory != next.limits.memory { fixed.append("limits.memory") }
        if pool.settled.hasCopies != next.hasCopies {
            fixed.append("from one copy of each key to several, or back, it")
        }
        return fixed
    }
}

extension Settings {
    /// What is dropped or copied for one pool is so for all that its nodes hold.
    fileprivate func shares(nodesOf pool: PoolSettings) -> Bool {
        let own = Set(pool.servers.map(\.address))
        return pools.contains { $0.name != pool.name && $0.servers.contains { own.contains($0.address) } }
    }
}

extension PoolSettings {
    /// The keys of the config whose values differ from another's, in the order of the reference.
    public func differences(from other: PoolSettings) -> [String] {
        let differ: [(String, Bool)] = [
            ("listen", listen != other.listen), ("nodes", nodes != other.nodes),
            ("distribution", distribution != other.distribution), ("hash", hash != other.hash),
            ("hash_tag", hashTag != other.hashTag), ("replicas", replicas != other.replicas),
            ("standby", standby != other.standby), ("acks", acks != other.acks), ("min_live", minLive != other.minLive),
            ("read", (read, hedge) != (other.read, other.hedge)), ("zone", ownZone != other.ownZone),
            ("on_miss", onMiss != other.onMiss), ("checks", checks != other.checks),
            ("when_down", whenDown != other.whenDown), ("proxies", proxies != other.proxies),
            ("timeout", timeout != other.timeout),
            ("connect_timeout", connectTimeout != other.connectTimeout), ("fail_after", failAfter != other.failAfter),
            ("probe", (probeInterval, probeMax) != (other.probeInterval, other.probeMax)), ("poll", poll != other.poll),
            ("sync", sync != other.sync), ("limits", limits != other.limits),
        ]
        return differ.filter(\.1).map(\.0)
    }

    /// All copies of every key are at the same places as with other settings.
    public func places(as other: PoolSettings) -> Bool {
        func members(_ nodes: [NodeSettings]) -> [[String]] {
            nodes.map { [$0.ringName, "\($0.weight)", $0.zone ?? ""] }
        }
        return members(nodes) == members(other.nodes) && members(standby) == members(other.standby)
            && distribution == other.distribution && hash == other.hash && hashTag == other.hashTag
            && replicas == other.replicas
    }
}
