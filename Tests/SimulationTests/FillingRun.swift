import DroverTesting

@testable import ProxyCore

/// A filling, as a shell would run it.
final class FillingRun {
    var plan: FillingPlan
    unowned let proxy: SimulatedProxy
    private var world: Simulation { proxy.world }
    private var pass: SimulatedPass?
    private var isOver = false

    init(of target: Int, by proxy: SimulatedProxy) {
        self.proxy = proxy
        let world = proxy.world
        var options = FillingPlan.Options(
            quietTime: proxy.markers.quietTime, verify: world.generator.once(in: 2) ? .full : .none)
        if world.broken != nil { options.verify = .none }
        options.mayFlush = world.generator.once(in: 2)
        plan = FillingPlan(
            of: target, markers: proxy.markers, token: Token(using: &world.generator), owner: proxy.owner,
            options: options, now: world.now)
    }

    /// The connection to the target was lost.
    func disturb() {
        plan.disturbed()
        end()
    }

    /// The markers may say something else now.
    func review() {
        if !plan.fits(proxy.markers, now: world.now) { disturb() }
    }

    private func end() {
        guard !isOver, let outcome = plan.outcome else { return }
        isOver = true
        pass?.cancel()
        world.note("proxy \(proxy.index), node \(plan.target): \(outcome)")
        if case .ready = outcome { world.fillings += 1 }
        if case .ended(let reason) = outcome { world.endings["\(reason)", default: 0] += 1 }
        if case .ended = outcome, let command = plan.farewell { proxy.send(command) { _ in } }
        proxy.filling = nil
        proxy.nextTry = world.now + UInt64(200 + world.generator.random(below: 1500)) * Simulation.millisecond
    }

    func proceed() {
        guard !isOver else { return }
        guard let command = plan.nextCommand(proxy.markers) else { return end() }
        switch command {
        case .marker(let command): send(command)
        case .wait(let until):
            let time = world.broken == .noQuietTime ? world.now : until
            world.at(time, of: proxy) { [weak self] in
                guard let self else { return }
                plan.waited(now: max(world.now, until))
                proceed()
            }
            keepLease(until: time)
        case .flush:
            proxy.request(.flush, plan.target) { [weak self] reply in
                self?.plan.flushed(reply == nil ? .failed : .done(cas: 0))
                self?.proceed()
            }
        case .pass(let pass): run(pass)
        }
    }

    private func send(_ command: MarkerCommand) {
        proxy.send(command) { [weak self] in self?.received($0) }
    }

    private func received(_ reply: MarkerReply) {
        plan.received(reply, proxy.markers, now: world.now)
        proceed()
    }

    /// Renews the lease while the plan waits.
    private func keepLease(until time: UInt64) {
        guard !isOver, plan.lease.renewalTime < time else { return }
        world.at(plan.lease.renewalTime, of: proxy) { [weak self] in self?.renew(until: time) }
    }

    private func renew(until time: UInt64) {
        guard !isOver, let command = plan.lease.renewing(now: world.now) else { return }
        proxy.send(command) { [weak self] reply in
            guard let self else { return }
            plan.lease.renewed(reply, now: world.now)
            if plan.lease.isLost { disturb() } else { keepLease(until: time) }
        }
    }

    private func run(_ kind: FillingPlan.Pass) {
        world.note("proxy \(proxy.index), node \(plan.target): \(kind)")
        if case .clean = kind, world.broken == .noCleaning { return passed(changed: 0, isWhole: true) }
        let (proxy, target) = (proxy, plan.target)
        let full = plan.peers.map { if case .full = $0 { true } else { false } }
        pass = SimulatedPass(
            kind, on: target, by: proxy, isFull: full,
            source: { [unowned proxy] name in
                let (copies, targets) = (proxy.copies(of: name), proxy.targets(of: name))
                let isMissing = proxy.world.broken == .fillingHalf
                guard copies.contains(target) || !isMissing && targets.contains(target) else { return nil }
                return copies.first { $0 != target && full[$0] }
            }
        ) { [weak self] in self?.passed(changed: $0, isWhole: $1) }
        pass?.begin()
    }

    private func passed(changed: Int, isWhole: Bool) {
        guard !isOver else { return }
        plan.passed(changed: changed, isWhole: isWhole, now: world.now)
        proceed()
    }
}
