/// What one node answered to one poll.
public struct MarkerReading: Equatable, Sendable {
    public var ready: Token?
    public var filling: Filling?
    /// Of each node of the pool; its own is nil.
    public var standings: [Standing?]
    /// The node's CAS number, from the tick; 0 where it keeps none.
    public var cas: UInt64
    /// Where keys go, by proxies that read them where they were, and by others that read them there.
    public var moving: Token?
    public var moved: Token?
    /// Where they are read by the former; see `FormerPlaces`.
    public var former: [UInt8]?
    /// Some proxy writes elsewhere.
    public var hasObjection = false

    public init(ready: Token?, filling: Filling?, standings: [Standing?], cas: UInt64) {
        self.ready = ready
        self.filling = filling
        self.standings = standings
        self.cas = cas
    }
}

/// What a proxy may do with each node of a pool, by the markers that it last read. It reads no clock and sends nothing.
///
/// A node is *full*, and may be read, while all of this holds:
///
/// 1. its ready marker was seen by the last poll, which is not older than `lifetime`;
/// 2. this process knows of no write that it missed under that token;
/// 3. no other node that answers says that the token is revoked;
/// 4. every other node that has a ready marker itself, not revoked, confirms the token. So a marker that was evicted
///    makes a node unreadable and never readable; and a node that was filled while another was away has yet to be
///    compared with that one.
///
/// A node that answers and is not full is *syncing*.
///
/// What a flush takes counts on for a while, and is put back: see `PoolMarkers+Losses`; a node that is not heard for a moment: `PoolMarkers+Patience`.
public struct PoolMarkers: Sendable {
    /// None: it does not answer, or what is known of it is too old.
    public typealias Access = NodeAccess

    struct Node: Sendable {
        /// It has answered or failed once: until all have, none of them is trusted, for one may know of a revocation.
        var isKnown = false
        /// Nil: it does not answer.
        var reading: MarkerReading?
        /// When that reading was asked for.
        var asked: UInt64 = 0
        /// The connection on which it was read is gone; until the next, who answers may be another process.
        var isSevered = false
        /// Nobody hears it: the token under which it was full when it was last heard.
        var unheard: Token?
        var points = WatermarkRing()
        /// Its tokens under which it missed a write, the newest last.
        var revoked: [Token] = []
        /// It missed a write since it was last full.
        var hasMissed = false
        /// When it was last found to be full, since its process began.
        var lastWhole: UInt64 = 0
        /// By the last reading there was: what a process holds is not gone because it is not heard for a moment.
        var emptiness = Emptiness.all
        /// Since when some of what `reading` says is on the node no more.
        var lostAt: UInt64?
        /// Its ready marker is not among that: it lacks some of what it keeps about others.
        var hasStayedReady = false
        /// It has had all the others since then.
        var lacksReadyOnly = false
    }

    /// What a node lacks of what it had when it was full.
    enum Emptiness: Comparable, Sendable {
        case nothing
        /// A filling has begun to take from it.
        case some
        /// It has not been full since its process began.
        case all

        init(_ reading: MarkerReading) {
            if let filling = reading.filling {
                self = filling.hadFilling ? .some : .all
            } else {
                self = reading.ready != nil ? .nothing : .all
            }
        }
    }

    static let revokedLimit = 8

    var nodes: [Node]
    /// The ready token of each node, if nobody who answers says that it is revoked. Kept, as every verdict asks for all.
    private var claims: [Token?]
    /// How old a reading may be, in nanoseconds: the next is there before, unless the process stood still.
    public let lifetime: UInt64
    public let quietTime: UInt64
    /// How long after its last poll was sent a node that is not heard is taken for what it was: until the next poll has
    /// run out of time, and a new connection has been tried.
    let patience: UInt64
    let timeout: UInt64
    /// Until then, what is found to be lost was taken by a flush of all nodes.
    var flushedUntil: UInt64 = 0

    /// - Parameters:
    ///   - poll: from one poll to the next, in nanoseconds.
    ///   - timeout: of an operation, and of a poll.
    public init(nodes count: Int, poll: UInt64, timeout: UInt64) {
        nodes = Array(repeating: Node(), count: count)
        claims = Array(repeating: nil, count: count)
        lifetime = Self.lifetime(poll: poll, timeout: timeout)
        quietTime = Self.quietTime(poll: poll, timeout: timeout)
        patience = (poll - poll / 4).addingSaturated(timeout)
        self.timeout = timeout
    }

