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
    /// Over the nodes that take requests: with `when_down: rehash` and one copy of each key those that are up, else all.
    let distributor: Distributor
    /// Where each key's copies are; nil where a key has one.
    public let placement: Placement?
    /// The same, for use without counting a reference.
    private let lookup: Unmanaged<Placement>?
    /// Copies of each key, 1 to 8.
    public let copyCount: Int
    /// Of its nodes; empty where a key has one copy.
    let casTags: [CASTag]
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
    /// Ring member to node among all nodes.
    let members: [UInt32]
    let pipelineLimit: UInt32
    let whenDown: PoolSettings.WhenDown
    let isLeastLoaded: Bool
    /// A key's node follows from the key alone.
    let needsKeyOnly: Bool
    let protocolLimits: ProtocolLimits

    /// - Parameter earlier: the placement of a pool with the same settings and first node.
    init(
        _ settings: PoolSettings, firstNode: Int, isUp: [Bool], origins: [Int?] = [], earlier: Placement? = nil
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
        needsKeyOnly =
            settings.hasCopies || (settings.distribution != .leastLoaded && settings.distribution != .random)
        protocolLimits = settings.limits.protocolLimits
        copyCount = settings.copies
        let tags = settings.hasCopies ? CASTag.tags(ofNodes: settings.servers.map(\.label)) : []
        casTags = tags + (settings.moving?.serverOfTarget.map { tags[$0] } ?? [])
        acks = settings.acks
        minLive = settings.minLive
        read = settings.read
        onMiss = settings.asksNext ? .next : settings.onMiss
        isMoving = settings.moving != nil
        hedge = settings.hedge
        checkInterval = settings.hasCopies && settings.checks > 0 ? 1_000_000_000 / UInt64(settings.checks) : 0
        if settings.hasCopies {
            // Down nodes keep their places, so one placement serves all generations.
            let placement =
                earlier ?? settings.moving?.placement(firstNode: firstNode) ?? Placement(settings, firstNode: firstNode)
            self.placement = placement
            unsafe lookup = .passUnretained(placement)
            distributor = placement.ring
            members = (0..<distributor.count).map { UInt32(firstNode + $0) }
            return
        }
        placement = nil
        unsafe lookup = nil
        // A pool that is down altogether keeps its ring: its nodes answer for themselves.
        let leavesOut = settings.whenDown == .rehash && isUp.contains(true)
        let kept = settings.nodes.indices.filter { !leavesOut || isUp[$0] }
        members = kept.map { UInt32(firstNode + $0) }
        distributor = Distributor(
            kind: settings.distribution,
            members: kept.map { settings.nodes[$0].member })
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
        return Copies(of: members[distributor.pick(hash, random: hash)])
    }

    @inline(__always)
    func hashed(_ key: ByteRange, in bytes: RawSpan) -> UInt64 {
        guard let hashTag else { return hash.hash(bytes, from: key.start, count: key.count) }
        let tagged = hashTag.range(in: bytes, from: key.start, count: key.count)
        return hash.hash(bytes, from: tagged.lowerBound, count: tagged.count)
    }
}
