internal import Bytes
internal import ProxyCore
internal import Reactor

/// One pass: the dumps that list its items, then a lane for each source.
///
///     target asked, dumped where needed ▶ sources dumped, one after the other ▶ lanes, all at once ▶ end
final class PassRunner: TransferWork {
    private static let memory = 4 << 20
    private static let progressInterval: UInt64 = 500_000_000

    let order: PassOrder
    /// The upper bits of its watches' tokens.
    let serial: UInt64
    var id: UInt64 { order.id }
    private let queues: ByteQueues
    private let sources: CopySources

    private enum Stage { case listing, working }
    private var stage = Stage.listing
    /// Nodes that are still to be asked, the next one last; the target is the first.
    private var unasked: [(node: Int, servesReads: Bool?)] = []
    private(set) var dump: KeyDump?
    private var facts = NodeFacts()
    private var clock: Int64 = 0
    private var list: KeyList
    /// For the verification behind this pass.
    private var nextList: KeyList?
    private var lanes: [PassLane] = []

    /// What the target has already: it need not be fetched to find that out.
    private var present: KeyFilter
    private var known: Int { list.count }
    private var sampled = 0
    /// What is counted before the lanes are there, and when they are gone.
    private var report = TransferReport()
    private var changed = 0
    private let began: UInt64
    private var listed: UInt64 = 0
    private var isPaused = false
    private var isCancelled = false
    /// How slow clients want it to be.
    private var pace: TransferRate
    private var nextProgress: UInt64
    private(set) var end: PassEnd?

    /// - Parameters:
    ///   - shared: what a copy pass has just listed, if this is the verification behind it.
    ///   - pace: of the passes before.
    init(
        _ order: PassOrder, shared: SharedList?, serial: UInt64, queues: ByteQueues, pace: TransferRate, now: UInt64
    ) {
        self.order = order
        self.pace = pace
        self.serial = serial
        self.queues = queues
        sources = CopySources(
            of: order.pool, target: order.target, isFull: order.nodes.map(\.isFull), wantsStrays: order.dropsStrays)
        present = KeyFilter(seed: order.id)
        sampled = order.sampleStart
        began = now
        nextProgress = now.addingSaturated(Self.progressInterval)
        let isCleaning = if case .clean = order.pass { true } else { false }
        list = shared?.keys ?? KeyList(keepsItem: isCleaning, nodes: order.nodes.count, memory: Self.memory)
        if let shared {
            (facts, clock) = (shared.facts, shared.clock)
        } else {
            let others = order.nodes.indices.filter { $0 != order.target && order.nodes[$0].isFull }
            unasked = (isCleaning ? [] : others.reversed().map { ($0, true) }) + [(order.target, false)]
        }
        if order.sharesList, order.sync.verify != .none, case .copy = order.pass {
            nextList = KeyList(keepsItem: false, nodes: order.nodes.count, memory: Self.memory)
        }
    }

    // MARK: Told by the control thread

    func cancel() { isCancelled = true }

    func setPaused(_ isPaused: Bool) { self.isPaused = isPaused }

    func keepPace(with pace: TransferRate) {
        self.pace = pace
        for lane in lanes { lane.rate.keepPace(with: pace) }
    }

    // MARK: Turns

    var isDumping: Bool { dump != nil }

    var wakeup: UInt64 {
        guard end == nil else { return .max }
        var time = min(nextProgress, dump?.wakeup ?? .max)
        for lane in lanes { time = min(time, lane.wakeup(mayBegin: !isPaused && !isCancelled)) }
        return time
    }

    /// - Parameter token: the lower bits of the watch's.
    func ready(_ token: UInt64, _ what: Readiness, on loop: EventLoop) {
        if token < KeyDump.tokens {
            let now = loop.now
            dump?.ready(token, what, on: loop) { item, key in take(item, key, now: now) }
            return
        }
        let lane = Int((token - KeyDump.tokens) / 2)
        guard lane < lanes.count else { return }
        lanes[lane].ready(token % 2 == 0 ? lanes[lane].source : lanes[lane].target, what, on: loop)
    }

    /// - Parameter mayDump: no other pass of this thread does.
    func turn(with vector: borrowing SendVector, mayDump: Bool, on loop: EventLoop) {
        guard end == nil else { return }
        if stage == .listing { list(mayDump: mayDump, on: loop) }
        if stage == .working { work(with: vector, on: loop) }
    }

    /// At most twice a second.
    func takeProgress(now: UInt64) -> PassProgress? {
        guard end == nil, now >= nextProgress else { return nil }
        nextProgress = now.addingSaturated(Self.progressInterval)
        var all = report
        for lane in lanes { all.add(lane.report) }
        return PassProgress(
            id: order.id, stage: isPaused ? .paused : stage == .working ? .working : dump?.progress ?? .listing,
            known: known, done: lanes.reduce(0) { $0 + $1.done }, halvings: Int(pace.halvings), report: all)
    }

