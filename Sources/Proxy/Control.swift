internal import Glibc
public import Logging
public import ProxyCore
public import Reactor
internal import Sockets
internal import Telemetry

/// The thread that decides for all workers: verdicts on nodes, addresses, signals, figures for operators, the end.
///
/// Workers report what they see; this thread answers with a new topology or address. It never touches a request.
public final class Control {
    /// As they run.
    var settings: Settings
    private let workerCount: Int
    let logger: Logger
    /// The control thread's: other slow things, the admin's HTTP, may live on it.
    public let loop = EventLoop()
    let mailbox = Mailbox<ToControl>()
    var workers: [Mailbox<ToWorker>] = []
    private var threads: [LoopThread] = []

    var topology: Topology
    var addresses: [SocketAddress?]
    var health: [PoolHealth]
    /// By node: when a worker last lost a connection to it; 0 when it has been proven since.
    var owesProof: [UInt64]
    /// How much of each pool has its copies on nodes that are read, and on nodes that answer.
    var reach: [PoolReach]
    var answering: [PoolReach]
    /// The share of keys of which the log has said that they are read though no copy is known to be whole.
    var unprovenTold: [Double]
    /// By pool; of those with copies.
    var keepers: [PoolKeeper?] = []
    /// By pool; of those whose nodes stand in for each other.
    var homes: [HomeKeeper?] = []
    var probes = Probes()
    /// Made when it is first needed.
    var transfers: TransferThread?
    /// Passes under way, by number: whose they are, and who hears of their end.
    var passes: [UInt64: (job: Job, ended: (PassEnd) -> Void)] = [:]
    var lastPass: UInt64 = 0
    /// What SIGHUP and operators read the config with, and whether it is to be read once more.
    var readConfig: (() -> ConfigReading)?
    /// The text of the config that runs; nil where there is none.
    public internal(set) var configText: [UInt8]?
    var isReloadWanted = false
    /// Other settings on their way to the workers; keepers of the nodes before; and numbers that nodes had before.
    var change: RunningChange?
    var retired: [PoolKeeper] = []
    var aliases: [Int: Int] = [:]
    /// Keys under way to other nodes, by pool.
    var moves: [Int: MoveRun] = [:]
    /// By pool; of those with one copy of each key whose keys can move. And those of the settings before.
    var movers: [MoveKeeper?] = []
    var retiredMovers: [MoveKeeper] = []
    /// Moves that wait, by pool; and pools whose nodes may have what belongs to others, after a move.
    var postponed: [Int: PostponedMove] = [:]
    var unswept: Set<Int> = []
    /// Backups and restores under way, by pool.
    var archiving: [Int: ArchiveRun] = [:]
    /// By pool; of this process.
    var lastBackups: [Int: BackupRecord] = [:]
    /// Those that run and the last that have ended.
    var jobs: [Job] = []
    var lastJob = 0
    var foreground = ForegroundWatch()
    /// What of the clients' latency has been looked at, and when.
    var seenLatency = LatencyHistogram()
    var seenAt: UInt64 = 0
    /// When to look next how clients fare.
    var nextLook: UInt64 = .max
    lazy var resolver = Resolver(on: loop)
    /// When a node's name may be asked for again.
    var resolvableAt: [UInt64]
    var generator = SystemRandomNumberGenerator()

    /// The last snapshot of each worker.
    var snapshots: [WorkerSnapshot] = []
    let startedAt = EventLoop.monotonicNow()
    var noticeRate = LineRate()
    /// Workers whose answer to the last question for figures has not come.
    var missing: Set<Int> = []
    /// Workers that have ended, and count nothing more.
    var stopped: Set<Int> = []
    /// Requests for figures, to be answered when the mail is read.
    var asking: [(worker: Int, request: UInt32)] = []
    /// Writes under way, of all workers; and which of them may write a key.
    private let writes: WriteTable
    private let locks: WriteLocks
    private var cutOff = 0
    private var unrepaired = 0
    private var drainTime: UInt64 = 0
    /// Of Unix sockets.
    private var socketFiles: [SocketFile] = []
    /// Workers serve.
    private(set) var isStarted = false
    private(set) var isDraining = false

