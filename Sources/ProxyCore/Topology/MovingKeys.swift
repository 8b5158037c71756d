internal import Distribution

/// The part of a pool's settings that says where the copies of a key are, but for the hash.
public struct KeyPlaces: Sendable, Equatable {
    let distribution: DistributionKind
    let nodes: [NodeSettings]
    let standby: [NodeSettings]
    let replicas: Int

    init(_ pool: PoolSettings) {
        (distribution, nodes, standby, replicas) = (pool.distribution, pool.nodes, pool.standby, pool.replicas)
    }

    var allNodes: [NodeSettings] { nodes + standby }
    var copies: Int { replicas + (standby.isEmpty ? 0 : 1) }

    /// - Parameter next: where the keys go.
    func placement(firstNode: Int, next: NextPlaces? = nil) -> Placement {
        Placement(
            kind: distribution, members: nodes.map(\.member), standby: standby.map(\.member), replicas: replicas,
            first: UInt32(firstNode), next: next)
    }
}

/// A pool whose keys are on their way to other nodes: each is written where it was and where it is to be, and read where
/// it was.
///
///     rows    a b c │ d │ a b c        before: a b c    after: a b c d
///             servers     targets
///
/// A server of both has a second row, its target: it stands for the server where a key comes to it that it had no copy
/// of. That copy is being filled, whatever the server's other copies are. A server that had a copy of the key already
/// is no target for it: so no key is ever written to one server through two rows.
public struct MovingKeys: Sendable, Equatable {
    public let before: KeyPlaces
    public let after: KeyPlaces
    /// They are read where they are to be: `before` and `after` are the other way round, for those who are not so far.
    public let hasMoved: Bool
    /// Of the pool's nodes so many are servers; the rest are targets.
    public let servers: Int
    /// By target, in their order: its server.
    let serverOfTarget: [Int]
    /// By node of `after`: its server, and the row for a key of which that had no copy.
    let homes: [UInt16]
    let targets: [UInt16]

    fileprivate init(from before: KeyPlaces, to after: KeyPlaces, hasMoved: Bool) {
        self.hasMoved = hasMoved
        var servers = before.allNodes.map(NodeIdentity.init)
        let next = after.allNodes.map(NodeIdentity.init)
        let stays = Set(servers)
        servers += next.filter { !stays.contains($0) }
        var (homes, targets, serverOfTarget): ([UInt16], [UInt16], [Int]) = ([], [], [])
        for node in next {
            let server = servers.firstIndex(of: node) ?? 0
            homes.append(UInt16(server))
            guard stays.contains(node) else {
                targets.append(UInt16(server))
                continue
            }
            targets.append(UInt16(servers.count + serverOfTarget.count))
            serverOfTarget.append(server)
        }
        (self.before, self.after, self.servers) = (before, after, servers.count)
        (self.homes, self.targets, self.serverOfTarget) = (homes, targets, serverOfTarget)
    }

    /// Those of `after` that were not there before.
    fileprivate var fresh: [NodeSettings] {
        after.allNodes.indices.filter { homes[$0] == targets[$0] }.map { after.allNodes[$0] }
    }

    /// By place in the pool: servers that nobody writes who writes by the places before.
    public var freshServers: Range<Int> { before.allNodes.count..<servers }

    /// Each key has one copy, before and after: where it is read decides, or nobody does. What is where it is to be follows
    /// that, and may lack something, or be left from an earlier life, until it is verified.
    public var isSingle: Bool { before.copies == 1 && after.copies == 1 }

    func placement(firstNode: Int) -> Placement {
        let next = NextPlaces(after.placement(firstNode: 0), homes: homes, targets: targets)
        return before.placement(firstNode: firstNode, next: next)
    }
}

extension PoolSettings {
    /// These settings, while the keys of the pool as it is move to where these settings put them.
    ///
    /// - Parameter before: may be moving itself: then this is where its keys go instead.
    /// - Returns: why that cannot be, or the settings.
    public func moving(from before: PoolSettings) -> Result<PoolSettings, Refusal> {
        moving(from: before, hasMoved: false)
    }

