import DroverTesting

@testable import ProxyCore

/// What clients do through a proxy.
extension SimulatedProxy {
    enum Operation: Equatable {
        case set(expiry: Int64?)
        case delete
        /// Stores another value where there is one.
        case modify
        case touch(expiry: Int64?)
    }

    /// What a write came to.
    enum Verdict: Equatable {
        /// With the value that was there, of a modify or a touch.
        case acknowledged(before: Int?)
        /// Nothing was changed.
        case refused
        /// Nobody knows.
        case failed
    }

    final class RunningWrite {
        var plan: WritePlan
        let key: Int
        let number: Int
        let operation: Operation
        let copies: [Int]
        let started: UInt64
        let finished: (Verdict) -> Void
        var before: Int?
        var unpublished = 0
        var isKept = true
        var isRevoking = false

        init(
            plan: WritePlan, key: Int, number: Int, operation: Operation, copies: [Int], started: UInt64,
            finished: @escaping (Verdict) -> Void
        ) {
            self.plan = plan
            self.key = key
            self.number = number
            self.operation = operation
            self.copies = copies
            self.started = started
            self.finished = finished
        }
    }

    func access(_ copies: [Int]) -> [PoolMarkers.Access] { copies.map(access) }

    /// What the markers say was of the process at the other end of the connection, if they were read after it was made.
    func access(_ node: Int) -> PoolMarkers.Access {
        guard start == .serving else { return .none }
        let isOld = world.now >= markers.goodUntil
        // As workers have it: no node is used by what one of them has forgotten.
        if isOld, world.broken != .oldReadings { return .none }
        let access = markers.access(node, now: isOld ? markers.provenAt(node) : world.now)
        let isProven = dataLinks[node].map { $0.opened <= markers.provenAt(node) } ?? false
        return access == .full && !isProven ? .syncing : access
    }

    /// - Parameter number: the value that it stores.
    func write(_ operation: Operation, _ key: Int, number: Int, _ finished: @escaping (Verdict) -> Void) {
        let (copies, targets) = (copies(of: key), targets(of: key))
        let kind: WritePlan.Kind =
            switch operation {
            case .set: .set
            case .delete: .delete
            case .modify, .touch: .readModifyWrite
            }
        // What is being copied there is nothing to rely on, whatever its node is.
        var access = access(copies) + access(targets).map { $0 == .full ? .syncing : $0 }
        if world.broken == .survivorsLast { access = access.map { $0 == .syncing ? .full : $0 } }
        if kind == .readModifyWrite {
            // A miss at the places to come, and the others are left.
            if !targets.isEmpty { world.histories[key].mayBeLost = true }
            if access.contains(where: { $0 != .full }) { world.histories[key].mayBeMissed = true }
        }
        let write = RunningWrite(
            plan: WritePlan(kind, access: access), key: key, number: number, operation: operation,
            copies: copies + targets, started: world.now,
            finished: { [unowned self] verdict in
                underWay -= 1
                finished(verdict)
                goOver()
            })
        underWay += 1
        proceed(write)
    }

    private func proceed(_ write: RunningWrite) {
        while let (copy, action) = write.plan.nextCommand() {
            if world.broken == .ignoringTouches, case .touch = write.operation, action == .delete {
                write.plan.received(.taken, from: copy)
                continue
            }
            let request = request(write, action)
            guard let connection = dataLinks[write.copies[copy]] else {
                write.plan.received(.failed, from: copy)
                continue
            }
            world.send(request, on: connection) { [unowned self] reply in
                switch reply {
                case .done(_, let before):
                    if case .command = action, write.before == nil { write.before = before }
                    write.plan.received(.taken, from: copy)
                case .missing:
                    write.plan.received(
                        write.operation == .delete || action != .command ? .taken : .refused, from: copy)
                case .refused: write.plan.received(.refused, from: copy)
                default: write.plan.received(.failed, from: copy)
                }
                proceed(write)
            }
        }
        guard write.plan.isSettled, !write.isRevoking else { return }
        write.isRevoking = true
        publish(write)
    }

    private func request(_ write: RunningWrite, _ action: WritePlan.Action) -> NodeRequest {
        let item = SimulatedItem(value: write.number, flags: UInt32(write.number & 0xffff))
        switch (write.operation, action) {
        case (.modify, .delete) where world.broken == .modifyingSyncing: return .modify(write.key, write.number)
        case (_, .delete), (.delete, _): return .delete(write.key, cas: nil)
        case (.set(let expiry), _):
            var item = item
            item.expiry = expiry
            return .set(write.key, item, .always)
        case (.modify, .effect): return .replace(write.key, modified(write.before ?? 0, by: write.number))
        case (.modify, _): return .modify(write.key, write.number)
        case (.touch(let expiry), _): return .touch(write.key, expiry: expiry)
        }
    }

    private func publish(_ write: RunningWrite) {
        var revoked: [Int] = []
        for (copy, node) in write.copies.enumerated() {
            let bit = UInt8(1) << UInt8(copy)
            let isLeftOut = write.plan.missed & bit != 0 && !markers.isCovered(node, now: world.now)
            if world.broken == .forgettingTargets, targets(of: write.key).contains(node) { continue }
            if write.plan.failed & bit != 0 || isLeftOut { revoked.append(node) }
        }
        write.unpublished = revoked.count
        if revoked.isEmpty || world.broken == .answeringFirst { answer(write) }
        if !revoked.isEmpty, world.broken == .answeringFirst, world.generator.once(in: 2) { return world.die(index) }
        for node in revoked {
            revoke(node, sent: write.started) { [unowned self] isKept in
                write.isKept = write.isKept && isKept
                write.unpublished -= 1
                if write.unpublished == 0, world.broken != .answeringFirst { answer(write) }
            }
        }
    }

    private func answer(_ write: RunningWrite) {
        write.plan.published(isKept: write.isKept)
        switch write.plan.answer {
        case .acknowledged: write.finished(.acknowledged(before: write.before))
        case .refused where write.plan.failed == 0: write.finished(.refused)
        default: write.finished(.failed)
        }
    }

    /// Reads from one full copy; from any that answers if there is none. While keys move, a miss is asked of the next.
    func read(_ key: Int, _ finished: @escaping (SimulatedItem?) -> Void) {
        let reachable = copies(of: key).filter { access($0) != .none }
        let full = reachable.filter { access($0) == .full }
        let readable = full.isEmpty || world.broken == .readingSyncing ? reachable : full
        guard !readable.isEmpty else { return }
        let first = world.generator.pick(readable)
        underWay += 1
        ask(key, [first] + (ways.writes == nil ? [] : readable.filter { $0 != first }), finished)
    }

    private func ask(_ key: Int, _ nodes: [Int], _ finished: @escaping (SimulatedItem?) -> Void) {
        guard let node = nodes.first, let connection = dataLinks[node] else { return endRead() }
        world.send(.get(key, bumps: true), on: connection) { [unowned self] reply in
            switch reply {
            case .item(let item): finished(item)
            case .missing where nodes.count > 1: return ask(key, Array(nodes.dropFirst()), finished)
            case .missing: finished(nil)
            default: break
            }
            endRead()
        }
    }

    private func endRead() {
        underWay -= 1
        goOver()
    }
}
