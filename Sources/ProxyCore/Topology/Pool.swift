internal import Bytes
public import Distribution
internal import MemcacheProtocol

/// A pool, its ring, and what the request path needs of its settings: constants of a final class, so that a request
/// can use them without counting a reference.
@safe
public final class Pool: Sendable {
    public let settings: PoolSettings
    /// The pool's first node among all nodes.
    public let firstNode: Int
    /// Its nodes among all nodes, its standby's included.
    public let nodes: Range<Int>
    /// Those of them that are servers, each once; see `MovingKeys`.
    public let servers: Range<Int>
    /// By place: the number that the node had in the pool before this one, which it takes the place of; nil where it
    /// had none. Empty where there was no pool before.
    public let origins: [Int?]
    let hash: KeyHash
    let hashTag: HashTag?
    /// Over all nodes; but where load or chance decide, too, and others stand in for nodes that are down, those that are up.
    let distributor: Distributor
    /// Where each key's copies are; nil where a key has one.
    public let placement: Placement?
    /// The same, for use without counting a reference.
    private let lookup: Unmanaged<Placement>?
    /// Copies of each key, 1 to 8. Two at most while keys are brought home.
    public let copyCount: Int
    /// Whose keys are where, if any are not where they belong.
    private let keys: [KeyPlace]?
    /// Of its nodes; empty where a key always has one copy.
    let casTags: [CASTag]
    /// CAS numbers name their nodes although keys have one copy: since keys have moved, so that a number from before that
    /// never matches on another node by accident.
    let tagsAlways: Bool
    let acks: PoolSettings.Acks
    let minLive: Int
    let read: PoolSettings.Read
    let onMiss: PoolSettings.OnMiss
    /// Its keys are on their way to other nodes.
    let isMoving: Bool
    /// Of 10,000 reads.
    let hedge: Int
    /// The least nanoseconds between two keys whose copies one worker compares; 0 is never.
    let checkInterval: UInt64
    /// From a check that finds a difference to its repair: by then every write that was under way is over, and known to
    /// all if it failed.
    let quietTime: UInt64
    /// Ring member to node among all nodes.
    let members: [UInt32]
    let pipelineLimit: UInt32
    let whenDown: PoolSettings.WhenDown
    let isLeastLoaded: Bool
    /// A key's node follows from the key alone, and the ring.
    let needsKeyOnly: Bool
    let protocolLimits: ProtocolLimits

    /// - Parameters:
    ///   - keys: of each node.
    ///   - tagsAlways: its keys have moved, or move.
    ///   - earlier: of the same settings and first node.
    init(
        _ settings: PoolSettings, firstNode: Int, keys: [KeyPlace], origins: [Int?] = [], tagsAlways: Bool = false,
        earlier: Pool? = nil
    ) {
        self.settings = settings
        self.origins = origins
        self.firstNode = firstNode
        nodes = firstNode..<(firstNode + settings.allNodes.count)
        servers = firstNode..<(firstNode + (settings.moving?.servers ?? settings.allNodes.count))
        hash = settings.hash
        hashTag = settings.hashTag
        pipelineLimit = UInt32(settings.limits.pipeline)
        whenDown = settings.whenDown
        // With copies, load and chance say which is read, not where they are.
        isLeastLoaded = settings.distribution == .leastLoaded && !settings.hasCopies
        protocolLimits = settings.limits.protocolLimits
        self.tagsAlways = tagsAlways && !settings.hasCopies
        let hasTags = settings.hasCopies || settings.bringsHome || tagsAlways
        let tags = hasTags ? CASTag.tags(ofNodes: settings.servers.map(\.label)) : []
        casTags = tags + (settings.moving?.serverOfTarget.map { tags[$0] } ?? [])
        let isHoming = settings.bringsHome && keys.contains { $0 == .joining || $0 == .leading }
        copyCount = isHoming ? 2 : settings.copies
        // While a key's only copy is brought elsewhere both places count, and the one that decides is read.
        let isSingle = isHoming || settings.moving?.isSingle == true
        acks = isSingle ? .all : settings.acks
        minLive = isSingle ? 1 : settings.minLive
        read = isSingle ? .primary : settings.read
        onMiss = isSingle ? .miss : settings.asksNext ? .next : settings.onMiss
        isMoving = settings.moving != nil
        hedge = settings.hedge
        let hasChecks = settings.hasCopies && !isSingle && settings.checks > 0
        checkInterval = hasChecks ? 1_000_000_000 / UInt64(settings.checks) : 0
        quietTime = PoolMarkers.quietTime(poll: settings.poll, timeout: settings.timeout)
        // A pool that is down altogether keeps its ring: its nodes answer for themselves.
        let isShort = keys.contains(.own) && keys.contains { $0 != .own }
        if settings.hasCopies {
            // Down nodes keep their places, so one placement serves all generations.
            let placement =
                earlier?.placement ?? settings.moving?.placement(firstNode: firstNode)
                ?? Placement(settings, firstNode: firstNode)
            self.placement = placement
            unsafe lookup = .passUnretained(placement)
            distributor = placement.ring
            members = (0..<distributor.count).map { UInt32(firstNode + $0) }
            (self.keys, needsKeyOnly) = (nil, true)
            return
        }
        placement = nil
        unsafe lookup = nil
        if settings.bringsHome {
            self.keys = isShort ? keys : nil
            needsKeyOnly = !isShort
            members = settings.nodes.indices.map { UInt32(firstNode + $0) }
            distributor =
                earlier?.distributor
                ?? Distributor(kind: settings.distribution, members: settings.nodes.map(\.member))
            return
        }
        self.keys = nil
        needsKeyOnly = settings.distribution != .leastLoaded && settings.distribution != .random
        let leavesOut = settings.whenDown == .rehash && isShort
        let kept = settings.nodes.indices.filter { !leavesOut || keys[$0] == .own }
        members = kept.map { UInt32(firstNode + $0) }
        distributor = Distributor(kind: settings.distribution, members: kept.map { settings.nodes[$0].member })
    }

