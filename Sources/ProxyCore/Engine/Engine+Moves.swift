internal import Bytes
internal import MemcacheProtocol
internal import Telemetry

/// A pool that is going over to other nodes.
struct PoolChange: BitwiseCopyable {
    var isUnderWay = false
    /// From then on what is under way is cut off.
    var deadline: UInt64 = 0
    var isForced = false
}

/// From one list of nodes to the next, after the config was changed.
///
/// Nothing is taken from the pool's clients any more, as when a limit is reached, until nothing of it is under way: no
/// request, no late copy, no repair and no back-fill. Then the pool, and what is kept by node, is replaced as a whole. So
/// no request sees two lists, and no two connections to one node can bring the writes of a key in another order. It takes
/// as long as the slowest request; one that has not ended when every time limit is over is cut off.
extension Engine {
    /// Beside the timeouts: for who waits for the control thread's word on a missed write, which is told in time itself.
    private static var movePatience: UInt64 { 1_000_000_000 }
    /// Whether a pool has come to rest is looked at as often, and after whatever happens.
    static var movePause: UInt64 { 1_000_000 }

    /// Pools that have other nodes in the topology than here go over to them.
    public func beginMoves() {
        for index in 0..<changes.count where owned[index].firstNode != topology.pools[index].firstNode {
            guard !changes[index].isUnderWay else { continue }
            let settings = owned[index].settings
            changes[index] = PoolChange(
                isUnderWay: true, deadline: now &+ 2 &* settings.timeout &+ Self.movePatience, isForced: false)
            clients.forEachUsed { if clients[$0].pool == UInt16(index) { clients[$0].flags.insert(.held) } }
        }
        isMoving = (0..<changes.count).contains { changes[$0].isUnderWay }
        if isMoving { repairs.hurry(now: now) } else { hasMoved = true }
    }

    /// True once, when all pools are as the topology has them.
    public func takeMoved() -> Bool {
        defer { hasMoved = false }
        return hasMoved
    }

    /// Replaces the pools in which nothing is under way any more.
    func proceedMoves() {
        for index in 0..<changes.count where changes[index].isUnderWay {
            if !changes[index].isForced, now >= changes[index].deadline { force(index) }
            if isAtRest(index) { finishMove(of: index) }
        }
        isMoving = (0..<changes.count).contains { changes[$0].isUnderWay }
        hasMoved = !isMoving
    }

    private func isAtRest(_ pool: Int) -> Bool {
        for index in 0..<liveLinks.count {
            let link = links[liveLinks[index]]
            if owned[pool].nodes.contains(Int(link.node)), link.count > 0 { return false }
        }
        guard changes[pool].isForced || !repairs.holdsRepairs(ofPool: UInt16(pool)),
            owned[pool].nodes.allSatisfy({ !misses[$0].isUnderWay })
        else { return false }
        var isBusy = false
        requests.forEachUsed { if requests[$0].pool == UInt16(pool) { isBusy = true } }
        return !isBusy
    }

    /// The time is over: clients that still have something under way are closed, and what was sent is given up.
    private func force(_ pool: Int) {
        changes[pool].isForced = true
        requests.forEachUsed {
            let client = requests[$0].client
            guard requests[$0].pool == UInt16(pool), client != none else { return }
            poolStats[pool].errors.count(.slowClient)
            queues.clear(&clients[client].output)
            abandonRequests(of: client)
        }
        for node in owned[pool].nodes { giveUpMisses(of: UInt32(node)) }
        failLinks(to: owned[pool].nodes)
    }

    private func failLinks(to nodes: Range<Int>) {
        for index in 0..<liveLinks.count where nodes.contains(Int(links[liveLinks[index]].node)) {
            fail(link: liveLinks[index], nil)
        }
    }

    private func finishMove(of index: Int) {
        let (before, after) = (owned[index], topology.pools[index])
        poolStats.update(index) { repairs.forget(pool: UInt16(index), counted: &$0.repairs) }
        for (place, number) in after.nodes.enumerated() {
            var row = NodeRow(topology.nodes[number], of: after.settings)
            nodeStats[number] = NodeStats()
            misses[number] = NodeMisses()
            if let origin = after.origins[place] { inherit(from: UInt32(origin), to: UInt32(number), &row) }
            nodes[UInt32(number)] = row
        }
        // What is left belongs to nodes that are gone.
        failLinks(to: before.nodes)
        for number in before.nodes {
            nodeStats[number] = NodeStats()
            nodes[UInt32(number)].access = .none
        }
        use(after, as: index)
        renewHedging(pool: index)
        checks[index].due = after.checkInterval > 0 ? now : .max
        planChecks()
        shortestTimeout = owned.map { min($0.settings.timeout, $0.settings.connectTimeout) }.min() ?? shortestTimeout
        for node in nodes(ofPool: UInt16(index)) { judge(node) }
        changes[index] = PoolChange()
        moves[index] = KeyMoves(patience: after.settings.timeout)
        release(clientsOf: index)
    }

    /// The same node by another number: its connections stay, and what is known of it.
    private func inherit(from origin: UInt32, to number: UInt32, _ row: inout NodeRow) {
        let old = nodes[origin]
        (row.access, row.distrustedAt, row.hasMissed) = (old.access, old.distrustedAt, old.hasMissed)
        (row.hasBeenDown, row.isSuspect, row.version) = (old.hasBeenDown, old.isSuspect, old.version)
        (row.link, row.spare) = (old.link, old.spare)
        nodes[origin].link = none
        nodes[origin].spare = none
        for index in 0..<liveLinks.count where links[liveLinks[index]].node == origin {
            links[liveLinks[index]].node = number
        }
        nodeStats[Int(number)] = nodeStats[Int(origin)]
    }

    private func release(clientsOf pool: Int) {
        let (isElsewhere, limit) = (readsElsewhere(pool: UInt16(pool)), owned[pool].pipelineLimit)
        let (hasCopies, isTagged) = (hasCopies(pool: UInt16(pool)), owned[pool].tagsAlways)
        clients.forEachUsed { id in
            guard clients[id].pool == UInt16(pool) else { return }
            clients.update(id) {
                $0.flags.remove(.held)
                if isElsewhere { $0.flags.insert(.readsElsewhere) } else { $0.flags.remove(.readsElsewhere) }
                if hasCopies { $0.flags.insert(.copies) } else { $0.flags.remove(.copies) }
                if isTagged { $0.flags.insert(.tagged) } else { $0.flags.remove(.tagged) }
                $0.pipelineLimit = limit
            }
            considerResuming(id)
        }
    }
}
