import DroverTesting

@testable import ProxyCore

/// A pass over the items of one node, as a shell would make it: dumps, one after the other, and then some steps at a time.
final class SimulatedPass {
    private static let depth = 3

    private let pass: FillingPlan.Pass
    private let target: Int
    private unowned let proxy: SimulatedProxy
    private let isFull: [Bool]
    /// Nil for what it does not concern.
    private let source: (ItemName) -> Int?
    private let finished: (_ changed: Int, _ isWhole: Bool) -> Void
    private var world: Simulation { proxy.world }
    private var keys: [(name: ItemName, item: SimulatedItem)] = []
    private var running = 0
    private var changed = 0
    private var isWhole = true
    private var isOver = false

    init(
        _ pass: FillingPlan.Pass, on target: Int, by proxy: SimulatedProxy, isFull: [Bool],
        source: @escaping (ItemName) -> Int?, _ finished: @escaping (Int, Bool) -> Void
    ) {
        (self.pass, self.target, self.proxy, self.isFull) = (pass, target, proxy, isFull)
        (self.source, self.finished) = (source, finished)
    }

    func begin() {
        var nodes: [Int] = []
        if case .clean = pass {} else { nodes = isFull.indices.filter { isFull[$0] && $0 != target } }
        if pass == .verify || nodes.isEmpty { nodes.append(target) }
        dump(nodes)
    }

    /// It begins nothing more, and is not whole.
    func cancel() {
        (keys, isWhole) = ([], false)
        if running == 0 { finish() }
    }

    private func dump(_ nodes: [Int]) {
        guard !isOver else { return }
        guard let node = nodes.first else {
            while running < Self.depth, step(pass) {}
            return
        }
        proxy.request(.dump, node) { [self] reply in
            guard case .dump(let found) = reply, isWhole else {
                isWhole = false
                return finish()
            }
            for entry in found where source(entry.name) != nil {
                if !keys.contains(where: { $0.name == entry.name }) { keys.append(entry) }
            }
            dump(Array(nodes.dropFirst()))
        }
    }

    /// Starts the next item; false if there is none.
    private func step(_ pass: FillingPlan.Pass) -> Bool {
        guard !isOver else { return false }
        while isWhole, let (name, item) = keys.popLast() {
            guard let source = source(name) else { continue }
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
        isOver = true
        finished(changed, isWhole)
    }

    private func send(
        _ command: ItemCommand, _ name: ItemName, _ source: Int, value: SimulatedItem,
        _ handler: @escaping (ItemReply, SimulatedItem) -> Void
    ) {
        let node = command.side == .source ? source : target
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
        world.at(world.now + pause, of: proxy) { [self] in
            proxy.request(request, node) { [self] reply in
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
        send(command, name, source, value: value) { [self] reply, found in
            step.received(reply)
            copy(step, name, source, command.kind == .fetch ? found : value, pass)
        }
    }

    private func clean(_ step: CleanStep, _ name: ItemName, _ source: Int, _ pass: FillingPlan.Pass) {
        var step = step
        guard let command = step.nextCommand() else {
            return stepped(pass, changed: false, failed: step.outcome == .failed)
        }
        send(command, name, source, value: SimulatedItem()) { [self] reply, _ in
            step.received(reply)
            clean(step, name, source, pass)
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
        send(command, name, source, value: SimulatedItem()) { [self] reply, found in
            var values = values
            if command.side == .source { values.0 = found.value } else { values.1 = found.value }
            if step.received(reply) { step.compared(isEqual: values.0 == values.1) }
            verify(step, name, source, values, pass)
        }
    }
}
