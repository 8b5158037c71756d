internal import Glibc
internal import MemcacheProtocol
internal import ProxyCore
internal import Reactor
public import Telemetry

/// What operators see: snapshots of the workers' counters, put together.
extension Control {
    /// How long this thread waits for the workers' figures, in nanoseconds. A worker answers between two turns of its
    /// loop; one that does not is shown as it was.
    private static var patience: UInt64 { 200_000_000 }

    private func gatherSnapshots() {
        let deadline = EventLoop.monotonicNow() + Self.patience
        missing = Set(workers.indices).subtracting(stopped)
        for worker in workers { worker.send(.snapshot) }
        while !missing.isEmpty {
            let now = EventLoop.monotonicNow()
            guard now < deadline, mailbox.wait(milliseconds: Int32((deadline - now) / 1_000_000 + 1)) else { return }
            for message in mailbox.takeAll() { receive(message) }
        }
    }

    /// What came while the figures were gathered is answered with newer ones.
    func answerFigures() {
        while !asking.isEmpty {
            let asked = asking
            asking = []
            gatherSnapshots()
            var stats = WorkerSnapshot.merged(snapshots).nodes
            // A worker may know a node by the number that it had before.
            for (before, number) in aliases where max(before, number) < stats.count {
                stats[number].merge(stats[before])
                stats[before] = stats[number]
            }
            for (worker, request) in asked { workers[worker].send(.figures(request: request, stats)) }
        }
    }

    /// Everything at this moment.
    public func view(version: String) -> AdminView {
        gatherSnapshots()
        let up = loop.now &- startedAt
        var totals = totals
        for (index, keeper) in keepers.enumerated() where index < totals.pools.count {
            if let scrub = keeper?.scrub { totals.pools[index].consistency.merge(scrub.consistency) }
        }
        return AdminView(
            version: version, startTime: UInt64(time(nil)) &- up / 1_000_000_000,
            uptime: Double(up) / 1_000_000_000, workers: workers.count, residentBytes: Self.residentBytes(),
            bufferLimit: workers.indices.reduce(0) { $0 + limits(of: $1).memory },
            verbs: Verb.allCases.map { "\($0.spelling)" },
            pools: zip(topology.pools, reach).map { pool, reach in
                PoolView(
                    name: pool.settings.name, copies: pool.settings.copies,
                    nodes: topology.nodes[pool.servers].map {
                        NodeView(name: $0.settings.label, state: NodeState($0.verdict.access))
                    }, available: reach.available, readable: reach.readable, writable: reach.writable)
            }, totals: totals, jobs: jobViews)
    }

    /// Of all workers, the nodes in the pools' order.
    private var totals: WorkerSnapshot {
        let merged = WorkerSnapshot.merged(snapshots)
        var ordered = merged
        ordered.nodes = []
        var places: [Int: Int] = [:]
        for pool in topology.pools {
            for server in pool.servers {
                places[server] = ordered.nodes.count
                ordered.nodes.append(NodeStats())
            }
            for target in pool.nodes.dropFirst(pool.servers.count) { places[target] = places[pool.server(of: target)] }
        }
        for (number, stats) in merged.nodes.enumerated() {
            if let place = places[number] ?? aliases[number].flatMap({ places[$0] }) {
                ordered.nodes[place].merge(stats)
            }
        }
        return ordered
    }

    /// The second field of /proc/self/statm, in bytes.
    private static func residentBytes() -> UInt64 {
        guard let file = unsafe fopen("/proc/self/statm", "r") else { return 0 }
        defer { unsafe fclose(file) }
        var line = [CChar](repeating: 0, count: 128)
        guard unsafe fgets(&line, 128, file) != nil else { return 0 }
        let fields = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(
            separator: " ")
        return fields.count > 1 ? (UInt64(fields[1]) ?? 0) * UInt64(sysconf(Int32(_SC_PAGESIZE))) : 0
    }
}

extension NodeState {
    init(_ access: NodeAccess) {
        switch access {
        case .none: self = .down
        case .syncing: self = .syncing
        case .full: self = .up
        }
    }
}