    /// How long a filling waits after its announcement: until then every reading from before is too old, every write
    /// begun under it is over, and what a node had received before it stood still has been carried out.
    public static func quietTime(poll: UInt64, timeout: UInt64) -> UInt64 {
        lifetime(poll: poll, timeout: timeout).addingSaturated(timeout).addingSaturated(1_000_000_000)
    }

    private static func lifetime(poll: UInt64, timeout: UInt64) -> UInt64 {
        poll.addingSaturated(timeout).addingSaturated(timeout)
    }

    /// What this process knows of a node, and the node does not tell, from when the pool's nodes were others.
    public mutating func inherit(_ node: Int, from origin: Int, of earlier: PoolMarkers) {
        nodes[node].points = earlier.nodes[origin].points
        nodes[node].revoked = earlier.nodes[origin].revoked
        nodes[node].hasMissed = earlier.nodes[origin].hasMissed
        nodes[node].emptiness = earlier.nodes[origin].emptiness
        nodes[node].lastWhole = earlier.nodes[origin].lastWhole
    }

    // MARK: What other proxies say of keys that move

    /// Where keys are that are on their way to `places`, by all nodes that are proven, or else that answer: it is taken
    /// from all before the first write goes to `places` only, and what one has kept that was away then is old.
    public func former(to places: Token) -> FormerPlaces? {
        let answering = nodes.indices.filter { nodes[$0].reading != nil }
        let proven = answering.filter { claim($0) != nil }
        let texts = (proven.isEmpty ? answering : proven).map { nodes[$0].reading?.former }
        guard let first = texts.first, let first, texts.allSatisfy({ FormerPlaces.next(in: $0) == places }) else {
            return nil
        }
        return FormerPlaces(text: first)
    }

    /// From where some proxy takes keys back to `places`. Once they are read there by others, what says so is a leftover.
    public func origin(ofKeysTo places: Token) -> FormerPlaces? { hasMoved(to: places) ? nil : former(to: places) }

    /// Some proxy that answers for a node writes keys elsewhere.
    public var isOpposed: Bool { nodes.contains { $0.reading?.hasObjection == true } }

    /// Some proxy reads keys where they were that are to be there.
    public func isMoving(to places: Token) -> Bool { nodes.contains { $0.reading?.moving == places } }

    /// Some proxy reads them where they are to be already.
    public func hasMoved(to places: Token) -> Bool { nodes.contains { $0.reading?.moved == places } }

    /// Some proxy takes keys to other places than these; or reads them there already.
    public func isMoving(besides places: Token) -> Bool {
        nodes.contains { $0.reading?.moving.map { $0 != places } ?? false }
    }

    public func hasMoved(besides places: Token) -> Bool {
        nodes.contains { $0.reading?.moved.map { $0 != places } ?? false }
    }

    // MARK: What happened

    /// A node has answered a poll: the first answer after a connection is made is what makes it reachable.
    ///
    /// - Parameter asked: when the poll was sent.
    public mutating func read(_ node: Int, _ reading: MarkerReading, asked: UInt64, now: UInt64) {
        nodes[node].isKnown = true
        nodes[node].reading = withLosses(reading, of: node, asked: asked, now: now)
        (nodes[node].asked, nodes[node].isSevered, nodes[node].unheard) = (asked, false, nil)
        nodes[node].emptiness = Emptiness(nodes[node].reading ?? reading)
        if nodes[node].emptiness == .all { nodes[node].lastWhole = 0 }
        if let token = nodes[node].reading?.ready {
            nodes[node].points.record(cas: reading.cas, token: token, now: now)
        }
        findClaims()
        for other in nodes.indices where access(other, now: now) == .full {
            (nodes[other].hasMissed, nodes[other].lastWhole) = (false, now)
        }
    }

    /// A write failed on the node, or was left out, though another copy may have taken it. From now on it is not full.
    public mutating func missedWrite(_ node: Int) {
        nodes[node].hasMissed = true
        if let reading = nodes[node].reading {
            revoke(node, reading.ready)
            revoke(node, reading.filling?.token)
        }
        revoke(node, nodes[node].unheard)
        for other in nodes { revoke(node, other.reading?.standings[node]?.token) }
        findClaims()
    }

