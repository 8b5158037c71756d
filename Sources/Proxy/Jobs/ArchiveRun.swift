internal import Glibc
internal import Logging
internal import ProxyCore
internal import Reactor

/// A backup or a restore of a pool.
final class ArchiveRun {
    private static let shownNotes = 3

    private unowned let control: Control
    let job: Job
    /// Of the start; another may follow it.
    private weak var keeper: PoolKeeper?
    private let kind: ArchiveOrder.Kind
    private let path: String
    /// Which nodes were full at the start: on others nothing may be relied on.
    private let full: [Bool]
    /// At the start: they may change until the end.
    private let settings: PoolSettings

    init(_ job: Job, _ kind: ArchiveOrder.Kind, path: String, full: [Bool], _ control: Control) {
        (self.job, self.kind, self.path, self.full, self.control) = (job, kind, path, full, control)
        keeper = control.keepers[job.pool]
        settings = control.topology.pools[job.pool].settings
        job.cancelled = { [unowned control, unowned job] in control.cancelPass(of: job) }
    }

    func begin() {
        job.phase = kind == .backup ? "reading" : "restoring"
        let pool = control.topology.pools[job.pool]
        let order = ArchiveOrder(
            id: control.nextPass(), kind: kind, path: path, pool: pool,
            nodes: pool.nodes.enumerated().map {
                PassOrder.Node(address: control.addresses[$0.element], isFull: full[$0.offset])
            },
            clock: Int64(time(nil)) - Int64(control.loop.now / 1_000_000_000),
            backup: UInt64.random(in: 1...UInt64.max, using: &control.generator))
        control.start(order, of: job) { [self] in ended($0) }
    }

    /// In each turn of the loop: a node that is no longer full can be relied on no longer.
    func work() {
        guard let now = keeper?.fullNodes, full.indices.contains(where: { full[$0] && !now[$0] }) else { return }
        control.cancelPass(of: job)
    }

    private func ended(_ end: PassEnd) {
        let report = job.report
        for note in end.notes {
            control.logger.warning("backup is damaged", metadata: ["path": "\(path)", "what": "\(note)"])
        }
        var result = end.problem?.text { settings.allNodes[$0].label }
        let isDone = result == nil
        if isDone, kind == .backup, let record = BackupRecord(of: report, time: control.loop.now) {
            control.lastBackups[job.pool] = record
        }
        if result == nil {
            result = "\(report.copied) items \(kind == .backup ? "saved in" : "restored from") \(path)"
        }
        var text = result ?? ""
        for note in end.notes.prefix(Self.shownNotes) { text += "; \(note)" }
        if end.notes.count > Self.shownNotes { text += "; \(end.notes.count - Self.shownNotes) more in the log" }
        // What could not be read is a failure, however much was restored.
        job.end(text, isDone: isDone && end.notes.isEmpty, now: control.loop.now)
        control.logger.notice(
            kind == .backup ? "backup is over" : "restore is over",
            metadata: ["pool": "\(settings.name)", "job": "\(job.id)", "result": "\(text)"])
        control.archiving[job.pool] = nil
    }
}
