import DroverTesting

@testable import ProxyCore

/// A filling, with the passes that a shell would make for it.
final class FillingRun {
    var plan: FillingPlan
    unowned let proxy: SimulatedProxy
    private var world: Simulation { proxy.world }
    /// Of the pass under way.
    private var keys: [(name: ItemName, item: SimulatedItem)] = []
    private var running = 0
    private var changed = 0
    private var isWhole = true
    private var isOver = false
    private static let depth = 3

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
            request(.flush, plan.target) { [weak self] reply in
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

    private func request(_ request: NodeRequest, _ node: Int, _ handler: @escaping (NodeReply?) -> Void) {
        guard let connection = proxy.markerLinks[node] else { return handler(nil) }
        world.send(request, on: connection, handler)
    }

    // MARK: Passes

    private func run(_ pass: FillingPlan.Pass) {
        keys = []
        (running, changed, isWhole) = (0, 0, true)
        if case .clean = pass, world.broken == .noCleaning { return finish() }
        var sources: [Int] = []
        if case .clean = pass {
        } else {
            sources = plan.peers.indices.filter { if case .full = plan.peers[$0] { true } else { false } }
        }
        if pass == .verify || sources.isEmpty { sources.append(plan.target) }
        dump(sources, pass)
    }

    /// One after the other, then the steps.
    private func dump(_ sources: [Int], _ pass: FillingPlan.Pass) {
        guard let node = sources.first else {
            while running < Self.depth, step(pass) {}
            return
        }
        request(.dump, node) { [weak self] reply in
            guard let self else { return }
            guard case .dump(let found) = reply else {
                isWhole = false
                return finish()
            }
            for entry in found where world.copies(of: entry.name).contains(plan.target) {
                if !keys.contains(where: { $0.name == entry.name }) { keys.append(entry) }
            }
            dump(Array(sources.dropFirst()), pass)
        }
    }

    /// Starts the next item; false if there is none.
    private func step(_ pass: FillingPlan.Pass) -> Bool {
        guard !isOver else { return false }
        while isWhole, let (name, item) = keys.popLast() {
            let copies = world.copies(of: name).filter { $0 != plan.target }
            let source = copies.first { if case .full = plan.peers[$0] { true } else { false } }
            guard let source else { continue }
            running += 1
            switch pass {
            case .clean(let watermarks):
                let step = CleanStep(
                    target: Simulation.stored(item, second: world.second), watermark: watermarks[source] ?? 0)
                clean(step, name, source, pass)
            case .copy: copy(CopyStep(room: 100), name, source, SimulatedItem(), pass)
            case .verify: verify(VerifyStep(), name, source, (0, 0), pass)
            }
            return true
        }
        if running == 0 { finish() }
        return false
    }

    private func stepped(_ pass: FillingPlan.Pass, changed isChanged: Bool, failed: Bool) {
        running -= 1
        if isChanged { changed += 1 }
        if failed { isWhole = false }
        _ = step(pass)
    }

    private func finish() {
        guard !isOver else { return }
        plan.passed(changed: changed, isWhole: isWhole, now: world.now)
        proceed()
    }

    private func send(
        _ command: ItemCommand, _ name: ItemName, _ source: Int, value: SimulatedItem,
        _ handler: @escaping (ItemReply, SimulatedItem) -> Void
    ) {
        let node = command.side == .source ? source : plan.target
        let request: NodeRequest
        switch command.kind {
        case .look, .fetch: request = .get(name, bumps: false)
        // No filling puts.
        case .add, .put:
            var item = value
            item.flags = command.item.flags
            item.expiry = command.item.ttl < 0 ? nil : world.second + command.item.ttl
            request = .set(name, item, .ifMissing)
        case .takeBack, .giveBack: request = .delete(name, cas: command.cas)
        }
        // The limits of rate and depth, and other work, put a command off.
        let pause =
            world.generator.once(in: 2) ? UInt64(world.generator.random(below: 120)) * Simulation.millisecond : 0
        world.at(world.now + pause, of: proxy) { [weak self] in
            self?.request(request, node) { [weak self] reply in
                guard let self else { return }
                switch reply {
                case .item(let item): handler(.item(Simulation.stored(item, second: world.second)), item)
                case .missing: handler(.missing, SimulatedItem())
                case .done(let cas, _): handler(.done(cas: cas), SimulatedItem())
                case .refused: handler(.refused, SimulatedItem())
                default: handler(.failed, SimulatedItem())
                }
            }
        }
    }

    private func copy(
        _ step: CopyStep, _ name: ItemName, _ source: Int, _ value: SimulatedItem, _ pass: FillingPlan.Pass
    ) {
        var step = step
        guard let command = step.nextCommand() else {
            return stepped(pass, changed: step.outcome == .copied, failed: step.outcome == .failed)
        }
        if command.kind == .look, world.broken == .noSecondLook {
            step.received(.item(Simulation.stored(value, second: world.second)))
            return copy(step, name, source, value, pass)
        }
        send(command, name, source, value: value) { [weak self] reply, found in
            step.received(reply)
            self?.copy(step, name, source, command.kind == .fetch ? found : value, pass)
        }
    }

    private func clean(_ step: CleanStep, _ name: ItemName, _ source: Int, _ pass: FillingPlan.Pass) {
        var step = step
        guard let command = step.nextCommand() else {
            return stepped(pass, changed: false, failed: step.outcome == .failed)
        }
        send(command, name, source, value: SimulatedItem()) { [weak self] reply, _ in
            step.received(reply)
            self?.clean(step, name, source, pass)
        }
    }

    private func verify(
        _ step: VerifyStep, _ name: ItemName, _ source: Int, _ values: (Int, Int), _ pass: FillingPlan.Pass
    ) {
        var step = step
        guard let command = step.nextCommand() else {
            let isChanged = step.outcome == .diverged || step.outcome == .absent
            return stepped(pass, changed: isChanged, failed: step.outcome == .failed)
        }
        send(command, name, source, value: SimulatedItem()) { [weak self] reply, found in
            var values = values
            if command.side == .source { values.0 = found.value } else { values.1 = found.value }
            if step.received(reply) { step.compared(isEqual: values.0 == values.1) }
            self?.verify(step, name, source, values, pass)
        }
    }
}