    /// A revocation stands at a peer, or is about to.
    public mutating func published(_ standing: Standing, of node: Int, on peer: Int) {
        nodes[peer].reading?.standings[node] = standing
        if standing.isRevoked { revoke(node, standing.token) }
        findClaims()
    }

    private mutating func revoke(_ node: Int, _ token: Token?) {
        guard let token, !nodes[node].revoked.contains(token) else { return }
        if nodes[node].revoked.count == Self.revokedLimit { nodes[node].revoked.removeFirst() }
        nodes[node].revoked.append(token)
    }

    // MARK: What follows

    public func access(_ node: Int, now: UInt64) -> Access {
        guard isReachable(node, now: now), isInformed else { return .none }
        return isConfirmed(node) ? .full : .syncing
    }

    func isConfirmed(_ node: Int) -> Bool {
        guard let token = claim(node) else { return false }
        for peer in nodes.indices where peer != node && claim(peer) != nil {
            guard nodes[peer].reading?.standings[node]?.confirms(token) == true else { return false }
        }
        return true
    }

    /// All nodes have answered or failed once.
    public var isInformed: Bool { nodes.allSatisfy(\.isKnown) }

    public func isKnown(_ node: Int) -> Bool { nodes[node].isKnown }

    /// When the reading was asked for that says what the node is.
    public func provenAt(_ node: Int) -> UInt64 { nodes[node].asked }

    /// Until when the readings of all nodes that answer are young enough; `.max` where none does.
    public var goodUntil: UInt64 {
        nodes.map { $0.reading == nil ? .max : $0.asked.addingSaturated(lifetime) }.min() ?? .max
    }

    public func isReachable(_ node: Int, now: UInt64) -> Bool {
        nodes[node].reading != nil && now < nodes[node].asked.addingSaturated(lifetime)
    }

    func claim(_ node: Int) -> Token? { claims[node] }

    mutating func findClaims() {
        for node in nodes.indices {
            claims[node] = findClaim(node)
            // Once somebody says otherwise, for good: what he says may be replaced, or not be heard any more.
            if let token = nodes[node].unheard, !isUndisputed(token, of: node) { nodes[node].unheard = nil }
        }
    }

    private func findClaim(_ node: Int) -> Token? {
        guard let token = nodes[node].reading?.ready, !nodes[node].revoked.contains(token) else { return nil }
        for peer in nodes.indices where peer != node {
            guard let standing = nodes[peer].reading?.standings[node], standing.isRevoked else { continue }
            if standing.token == nil || standing.token == token { return nil }
        }
        return token
    }

    /// Whether a write that leaves this node out needs no further revocation: each other node that answers has one.
    public func isCovered(_ node: Int, now: UInt64) -> Bool {
        let peers = reachablePeers(of: node, now: now)
        return !peers.isEmpty && peers.allSatisfy { nodes[$0].reading?.standings[node]?.isRevoked == true }
    }

    /// Where a revocation of the node goes.
    public func reachablePeers(of node: Int, now: UInt64) -> [Int] {
        nodes.indices.filter { $0 != node && isReachable($0, now: now) }
    }

    /// What the node may have missed of the peer's writes, for a revocation.
    ///
    /// - Parameter sent: when the write was sent that failed. Others may have failed that were under way then.
    public func missed(on peer: Int, sent: UInt64) -> Missed {
        guard let token = nodes[peer].reading?.ready else { return .unknown }
        let time = sent > timeout ? sent - timeout : 0
        return nodes[peer].points.last(before: time, token: token).map(Missed.since) ?? .unknown
    }

    /// The token to name in a revocation where the peer knows none.
    public func token(of node: Int) -> Token? { nodes[node].reading?.ready ?? nodes[node].revoked.last }

    /// Which revocations are missing on whom, of those that this process knows: to be looked for after each poll.
    public func missingRevocations(now: UInt64) -> [(node: Int, peer: Int)] {
        var missing: [(node: Int, peer: Int)] = []
        for node in nodes.indices where nodes[node].hasMissed {
            for peer in reachablePeers(of: node, now: now) {
                guard let standing = nodes[peer].reading?.standings[node] else {
                    missing.append((node, peer))
                    continue
                }
                if !standing.isRevoked, let token = standing.token, nodes[node].revoked.contains(token) {
                    missing.append((node, peer))
                }
            }
        }
        return missing
    }

