public import Bytes
internal import Distribution
internal import MemcacheProtocol
public import Telemetry

/// The whole proxy of one worker, without sockets: bytes and events go in, bytes and wishes come out.
///
///     client bytes ──▶ received(fromClient:) ──▶ node's queue     (linkOutput)
///     client's queue (clientOutput) ◀── received(fromLink:) ◀── node bytes
///
/// Two first-in first-out lists explain everything. A client's `Request`s leave in the order in which they came. A
/// link's `Call`s are answered in the order in which they were sent. A request has one call, or several: a get of keys
/// on several nodes, a flush of all of them.
///
/// Time is told (`now`), never read. What the shell must do stands in the work lists, to be emptied each turn. Rows are
/// plain values in tables, known by number: no object, no reference count and no allocation per request.
@safe
public final class Engine {
    /// A client whose unsent output is larger is not read any further.
    static let outputHighWater = 256 * 1024
    /// A value from here on does not share a connection with requests that come after it.
    static let largeValue = 256 * 1024

    public let queues: ByteQueues
    let clients: Table<Client>
    let requests: Table<Request>
    let calls: Table<Call>
    let pieces: Table<Piece>
    let fans: Table<Fan>
    let runs: Table<RepairRun>
    /// The rows of `runs` that are in use.
    let liveRuns = Stack<UInt32>()
    /// Clients that wait for a repair of the key they ask for.
    let awaitingRepair = Stack<UInt32>()
    let fills: Table<Fill>
    /// Back-fills to begin before the turn ends.
    let fillWishes = Stack<FillWish>()
    /// Of each pool with `read: fastest`.
    let hedgings = Stack<Hedging>()
    let hedgeWaits: Table<HedgeWait>
    let lineHedges: Table<LineHedge>
    /// Reads of which both askings are under way, or the one that is not wanted any more.
    var doubledReads = 0
    let repairs: RepairQueue
    /// Shared with the other workers.
    let writes: WriteTable
    /// This worker among them.
    let writer: UInt32
    /// Likewise, where there are other workers; and this one's number.
    let locks: WriteLocks
    let hasPeers: Bool
    let number: Int
    /// Writes that wait until their key is this worker's.
    let lockWaits: LockWaits
    /// Seconds. Told now and then, and counted on from there.
    public var unixTime: Int64 {
        get { epoch &+ Int64(now / 1_000_000_000) }
        set { epoch = newValue &- Int64(now / 1_000_000_000) }
    }
    /// The Unix time at which `now` was 0.
    private var epoch: Int64 = 0
    let links: Table<Link>

    let nodes: Table<NodeRow>
    /// The pools of `topology`, which owns them, for use without counting references.
    let pools: Stack<Unmanaged<Pool>>
    /// In use at once, by pool.
    let clientCounts = Stack<Int>()
    private(set) var topology: Topology
    /// The same, by pool, as an owner.
    var owned: [Pool]
    /// By pool; and whether one of them is under way, or has come to its end in this turn.
    let changes: Stack<PoolChange>
    var isMoving = false
    var hasMoved = false
    let limits: Limits
    /// Bytes of buffer from which on memory is short: behind it there is room for what one turn brings.
    let highMark: Int
    /// What clients have sent and Drover cannot use yet may have three eighths of the memory.
    let receivedHighMark: Int
    var parser = RequestParser()
    /// For lines of our own, while those of clients are being worked on.
    var reparser = RequestParser()
    /// For lines that are made here.
    var made = LineBuffer()
    /// For reply lines whose CAS number is changed.
    var retagged = LineBuffer()
    var random: UInt64
    /// Where replies to all clients are written.
    var arena = OpenChunk()
    /// Monotonic nanoseconds of this turn.
    public internal(set) var now: UInt64 = 0

    public let poolStats = Stack<PoolStats>()
    public let nodeStats = Stack<NodeStats>()
    public let work = Work()
    /// By pool; and the earliest time at which one is due, and whether it has come.
    let checks = Stack<CheckState>()
    var nextCheck = UInt64.max
    var isCheckDue = false
    /// By pool; and when it is looked at again.
    let givenUp = Stack<GivenUp>()
    var nextNotice: UInt64 = 0
    /// By node; the writes that wait; and when the first of them has waited for too long.
    let misses = Stack<NodeMisses>()
    let missWaits: Table<MissWait>
    var nextMissDeadline = UInt64.max
    /// By pool: when its keys' places changed last.
    let moves = Stack<KeyMoves>()
    /// By pool: until when what is known of its nodes is good; and the earliest of those times that are still to come.
    let trusts = Stack<UInt64>()
    var nextMistrust = UInt64.max

    /// Nodes touched by the multi-key get that is being taken apart.
    let building = Stack<UInt32>()
    /// Links that are not closed, or not yet released.
    let liveLinks = Stack<UInt32>()
    /// Links to fail once the bytes at hand are worked off.
    let condemned = Stack<UInt32>()
    /// In flight by ring member, for `least-loaded`.
    let loads = Stack<Int32>()
    /// Links that are not read for now.
    let pausedLinks = Stack<UInt32>()

    /// This worker's share of what all may use.
    public struct Limits: Sendable {
        /// Bytes of buffer.
        public var memory: Int
        /// Connections by pool.
        public var clients: [Int]
        /// Requests, calls, and keys of gets of several, that there can be at once. From three quarters of it on a
        /// client has one request at a time.
        public var rows: Int