    public init(_ settings: Settings, logger: Logger) {
        self.settings = settings
        workerCount = settings.workers ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        self.logger = logger
        LibeventLog.send { logger.log(level: $0 ? .warning : .info, "libevent: \($1)") }
        topology = Topology(settings.pools)
        // Whatever the pools are now: their settings may change.
        writes = WriteTable()
        locks = WriteLocks(workers: workerCount)
        addresses = topology.nodes.map { SocketAddress(endpoint: $0.settings.address) }
        resolvableAt = Array(repeating: 0, count: topology.nodes.count)
        owesProof = resolvableAt
        reach = settings.pools.map { _ in .whole }
        answering = reach
        unprovenTold = reach.map { _ in 0 }
        health = settings.pools.map {
            PoolHealth(nodeCount: $0.allNodes.count, standbyCount: $0.standby.count, policy: HealthPolicy($0))
        }
    }

    /// Opens the listeners and starts the workers.
    public func start() throws(StartError) {
        _ = signal(SIGPIPE, SIG_IGN)
        // Before anybody can know that we run: a signal that comes early must drain too.
        _ = loop.watchSignal(SIGTERM, token: Self.stop)
        _ = loop.watchSignal(SIGINT, token: Self.stop)
        let listeners = try ListenerSet.open(settings.pools, workers: workerCount, files: &socketFiles)
        for (index, pool) in settings.pools.enumerated() {
            keepers.append(pool.hasCopies ? PoolKeeper(self, pool: index) : nil)
            homes.append(pool.bringsHome ? HomeKeeper(self, pool: index) : nil)
            movers.append(pool.hasHomes && !pool.hasCopies ? MoveKeeper(self, pool: index, after: nil) : nil)
        }
        resolveNames()
        awaitNames()
        learnMarkers()
        resumeMoves()
        // A signal to stop has come already.
        guard !isDraining else { return }
        workers = (0..<workerCount).map { _ in Mailbox() }
        for number in 0..<workerCount {
            let plan = Worker.Plan(
                number: number, topology: topology, addresses: addresses, limits: limits(of: number),
                seed: UInt64.random(in: 1 ... .max), writes: writes, locks: locks, peers: workers,
                listeners: listeners[number], mailbox: workers[number], control: self.mailbox)
            threads.append(LoopThread(name: "worker-\(number)") { Worker(plan).run() })
        }
        isStarted = true
        for home in homes { home?.tellTrust() }
        moveKeysOfAll()
        for pool in topology.pools.indices { measureReach(of: pool) }
        nextLook = loop.now
        snapshots = Array(repeating: WorkerSnapshot(), count: workerCount)
        for pool in settings.pools {
            for endpoint in pool.listen {
                logger.info("listening", metadata: ["pool": "\(pool.name)", "address": "\(endpoint)"])
            }
        }
    }

    /// Each worker has its share of the limits; what does not divide goes to the first ones.
    func limits(of number: Int) -> Engine.Limits {
        let count = workerCount
        func share(_ whole: Int) -> Int { whole / count + (number < whole % count ? 1 : 0) }
        let memory = max(1 << 20, share(settings.pools.reduce(0) { $0 + $1.limits.memory }))
        // A request that waits takes a few hundred bytes beside its buffers.
        return Engine.Limits(
            memory: memory, clients: settings.pools.map { max(1, share($0.limits.clients)) },
            rows: min(1 << 20, memory / 256))
    }

    /// Runs until SIGTERM or SIGINT, and then until every worker has stopped.
    /// - Parameter drain: nanoseconds that clients get for what they have under way.
    /// - Returns: false when clients had to be cut off at the end.
    public func run(drain: UInt64 = 5_000_000_000) -> Bool {
        _ = loop.watchReadable(mailbox.descriptor, token: Self.mail)
        drainTime = drain
        while stopped.count < workers.count {
            turn(until: .max)
            answerFigures()
        }
        for thread in threads { thread.join() }
        transfers?.stop()
        if unrepaired > 0 {
            logger.warning("copies of some keys may differ: repairs are left", metadata: ["keys": "\(unrepaired)"])
        }
        logger.info("stopped", metadata: ["clients cut off": "\(cutOff)"])
        return cutOff == 0
    }