    /// Ends it as it is.
    func finish(_ problem: PassProblem?, on loop: EventLoop) {
        guard end == nil else { return }
        if stage == .listing { countListing(now: loop.now) }
        dump?.close(on: loop)
        dump = nil
        for lane in lanes {
            report.add(lane.report)
            changed += lane.changed
            lane.close(on: loop)
        }
        lanes = []
        list.clear()
        end = PassEnd(
            id: order.id, changed: changed, total: known + report.present, report: report, problem: problem,
            hasWorked: stage == .working)
    }

    // MARK: Listing

    private func list(mayDump: Bool, on loop: EventLoop) {
        if isCancelled { return finish(.cancelled, on: loop) }
        if let dump {
            dump.turn(on: loop)
            guard dump.isOver else { return }
            if let problem = dump.problem { return finish(problem, on: loop) }
            if dump.node == order.target { (facts, clock) = (dump.facts, dump.clock) }
            self.dump = nil
        } else if !mayDump, !unasked.isEmpty {
            return
        }
        if let code = list.failure { return finish(.spill(code), on: loop) }
        if nextList?.failure != nil { nextList = nil }
        guard let (node, servesReads) = unasked.popLast() else { return startLanes(on: loop) }
        dump = KeyDump(
            of: node, at: order.nodes[node].address, servesReads: servesReads, settings: order.pool.settings,
            token: serial, on: loop)
        if dump?.isOver == true { list(mayDump: true, on: loop) }
    }

    private func take(_ item: DumpedItem, _ key: RawSpan, now: UInt64) {
        guard let dump else { return }
        switch sources.source(of: key) {
        case .none: break
        case .unproven: if case .clean = order.pass { report.unproven += 1 }
        case .node(let source):
            let isOfTarget = dump.node == order.target
            guard isOfTarget || source == dump.node else { return }
            let time = Int64(now / 1_000_000_000) + dump.clock
            let recency = order.sync.order == .hottest ? Recency.of(item, now: UInt64(max(0, time))) : 0
            switch order.pass {
            case .clean: list.add(key, item, recency: recency, from: source)
            case .copy:
                if let nextList, isSampled() {
                    nextList.add(key, item, recency: recency, from: source, isStray: isOfTarget)
                }
                if isOfTarget {
                    present.insert(key)
                } else if present.contains(key) {
                    report.present += 1
                } else {
                    list.add(key, item, recency: recency, from: source)
                    // Hardly few.
                    if list.count > report.present + 1000 { nextList = nil }
                }
            case .verify:
                if isSampled() { list.add(key, item, recency: recency, from: source, isStray: isOfTarget) }
            }
        }
    }

    private func isSampled() -> Bool {
        sampled &+= 1
        return sampled % order.sample == 0
    }

    // MARK: Working

    private func countListing(now: UInt64) {
        if case .copy(number: 1) = order.pass { report.listTime = now - began }
    }

    private func startLanes(on loop: EventLoop) {
        countListing(now: loop.now)
        listed = loop.now
        stage = .working
        present = KeyFilter(seed: order.id)
        // There will be another copy pass before the verification.
        if !FillingPlan.isLittle(known, of: known + report.present) { nextList = nil }
        let all = order.nodes.indices.filter { list.keys[$0] != nil || list.strays[$0] != nil }
        for source in all {
            var work: [(spill: KeySpill, work: PassLane.Work)] = []
            if let spill = list.keys[source] {
                switch order.pass {
                case .clean(let watermarks): work.append((spill, .clean(watermark: watermarks[source] ?? 0)))
                case .copy: work.append((spill, .copy))
                case .verify: work.append((spill, .verify))
                }
            }
            if let spill = list.strays[source] { work.append((spill, .stray)) }
            lanes.append(
                PassLane(
                    from: source, order, spills: work, facts: facts, clock: clock,
                    lanes: all.count, queues: queues,
                    token: serial + KeyDump.tokens + 2 * UInt64(lanes.count), on: loop))
        }
        for lane in lanes { lane.rate.keepPace(with: pace) }
        list.clear()
    }

    func sharedList(now: UInt64) -> SharedList? {
        guard let nextList, let end, end.isWhole, now - listed < SharedList.limit else { return nil }
        return SharedList(
            order: order, keys: nextList, facts: facts, clock: clock,
            deadline: now.addingSaturated(SharedList.lifetime))
    }

    private func work(with vector: borrowing SendVector, on loop: EventLoop) {
        for lane in lanes {
            lane.expire(now: loop.now)
            if !isPaused, !isCancelled { lane.begin(now: loop.now) }
            lane.source.write(with: vector, on: loop)
            lane.target.write(with: vector, on: loop)
            if let problem = lane.problem { return finish(problem, on: loop) }
        }
        if isCancelled {
            // Looks that wait would be too late: what they are held against may not count any more.
            if order.settling > 0 || lanes.allSatisfy({ $0.underWay == 0 }) { finish(.cancelled, on: loop) }
        } else if lanes.allSatisfy(\.isEmpty) {
            finish(nil, on: loop)
        }
    }
}