    private func moving(from before: PoolSettings, hasMoved: Bool) -> Result<PoolSettings, Refusal> {
        let old = before.moving?.before ?? KeyPlaces(before)
        let new = KeyPlaces(self)
        guard before.hash == hash, before.hashTag == hashTag else {
            return .failure(Refusal(reason: "hash and hash_tag"))
        }
        guard old.copies + new.copies <= Copies.capacity else {
            return .failure(
                Refusal(reason: "while keys move, \(old.copies) + \(new.copies) copies (at most \(Copies.capacity)):"))
        }
        let keys = MovingKeys(from: old, to: new, hasMoved: hasMoved)
        let names = old.allNodes.map(\.ringName) + keys.fresh.map(\.ringName)
        guard Set(names).count == names.count else {
            return .failure(Refusal(reason: "address and place of one node together"))
        }
        var settings = self
        let servers = old.allNodes + keys.fresh
        settings.nodes = servers + keys.serverOfTarget.map { servers[$0] }
        settings.standby = []
        settings.replicas = max(2, old.copies)
        (settings.moving, settings.asksNext) = (keys, true)
        return .success(settings)
    }

    public struct Refusal: Error, Equatable {
        public let reason: String
    }

    /// The pool's nodes, each once.
    public var servers: [NodeSettings] { moving.map { Array(allNodes.prefix($0.servers)) } ?? allNodes }
}

extension PoolSettings {
    /// These settings without a node of that label.
    public func without(_ label: String) -> Result<PoolSettings, Refusal> {
        var settings = self
        settings.nodes.removeAll { $0.label == label }
        settings.standby.removeAll { $0.label == label }
        guard settings.nodes.count >= replicas, standby.isEmpty || !settings.standby.isEmpty else {
            return .failure(
                Refusal(reason: "without \(label) there are too few nodes for \(copies) copies of each key"))
        }
        return .success(settings)
    }

    /// Where the pool's keys are read: its settings before they began to move.
    public var standing: PoolSettings { with(moving?.before ?? KeyPlaces(self)) }

    /// What it will be when its keys have moved, or is.
    public var settled: PoolSettings {
        with(moving.map { $0.hasMoved ? $0.before : $0.after } ?? KeyPlaces(self))
    }

    /// Of a pool whose keys move: they are read where they are to be, and still written where they were, for proxies that
    /// read them there.
    public var handedOver: PoolSettings? {
        guard let moving, !moving.hasMoved else { return self }
        return try? standing.moving(from: settled, hasMoved: true).get()
    }

    /// What stands for where the keys of the pool are, or are to be: the same for the same places and hash.
    public var placesToken: Token {
        let end = settled
        func spelling(_ nodes: [NodeSettings]) -> String {
            nodes.map { "\($0.ringName) \($0.weight) \($0.zone ?? "")" }.joined(separator: "\n")
        }
        let tag = end.hashTag.map { "\($0)" } ?? ""
        let text =
            "\(end.distribution.rawValue) \(end.hash.rawValue) \(tag) \(end.replicas)\n"
            + spelling(end.nodes) + "\n\n" + spelling(end.standby)
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325  // FNV-1a
        for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return Token(hash) ?? Token(1)!
    }

    private func with(_ places: KeyPlaces) -> PoolSettings {
        var settings = self
        (settings.distribution, settings.nodes) = (places.distribution, places.nodes)
        (settings.standby, settings.replicas) = (places.standby, places.replicas)
        (settings.moving, settings.asksNext) = (nil, false)
        return settings
    }

    /// How a pool that runs by these settings comes to others: at once, or by moving keys first.
    public func next(towards wanted: PoolSettings) -> Result<PoolSettings, Refusal> {
        guard hasHomes, wanted.hasHomes else { return .success(wanted) }
        guard standing.places(as: wanted) else { return wanted.moving(from: self) }
        // Other proxies may still read them where they were.
        if let moving, moving.hasMoved { return wanted.with(moving.after).moving(from: wanted, hasMoved: true) }
        return .success(wanted)
    }
}

/// What is left behind when the keys of a pool have moved: by its rows, the way back.
public struct LeftBehind: Sendable {
    public let pool: Pool
    /// By place in `pool`: the place of the same server in the pool whose keys have moved; nil where it has left it.
    public let places: [Int?]

    /// - Parameter moving: the pool's settings while they moved, before or after reads did.
    public init?(after moving: PoolSettings) {
        guard let back = moving.handedOver, let keys = back.moving else { return nil }
        pool = Pool(back, firstNode: 0, isUp: back.allNodes.map { _ in true })
        let after = keys.before.allNodes.map(NodeIdentity.init)
        places = back.allNodes.map { after.firstIndex(of: NodeIdentity($0)) }
    }

    /// Places in `pool` that stand for what a server that stays has no longer.
    public var targets: Range<Int> { pool.servers.upperBound..<pool.nodes.upperBound }
}