    /// Waits for something to do, until then at the latest, and does it.
    func turn(until time: UInt64) {
        var next = min(
            min(time, nextProbeTime, nextLook, changeTime), keepers.reduce(.max) { min($0, $1?.nextTime ?? .max) },
            min(retired.reduce(.max) { min($0, $1.nextTime) }, moves.values.reduce(.max) { min($0, $1.nextTime) }))
        next = homes.reduce(next) { min($0, $1?.nextTime ?? .max) }
        next = (movers + retiredMovers).reduce(next) { min($0, $1?.nextTime ?? .max) }
        loop.turn(until: next == .max ? nil : next)
        for index in 0..<loop.readyCount {
            let (token, what) = loop.ready(at: index)
            switch token {
            case Self.mail: for message in mailbox.takeAll() { receive(message) }
            case Self.stop: beginDraining(for: drainTime)
            case Self.hangup: _ = reload()
            // Exactly: the loop's own alarm reports a token of all ones.
            case let token where token & ~0xffff_ffff == Probes.token:
                probes.ready(node: Int(UInt32(truncatingIfNeeded: token)), what, on: loop)
            case let token where token & ~0xffff_ffff == MarkerLink.token:
                link(of: Int(UInt32(truncatingIfNeeded: token)))?.ready(what)
            case let token where token & ~0xffff_ffff == MoveKeeper.token:
                let number = Int(UInt32(truncatingIfNeeded: token))
                mover(of: number).map { $0.links[number - $0.first].ready(what) }
            case let token where token & ~0xffff_ffff == HomeTalk.token:
                let number = Int(UInt32(truncatingIfNeeded: token))
                let home = homes.first { $0?.numbers.contains(number) == true } ?? nil
                home.map { $0.talk.links[number - $0.first].ready(what) }
            default: break
            }
        }
        if !isDraining { startDueProbes() }
        for keeper in keepers { keeper?.work() }
        for keeper in homes { keeper?.work() }
        for mover in movers + retiredMovers { mover?.work() }
        for keeper in retired { keeper.work() }
        proceedChange()
        for move in moves.values { move.work() }
        lookAtForeground()
    }

    /// Before there are workers: goes on while that is so, until then at the latest, or a signal to stop.
    func wait(until deadline: UInt64, while isNeeded: () -> Bool = { true }) {
        while !isDraining, loop.now < deadline, isNeeded() { turn(until: deadline) }
    }

    private static let mail: UInt64 = 1
    private static let stop: UInt64 = 2
    static let hangup: UInt64 = 3

    /// A second signal ends the wait.
    private func beginDraining(for drain: UInt64) {
        logger.info(isDraining ? "stopping at once" : "draining")
        let deadline = isDraining ? loop.now : loop.now + drain
        isDraining = true
        // Nobody is served who comes by them now, and who is started next finds the paths free.
        for file in socketFiles { file.remove() }
        socketFiles = []
        for keeper in keepers { keeper?.stopWork() }
        for keeper in homes { keeper?.stopWork() }
        for worker in workers { worker.send(.drain(until: deadline)) }
    }

    func receive(_ message: ToControl) {
        switch message {
        case .report(let report): judge(report)
        case .notice(let notice): tell(notice)
        case .transfer(let message): hear(message)
        case .missed(let worker, let miss): publish(miss, for: worker)
        case .snapshot(let worker, let snapshot):
            snapshots[worker] = snapshot
            missing.remove(worker)
        case .moved(let worker): change?.awaited.remove(worker)
        case .figures(let worker, let request): asking.append((worker, request))
        case .stopped(let worker, let cutOff, let unrepaired):
            stopped.insert(worker)
            missing.remove(worker)
            self.cutOff += cutOff
            self.unrepaired += unrepaired
        }
    }
}

extension SocketAddress {
    /// Nil for a host name: that has to be resolved first.
    init?(endpoint: Endpoint) {
        switch endpoint {
        case .tcp(let host, let port): self.init(literal: host, port: port)
        case .unix(let path): self.init(path: path)
        }
    }
}
