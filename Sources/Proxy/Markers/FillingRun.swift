internal import Logging
internal import MemcacheProtocol
internal import ProxyCore

/// A filling under way: does what the plan says, one thing at a time, on the connections of its pool's keeper; passes
/// over items are made by the transfer thread.
final class FillingRun {
    var plan: FillingPlan
    unowned let keeper: PoolKeeper
    let job: Job
    private(set) var isOver = false
    /// The time of a wait that is under way.
    private var waitsUntil: UInt64?
    var isPassing = false

    init(of target: Int, by keeper: PoolKeeper, job: Job) {
        self.keeper = keeper
        self.job = job
        var options = FillingPlan.Options(quietTime: keeper.markers.quietTime, verify: keeper.settings.sync.verify)
        // A dump of an older server may lack keys, and what it lacks would stay.
        options.mayFlush = keeper.links[target].version.dumpsMayLackItems
        plan = FillingPlan(
            of: target, markers: keeper.markers, token: Token(using: &keeper.control.generator), owner: keeper.owner,
            options: options, now: keeper.now)
        job.phase = "markers"
        job.cancelled = { [weak self] in
            self?.keeper.heldOff.insert(target)
            self?.disturb()
        }
    }

    var control: Control { keeper.control }

    var nextTime: UInt64 { min(waitsUntil ?? .max, isIdle ? plan.lease.renewalTime : .max) }

    /// No command on a marker is under way for the plan.
    private var isIdle: Bool { waitsUntil != nil || isPassing }

    func work() {
        guard !isOver else { return }
        guard plan.fits(keeper.markers, now: keeper.now) else { return disturb() }
        if isIdle, let command = plan.lease.renewing(now: keeper.now) { renew(command) }
        if let time = waitsUntil, keeper.now >= time {
            waitsUntil = nil
            plan.waited(now: keeper.now)
        }
        if !isIdle { proceed() }
    }

    /// What it was begun for is no longer so.
    func disturb() {
        plan.disturbed()
        end()
    }

    private func proceed() {
        guard !isOver else { return }
        if plan.outcome != nil { return end() }
        switch plan.nextCommand(keeper.markers) {
        case .marker(let command):
            send(command) { [unowned self] reply in
                plan.received(reply, keeper.markers, now: keeper.now)
                proceed()
            }
        case .flush:
            keeper.links[plan.target].ask(Array("flush_all\r\n".utf8), .flushAll) { [weak self] answer in
                guard let self, !isOver else { return }
                plan.flushed(answer?.code == .ok ? .done(cas: 0) : .failed)
                proceed()
            }
        case .wait(let until):
            waitsUntil = until
            job.phase = "quiet time"
            control.show(job)
        case .pass(let pass): begin(pass)
        case nil: if plan.outcome != nil { end() }
        }
    }

    private func send(_ command: MarkerCommand, _ answered: @escaping (MarkerReply) -> Void) {
        keeper.links[command.node].send(command, names: keeper.names) { [weak self] reply in
            guard let self, !isOver else { return }
            answered(reply)
        }
    }

    private func renew(_ command: MarkerCommand) {
        send(command) { [unowned self] reply in
            plan.lease.renewed(reply, now: keeper.now)
            if plan.lease.isLost { disturb() }
        }
    }

    private func end() {
        guard !isOver, let outcome = plan.outcome else { return }
        isOver = true
        control.cancelPass(of: job)
        tell(outcome)
        if case .ended = outcome, let command = plan.farewell {
            keeper.links[command.node].send(command, names: keeper.names) { _ in }
        }
        keeper.fillingEnded()
    }
}
