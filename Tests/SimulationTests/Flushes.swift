import DroverTesting

@testable import ProxyCore

/// All nodes are flushed, by a client, at once or later; or one alone, past the proxies.
extension Simulation {
    func whenWritesAreOver(_ action: @escaping () -> Void) {
        guard isWriting, !isFlushing else { return }
        isFlushing = true
        wait(action)
    }

    private func wait(_ action: @escaping () -> Void) {
        guard histories.contains(where: \.isPending) else { return action() }
        at(now + 20 * Self.millisecond) { [unowned self] in wait(action) }
    }

    private func endFlush(_ number: Int, _ verdict: SimulatedProxy.Verdict) {
        guard isFlushing else { return }
        isFlushing = false
        for key in histories.indices { ended(key, number, verdict) }
    }

    func flush(through index: Int) {
        let proxy = proxies[index]
        guard proxy.isAlive, proxy.stopped == nil else {
            isFlushing = false
            return
        }
        note("proxy \(index) flushes")
        let number = beginFlush(by: proxy.number)
        proxy.flush { [unowned self] isDone in endFlush(number, isDone ? .acknowledged(before: nil) : .failed) }
        at(now + 2_000 * Self.millisecond) { [unowned self] in
            if !proxy.isAlive { endFlush(number, .failed) }
        }
    }

    /// Each node at a time of its own, as the seconds of its clock have it. One that has restarted knows nothing of it; one
    /// that is filled in that second from a node whose own is to come keeps what that had.
    func flushLater() {
        note("flush, later")
        exemptUnsound()
        let number = beginFlush(by: 0)
        var isWhole = true
        for node in nodes.indices {
            let start = nodes[node].starts
            at(now + UInt64(generator.random(below: 1000)) * Self.millisecond) { [unowned self] in
                note("node \(node) is flushed")
                exemptUnsound()
                guard nodes[node].isAlive, nodes[node].starts == start else {
                    isWhole = false
                    return
                }
                _ = nodes[node].run(.flushAll, second: second) { [unowned self] in generator.once(in: 2) }
            }
        }
        at(now + 1_000 * Self.millisecond) { [unowned self] in
            endFlush(number, isWhole ? .acknowledged(before: nil) : .failed)
        }
    }

    /// Keys of a node that was not whole when a delayed flush began.
    private func exemptUnsound() {
        for key in histories.indices where everyCopy(of: key).contains(where: { unsound.contains($0) }) {
            histories[key].isExempt = true
        }
    }

    func empty(_ node: Int) {
        guard nodes[node].isAlive else { return }
        note("node \(node) is emptied")
        nodes[node].empty()
        for key in histories.indices where everyCopy(of: key).contains(node) { histories[key].mayBeLost = true }
        becameUnsound(node)
    }
}

extension SimulatedProxy {
    /// - Parameter finished: told whether all nodes did it, or it is known who did not.
    func flush(_ finished: @escaping (Bool) -> Void) {
        var missed: [Int] = []
        var (pending, isWhole) = (world.nodes.count, true)
        let started = world.now
        func end() {
            markers.flushed(now: world.now)
            for node in world.nodes.indices { ask(node) }
            pending = missed.count
            if missed.isEmpty { return finished(isWhole) }
            for node in missed {
                revoke(node, sent: started) { isKept in
                    isWhole = isWhole && isKept
                    pending -= 1
                    if pending == 0 { finished(isWhole) }
                }
            }
        }
        func answered(_ node: Int, _ isDone: Bool) {
            let access = markers.access(node, now: world.now)
            let isCovered = access == .none && markers.isCovered(node, now: world.now)
            if !isDone { isWhole = false }
            if !isCovered, !isDone || access != .full { missed.append(node) }
            pending -= 1
            if pending == 0 { end() }
        }
        for node in world.nodes.indices {
            guard markers.access(node, now: started) != .none, let connection = dataLinks[node] else {
                answered(node, false)
                continue
            }
            world.send(.flushAll, on: connection) { reply in answered(node, reply != nil) }
        }
    }
}
