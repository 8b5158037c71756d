internal import Logging
internal import MemcacheProtocol
internal import ProxyCore
internal import Reactor
internal import Telemetry

/// Compares the copies of a pool's keys as long as the proxy runs, and repairs them: node by node, a share of the keys
/// of each, others each time. It makes way for everything else, and of several proxies one at a time does it.
///
///     due ──▶ all full, nothing else under way? ──▶ the node's `scrub` marker ──▶ verify ──▶ copy, if something differs
///      ▲                                                                           │
///      └──────────────── the next node, so that a round takes `scrub_every` ◀──────┘
///
/// A pass has each node dumped, so there are few of them: three in that time, however many nodes there are.
final class ScrubRun {
    /// Of which no round is known yet: one key in so many.
    private static let firstSample = 64
    private static let passLimit = 3
    /// Where more than one in so many are missing on a node, it evicts: they are not brought back.
    private static let absentShare = 100
    private static let retryPause: UInt64 = 5_000_000_000

    private unowned let keeper: PoolKeeper
    private let every: UInt64
    /// From one pass to the next.
    private let slot: UInt64
    private let rate: Int
    /// Shown from its first pass on.
    private(set) var job: Job?
    /// The node whose turn it is, and of each how many keys it was last found to have.
    private var target = 0
    private var sizes: [Int?]
    private var rounds = 0
    private var due: UInt64
    private var began: UInt64 = 0
    private var isAsking = false
    private var isCopying = false
    private var isStopped = false
    /// What `job` had counted before the pass.
    private var before = TransferReport()
    private(set) var consistency = ConsistencyStats()

    init(of keeper: PoolKeeper) {
        self.keeper = keeper
        (every, rate) = (keeper.settings.sync.scrubEvery, keeper.settings.sync.scrub)
        sizes = Array(repeating: nil, count: keeper.names.count)
        slot = every / UInt64(min(sizes.count, Self.passLimit))
        // Nodes and clients have other things to do at first, and proxies that start together do not begin together.
        due = keeper.now + UInt64.random(in: (every / 10)...(every / 5), using: &keeper.control.generator)
    }

    private var control: Control { keeper.control }

    var nextTime: UInt64 { isStopped || isAsking || job?.pass != nil ? .max : due }

    // MARK: In each turn of the loop

    func work() {
        guard !isStopped, !isAsking else { return }
        if let job, job.pass != nil {
            // What is being copied would have to be given up for lost; but a source that has missed a write proves
            // nothing any more.
            if isCopying ? !isWhole : !mayRun { control.cancelPass(of: job) }
        } else if keeper.now >= due {
            if mayRun, job?.isPaused != true { claim() } else { wait(until: keeper.now + min(every, Self.retryPause)) }
        }
    }

    /// All copies are to be relied on, and nobody else moves items.
    private var mayRun: Bool {
        keeper.filling == nil && keeper.adoption == nil && keeper.wanted.isEmpty && keeper.verifying == nil
            && control.archiving[keeper.pool] == nil && control.change == nil && keeper.settings.moving == nil
            && !control.isDraining && isWhole && !keeper.markers.hasLosses
    }

    private var isWhole: Bool { keeper.fullNodes.allSatisfy(\.self) }

    private func wait(until time: UInt64) {
        due = time
        job?.rest("resting")
    }

    /// One proxy compares a node, once in a round.
    private func claim() {
        isAsking = true
        began = keeper.now
        let command = MarkerItem.scrubCommand(keeper.owner, seconds: max(1, every / 1_000_000_000))
        keeper.links[target].ask(command, .metaSet) { [unowned self] answer in
            isAsking = false
            if !isStopped, answer?.code == .hd, mayRun { verify() } else { next() }
        }
    }

    private func next() {
        target = (target + 1) % sizes.count
        if target == 0 { rounds += 1 }
        wait(until: max(keeper.now + min(slot / 10, 1_000_000_000), began + slot))
    }

    // MARK: Passes

    private func verify() {
        let job = currentJob()
        before = job.report
        job.phase = "verifying \(label)"
        // So many as its share of the round is long enough for.
        let room = max(1.0, Double(rate) * Double(slot) / 1e9)
        let sample = sizes[target].map { Int((Double($0) / room).rounded(.up)) } ?? Self.firstSample
        run(.verify, sample: max(1, sample)) { [weak self] end in
            guard let self else { return }
            if end.isWhole { sizes[target] = end.total * max(1, sample) }
            count()
            let isFit = end.report.absent * Self.absentShare <= end.report.verified
            if end.isWhole, end.changed > 0, isFit, !isStopped, mayRun { copy() } else { next() }
        }
    }

    private func copy() {
        job?.phase = "repairing \(label)"
        isCopying = true
        run(.copy(number: 1), sample: 1) { [weak self] end in
            guard let self else { return }
            isCopying = false
            // What was added and not looked at again may be what a client has deleted.
            if !end.isWhole, end.hasWorked { keeper.revoke(target, sent: 0) { _ in } }
            next()
        }
    }

    private func run(_ pass: FillingPlan.Pass, sample: Int, _ ended: @escaping (PassEnd) -> Void) {
        let start = rounds % sample
        control.start(
            pass, of: currentJob(), target: target, isFull: { _ in true },
            change: { [keeper, rate] order in
                order.settling = keeper.markers.quietTime
                order.sync.bandwidth = max(64 << 10, order.sync.bandwidth / max(1, order.sync.rate / rate))
                order.sync.rate = min(rate, order.sync.rate)
                order.sync.depth = min(16, order.sync.depth)
                (order.sample, order.sampleStart) = (sample, start)
            }, ended)
    }

    private func count() {
        guard let job else { return }
        let (now, then) = (job.report, before)
        let compared = now.verified - then.verified - (now.absent - then.absent)
        let differing = now.diverged - then.diverged
        consistency.agreeing &+= UInt64(max(0, compared - differing))
        consistency.differing &+= UInt64(max(0, differing))
        (consistency.recent, consistency.recentAgreeing) = (max(0, compared), max(0, compared - differing))
        job.figures = [("consistency_ratio", consistency.ratio)] + now.completeness
        guard differing > 0 else { return }
        control.logger.notice(
            "copies differed and are repaired",
            metadata: control.describe(
                keeper.first + target, ["job": "\(job.id)", "keys": "\(differing)", "of": "\(compared)"]))
    }

    private var label: String { keeper.settings.allNodes[target].label }

    private func currentJob() -> Job {
        if let job { return job }
        let job = control.newJob("scrub", pool: keeper.pool, place: nil)
        job.cancelled = { [unowned self] in stop() }
        control.show(job)
        self.job = job
        return job
    }

    /// For good.
    func stop() {
        isStopped = true
        guard let job else { return }
        control.cancelPass(of: job)
        job.end("cancelled", isDone: false, now: keeper.now)
    }
}

extension TransferReport {
    /// Of the keys that were compared, those that are on all copies.
    var completeness: [(name: String, value: Double?)] {
        [("on_all_copies_ratio", verified > 0 ? Double(verified - absent) / Double(verified) : nil)]
    }
}