        public init(memory: Int, clients: [Int], rows: Int = 1 << 20) {
            self.memory = memory
            self.clients = clients
            self.rows = rows
        }
    }

    /// - Parameters:
    ///   - seed: for `distribution: random`.
    ///   - number: of this worker among those that share `writes` and `locks`, from 0 on.
    public init(
        _ topology: Topology, limits: Limits, seed: UInt64, writes: WriteTable = WriteTable(),
        locks: WriteLocks = WriteLocks(workers: 1), number: Int = 0
    ) {
        self.writes = writes
        writer = writes.join()
        self.locks = locks
        self.number = number
        hasPeers = locks.workers > 1
        repairs = RepairQueue(seed: seed, writes: writes)
        runs = Table(limit: Self.repairLimit)
        fills = Table(limit: Self.fillLimit)
        hedgeWaits = Table(limit: Self.watchLimit)
        lineHedges = Table(limit: limits.rows / 8 + 1)
        unsafe pools = Stack()
        self.topology = topology
        owned = topology.pools
        changes = Stack()
        self.limits = limits
        highMark = limits.memory - min(max(limits.memory / 8, 2 * Self.largeValue), limits.memory / 2)
        receivedHighMark = limits.memory / 8 * 3
        random = seed | 1
        shortestTimeout =
            topology.pools.map { min($0.settings.timeout, $0.settings.connectTimeout) }.min() ?? 1_000_000_000
        queues = ByteQueues(limit: limits.memory)
        let clientLimit = limits.clients.reduce(1, +)
        clients = Table(limit: clientLimit)
        // Room for nodes that the config may name later: it costs nothing until then.
        let nodeLimit = max(topology.nodes.count, Topology.nodeLimit)
        nodes = Table(limit: nodeLimit)
        // Room for a request of every client beyond what `hasRoom` allows, and for a large block of each; for the
        // copies of as many writes as `hasRoomForFan` allows; and for repairs and fills.
        requests = Table(limit: 2 * limits.rows + clientLimit + 1024)
        calls = Table(limit: 2 * limits.rows + (Copies.capacity + 1) * clientLimit + 1024)
        pieces = Table(limit: limits.rows)
        fans = Table(limit: limits.rows + 1)
        lockWaits = LockWaits(limit: 2 * (limits.rows + 1))
        // No write waits for more nodes than its key has copies, no flush for more than it has pieces.
        missWaits = Table(limit: 2 * limits.rows + 1024)
        links = Table(limit: 4 * nodeLimit + clientLimit + 1024)
        for pool in topology.pools {
            unsafe pools.push(Unmanaged.passUnretained(pool))
            poolStats.push(PoolStats())
            if let hedging = Hedging(pool, number: poolStats.count - 1) { hedgings.push(hedging) }
            changes.push(PoolChange())
            clientCounts.push(0)
            givenUp.push(GivenUp())
            moves.push(KeyMoves(patience: pool.settings.timeout))
            trusts.push(.max)
            checks.push(CheckState(due: pool.checkInterval > 0 ? 0 : .max))
        }
        addRows()
        planChecks()
    }

    /// A row for each node of the topology that has none.
    private func addRows() {
        for node in topology.nodes[nodes.count...] {
            nodeStats.push(NodeStats())
            _ = nodes.take(NodeRow(node, of: topology.pools[node.pool].settings))
            misses.push(NodeMisses())
        }
    }

    /// The clock, read once for all that the turn brings.
    public func beginTurn(at time: UInt64) {
        now = time
        isCheckDue = time >= nextCheck
        if time >= nextMistrust { mistrust() }
    }

    /// Calls are under way, so that time matters.
    var isBusy: Bool { calls.count > 0 }

    /// The earliest that anything begun now can be late, in nanoseconds.
    var shortestTimeout: UInt64

    /// Clients may have more than one request under way.
    var hasRoom: Bool { requests.count < limits.rows / 4 * 3 && calls.count < limits.rows / 4 * 3 }

    /// A write to several copies outlives its answer when one of them is slow: whoever asks one request at a time can
    /// have many of them.
    @inline(__always)
    func hasRoomForFan(of copies: Int) -> Bool { (fans.count + 1) * copies <= limits.rows }

    /// A request may take so many calls and pieces.
    func hasRoom(for count: Int) -> Bool {
        pieces.count + count <= limits.rows && calls.count + count <= limits.rows
    }

    /// Takes over another generation of the same pools. What it says of nodes counts at once; a pool whose nodes have other
    /// numbers stays as it is until `beginMoves`.
    public func adopt(_ next: Topology) {
        precondition(next.pools.count == topology.pools.count && next.nodes.count >= topology.nodes.count)
        topology = next
        for index in next.pools.indices
        where owned[index].firstNode == next.pools[index].firstNode && owned[index] !== next.pools[index] {
            use(next.pools[index], as: index)
            if next.pools[index].settings.bringsHome { rearrange(pool: index) }
        }
        addRows()
        // All before anything follows from one of them.
        for index in next.nodes.indices { nodes[UInt32(index)].verdict = next.nodes[index].verdict }
        for pool in 0..<UInt16(owned.count) { for node in nodes(ofPool: pool) { judge(node) } }
    }

    func use(_ pool: Pool, as index: Int) {
        unsafe pools[index] = Unmanaged.passUnretained(pool)
        owned[index] = pool
    }
}