    convenience init(_ settings: PoolSettings, firstNode: Int, isUp: [Bool]) {
        self.init(settings, firstNode: firstNode, keys: isUp.map { $0 ? .own : .away })
    }

    /// The server of a node of the pool, which is another where the node is a target.
    public func server(of node: Int) -> Int {
        guard let moving = settings.moving, node >= servers.upperBound else { return node }
        return firstNode + moving.serverOfTarget[node - servers.upperBound]
    }

    /// The node of a key, which is a range of `bytes`.
    @inline(__always)
    func node(for key: ByteRange, in bytes: RawSpan, random: UInt64) -> UInt32 {
        members[distributor.pick(hashed(key, in: bytes), random: random)]
    }

    /// The nodes of all copies of a key with this hash, whether they are up or not: the first is `node`'s, the standby's
    /// is last.
    @inline(__always)
    public func copies(of hash: UInt64) -> Copies {
        if let lookup = unsafe lookup { return unsafe lookup._withUnsafeGuaranteedRef { $0.copies(of: hash) } }
        guard let keys else { return Copies(of: members[distributor.pick(hash, random: hash)]) }
        return standIns(keys, of: hash)
    }

    /// Some of its nodes' keys are on others.
    var isRehashing: Bool { keys != nil }

    /// Where a key is while some nodes' keys are on others: on the first node, in the ring's order, that has its own;
    /// and on one before that to which keys are brought home.
    ///
    /// So the keys of nodes that are up never move, whatever the distribution.
    @inline(never)
    private func standIns(_ keys: [KeyPlace], of hash: UInt64) -> Copies {
        let home = distributor.pick(hash, random: hash)
        if keys[home] == .own { return Copies(of: members[home]) }
        var order = InlineArray<8, UInt16>(repeating: 0)
        var span = order.mutableSpan
        let count = distributor.order(hash, random: hash, count: 8, into: &span)
        var newcomer: Int?
        // Behind the eighth, those that follow in the list.
        for step in 0..<(count + keys.count) {
            let member = step < count ? Int(order[step]) : (home + step - count) % keys.count
            switch keys[member] {
            case .away: break
            case .joining, .leading: newcomer = newcomer ?? member
            case .own:
                guard let newcomer else { return Copies(of: members[member]) }
                let (standIn, node) = (members[member], members[newcomer])
                return keys[newcomer] == .leading ? Copies(of: node, and: standIn) : Copies(of: standIn, and: node)
            }
        }
        return Copies(of: members[home])
    }

    /// Whether each key has `min_live` copies that a flush has come to, wherever it is, when so many nodes of each farm
    /// missed it.
    func staysFlushed(missedBy main: Int, standby: Int) -> Bool {
        guard !isMoving else { return false }
        let left = max(0, settings.replicas - main) + (settings.standby.isEmpty || standby > 0 ? 0 : 1)
        return left >= minLive
    }

    @inline(__always)
    func hashed(_ key: ByteRange, in bytes: RawSpan) -> UInt64 {
        guard let hashTag else { return hash.hash(bytes, from: key.start, count: key.count) }
        let tagged = hashTag.range(in: bytes, from: key.start, count: key.count)
        return hash.hash(bytes, from: tagged.lowerBound, count: tagged.count)
    }
}