    /// The nodes to be taken as they are: this is a first start. All nodes answer, and none has ever been ready or is
    /// being filled; those that missed a write since then are left out, unless all did.
    public func adoptable(now: UInt64) -> [Int] {
        for node in nodes.indices {
            guard isReachable(node, now: now), !nodes[node].isSevered, let reading = nodes[node].reading else {
                return []
            }
            // Or keys are on their way there from others.
            guard reading.ready == nil, reading.filling == nil, reading.former == nil else { return [] }
        }
        let whole = nodes.indices.filter { node in
            !nodes[node].hasMissed && !nodes.contains { $0.reading?.standings[node]?.isRevoked == true }
        }
        return whole.isEmpty ? Array(nodes.indices) : whole
    }

    /// The node to be filled next. One at a time: two that fill each other would prove nothing.
    ///
    /// Of keys with no full copy left, the first node that is filled keeps what it has, and all others are held to it: so
    /// it is the one that was full last, and not one that came back empty or was away for longer.
    ///
    /// - Parameter others: are not to be filled now.
    public func fillable(now: UInt64, besides others: Set<Int> = []) -> Int? {
        // While one is not heard it is open whom to ask, and what it will be.
        guard adoptable(now: now).isEmpty, !nodes.contains(where: \.isSevered) else { return nil }
        var best: Int?
        for node in nodes.indices where access(node, now: now) == .syncing && !others.contains(node) {
            if best.map({ wasFullLater(node, than: $0) }) != false { best = node }
        }
        return best
    }

    private func wasFullLater(_ node: Int, than other: Int) -> Bool {
        let (lacks, otherLacks) = (nodes[node].emptiness, nodes[other].emptiness)
        guard lacks == otherLacks else { return lacks < otherLacks }
        // Both by the count of one that has missed nothing, if there is one.
        for keeper in nodes.indices where keeper != node && keeper != other && claim(keeper) != nil {
            guard let token = claim(keeper), let standings = nodes[keeper].reading?.standings else { continue }
            let (since, others) = (standings[node]?.missed ?? .unknown, standings[other]?.missed ?? .unknown)
            if since != others { return since.watermark(token: token) > others.watermark(token: token) }
        }
        return nodes[node].lastWhole > nodes[other].lastWhole
    }

    /// The node was full since its process began: of keys with no full copy, what it has is better than nothing.
    public func hasContents(_ node: Int) -> Bool { nodes[node].emptiness < .all }

    /// When the node was last found to be full, if it still has what it had; else 0.
    public func lastWhole(_ node: Int) -> UInt64 { hasContents(node) ? nodes[node].lastWhole : 0 }

    /// What the others say of a node, for one that was away: it has no writes of its own that the node could have missed.
    func stance(on node: Int, besides newcomer: Int) -> Standing? {
        var stance: Standing?
        for peer in nodes.indices where peer != node && peer != newcomer {
            guard let standing = nodes[peer].reading?.standings[node] else { continue }
            if standing.isRevoked { return Standing(token: standing.token, isRevoked: true, missed: .unknown) }
            stance = Standing(token: standing.token, isRevoked: false, missed: .nothing)
        }
        if let token = nodes[node].reading?.ready {
            guard !nodes[node].revoked.contains(token) else {
                return Standing(token: token, isRevoked: true, missed: .unknown)
            }
            return stance ?? Standing(token: token, isRevoked: false, missed: .nothing)
        }
        return stance
    }

    /// What a filling of this node has to know of the others.
    public func peers(of node: Int, now: UInt64) -> [FillingPeer] {
        nodes.indices.map { peer in
            guard peer != node, isReachable(peer, now: now) else { return .unreachable }
            guard access(peer, now: now) == .full, let token = nodes[peer].reading?.ready else { return .reachable }
            return .full(token)
        }
    }
}

/// One of the other nodes, as a filling sees it.
public enum FillingPeer: Equatable, Sendable {
    case unreachable
    /// It answers, and proves nothing.
    case reachable
    /// What it holds is what counts.
    case full(Token)
}
