import DroverTesting

@testable import ProxyCore

/// What goes wrong in a run, drawn from its seed.
extension Simulation {
    /// Runs a whole schedule; what is wrong, or nil.
    func play(faults: Int = 8) -> String? {
        startClients()
        run(until: now + 3_000 * Self.millisecond)
        for _ in 0..<faults where complaint == nil {
            fault()
            run(
                until: now + UInt64(200 + generator.random(below: generator.once(in: 3) ? 9000 : 3000))
                    * Self.millisecond)
        }
        // Faults end by themselves within thirteen seconds.
        run(until: now + 15_000 * Self.millisecond)
        isWriting = false
        run(until: now + 30_000 * Self.millisecond)
        if complaint == nil { checkEnd() }
        return complaint
    }

    /// No message comes to a node for a moment in which all keys are written once, and all writes are alike: what the node
    /// has kept from before differs only in its number from what the others have.
    func playMissedWrites(cuts: Int = 5) -> String? {
        pace = .alike
        startClients()
        run(until: now + 3_000 * Self.millisecond)
        writeAll()
        for _ in 0..<cuts where complaint == nil {
            run(until: now + UInt64(6000 + generator.random(below: 3000)) * Self.millisecond)
            let node = generator.random(below: nodes.count)
            note("node \(node) hears nothing")
            becameUnsound(node)
            for proxy in proxies.indices { cut(proxy, node, toNode: true, toProxy: false) }
            writeAll()
            run(until: now + UInt64(250 + generator.random(below: 500)) * Self.millisecond)
            for proxy in proxies.indices { heal(proxy, node) }
        }
        run(until: now + 10_000 * Self.millisecond)
        isWriting = false
        run(until: now + 20_000 * Self.millisecond)
        if complaint == nil { checkEnd() }
        return complaint
    }

    func duration(_ limit: Int) -> UInt64 { UInt64(20 + generator.random(below: limit)) * Self.millisecond }

    /// - Parameter flushes: some of them are.
    func fault(flushes: Bool = true) {
        let node = generator.random(below: nodes.count)
        switch generator.random(below: flushes ? 15 : 12) {
        case 0, 1: restart(node)
        case 2, 3, 4: freeze(node, for: duration(4000))
        case 5, 6, 7: partition(node, for: duration(generator.once(in: 2) ? 12_000 : 4000))
        case 8: replace(generator.random(below: proxies.count))
        case 9: stop(generator.random(below: proxies.count), for: duration(8000))
        case 10: evictMarker()
        case 11: evictItem(node)
        case 12: whenWritesAreOver { [unowned self] in flush(through: generator.random(below: proxies.count)) }
        case 13: whenWritesAreOver { [unowned self] in flushLater() }
        default: empty(node)
        }
    }

    private func begin(on node: Int) {
        activeFaults[node] += 1
        becameUnsound(node)
    }

    private func end(on node: Int) {
        activeFaults[node] -= 1
    }

    func restart(_ node: Int) {
        guard nodes[node].isAlive else { return }
        note("kill node \(node)")
        begin(on: node)
        for key in histories.indices where everyCopy(of: key).contains(node) {
            let isKept = readCopies(of: key).filter { $0.contains(node) }.allSatisfy { copies in
                let other = copies.first { $0 != node }!
                return nodes[other].isAlive
                    && nodes[other].item(key, second: second)?.value == histories[key].settled?.value
            }
            if !isKept { histories[key].mayBeLost = true }
        }
        kill(node)
        at(now + duration(3000)) { [unowned self] in
            note("restart node \(node)")
            nodes[node].restart()
            end(on: node)
        }
    }

    func freeze(_ node: Int, for time: UInt64) {
        guard nodes[node].isAlive, frozen[node] == nil else { return }
        note("freeze node \(node)")
        begin(on: node)
        freeze(node)
        at(now + time) { [unowned self] in
            note("thaw node \(node)")
            thaw(node)
            end(on: node)
        }
    }

    /// Cuts a node off from some of the proxies; one node at a time, so that any two proxies have a node in common.
    func partition(_ node: Int, from chosen: [Int]? = nil, for time: UInt64) {
        guard !links.contains(where: { $0.contains { $0.isCutToNode || $0.isCutToProxy } }) else { return }
        let cutOff = chosen ?? proxies.indices.filter { _ in generator.once(in: 2) }
        guard !cutOff.isEmpty else { return }
        begin(on: node)
        let direction = generator.random(below: 4)
        note("cut node \(node) from proxies \(cutOff), direction \(direction)")
        for proxy in cutOff { cut(proxy, node, toNode: direction != 1, toProxy: direction != 2) }
        at(now + time) { [unowned self] in
            note("heal node \(node)")
            for proxy in cutOff { heal(proxy, node) }
            end(on: node)
        }
    }

    /// A proxy dies; after a while another takes its place.
    func die(_ index: Int, for time: UInt64? = nil) {
        guard proxies[index].isAlive else { return }
        note("proxy \(index) dies")
        // What it had sent to a node that stands still is carried out some time: keys of such writes are in doubt.
        for key in histories.indices where histories[key].writes.last?.state == .pending {
            if everyCopy(of: key).contains(where: { activeFaults[$0] > 0 }) { histories[key].isExempt = true }
        }
        proxies[index].isAlive = false
        for node in nodes.indices { for connection in proxies[index].connections(to: node) { close(connection) } }
        let time = time ?? 300 * Self.millisecond + duration(generator.once(in: 3) ? 9000 : 2000)
        at(now + time) { [unowned self] in
            start(index, tries: 40)
        }
    }

    /// - Parameter tries: as long as it is not clear by which list it may be started.
    private func start(_ index: Int, tries: Int) {
        guard let list = listAtStart(of: index) else {
            guard tries > 0 else { return voided("nobody knows where keys are") }
            return at(now + 500 * Self.millisecond) { [unowned self] in start(index, tries: tries - 1) }
        }
        note("proxy \(index) starts by list \(list)")
        // What a flush has taken and is not back yet, it knows nothing of.
        for node in nodes.indices where nodes[node].ready(second) == nil { becameUnsound(node) }
        let old = proxies[index]
        proxies[index] = SimulatedProxy(world: self, index: index, list: list)
        proxies[index].before = old.start == .serving ? old.ways : old.before
        if list != told[index] { tell(index) }
    }

    private func replace(_ index: Int) { die(index) }

    func stop(_ index: Int, for time: UInt64) {
        let proxy = proxies[index]
        guard proxy.isAlive, proxy.stopped == nil else { return }
        note("stop proxy \(index)")
        proxy.stopped = []
        at(now + time) { [unowned self] in
            note("continue proxy \(index)")
            let waiting = proxy.stopped ?? []
            proxy.stopped = nil
            for action in waiting where proxy.isAlive { action() }
        }
    }

    private func evictMarker() {
        let node = generator.random(below: nodes.count)
        let other = generator.random(below: nodes.count)
        let marker = generator.pick([.ready, .filling, .lease, MarkerItem.standing(of: other)])
        note("evict \(marker) on node \(node)")
        nodes[node].evict(marker.name)
        review()
    }

    private func evictItem(_ node: Int) {
        let key = generator.random(below: histories.count)
        guard everyCopy(of: key).contains(node) else { return }
        nodes[node].evict(key)
        histories[key].mayBeLost = true
    }
}
