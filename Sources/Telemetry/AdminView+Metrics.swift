extension AdminView {
    /// The view in Prometheus' text format, every metric of `MetricList` in its order.
    public func metricText() -> [UInt8] {
        var text = MetricText()
        addProcess(to: &text)
        addPools(to: &text)
        addNodes(to: &text)
        addJobs(to: &text)
        return text.bytes
    }

    private func addProcess(to text: inout MetricText) {
        text.begin(MetricList.buildInfo)
        text.sample(MetricList.buildInfo, [("version", version)], 1)
        text.begin(MetricList.startTime)
        text.sample(MetricList.startTime, [], startTime)
        text.begin(MetricList.uptime)
        text.sample(MetricList.uptime, [], uptime)
        text.begin(MetricList.workers)
        text.sample(MetricList.workers, [], workers)
        text.begin(MetricList.resident)
        text.sample(MetricList.resident, [], residentBytes)
        text.begin(MetricList.buffers)
        text.sample(MetricList.buffers, [], totals.loop.bufferBytes)
        text.begin(MetricList.bufferLimit)
        text.sample(MetricList.bufferLimit, [], bufferLimit)
        text.begin(MetricList.turns)
        text.sample(MetricList.turns, [], totals.loop.turns)
        text.begin(MetricList.reads)
        text.sample(MetricList.reads, [], totals.loop.reads)
        text.begin(MetricList.writes)
        text.sample(MetricList.writes, [], totals.loop.writes)
    }

    private func addPools(to text: inout MetricText) {
        addVerbs(MetricList.requests, to: &text, always: true) { $0.requests }
        addVerbs(MetricList.hits, to: &text, always: false) { $0.hits }
        addVerbs(MetricList.misses, to: &text, always: false) { $0.misses }
        addCauses(MetricList.errors, ErrorCause.allCases, to: &text) { $0.errors }
        addPoolValue(MetricList.retries, to: &text) { $1.retries }
        addCopies(to: &text)
        text.begin(MetricList.duration)
        forEachPool { pool, stats, _ in text.histogram(MetricList.duration, [("pool", pool.name)], stats.latency) }
        addPoolValue(MetricList.received, to: &text) { $1.bytesIn }
        addPoolValue(MetricList.sent, to: &text) { $1.bytesOut }
        addPoolValue(MetricList.connections, to: &text) { UInt64(clamping: $1.connections) }
        addPoolValue(MetricList.accepted, to: &text) { $1.connectionsTotal }
        addPoolValue(MetricList.refused, to: &text) { $1.connectionsRefused }
        addRepairs(MetricList.repairsQueued, to: &text) { $0.queued }
        addRepairs(MetricList.repairsDropped, to: &text) { $0.dropped }
        addRepairs(MetricList.repairsDone, to: &text) { $0.done }
        addPoolValue(MetricList.repairsAbandoned, to: &text) { $1.repairs.abandoned }
        addPoolValue(MetricList.repairRetries, to: &text) { $1.repairs.retries }
        addPoolValue(MetricList.repairsWaiting, to: &text) { UInt64(clamping: $1.repairs.waiting) }
        addRatio(MetricList.available, to: &text) { pool, _ in pool.available }
        addRatio(MetricList.readable, to: &text) { pool, _ in pool.readable }
        addRatio(MetricList.writable, to: &text) { pool, _ in pool.writable }
        addChecks(to: &text)
        addRatio(MetricList.consistency, to: &text) { $1.consistency.ratio }
    }

    private func addChecks(to text: inout MetricText) {
        text.begin(MetricList.checks)
        forEachPool { pool, stats, _ in
            guard pool.copies > 1 else { return }
            let (agreeing, differing) = (stats.consistency.agreeing, stats.consistency.differing)
            text.sample(MetricList.checks, [("pool", pool.name), ("result", "agree")], agreeing)
            text.sample(MetricList.checks, [("pool", pool.name), ("result", "differ")], differing)
        }
    }

    /// Of pools with copies, where it is known.
    private func addRatio(_ metric: Metric, to text: inout MetricText, _ ratio: (PoolView, PoolStats) -> Double?) {
        text.begin(metric)
        forEachPool { pool, stats, _ in
            guard pool.copies > 1, let ratio = ratio(pool, stats) else { return }
            text.sample(metric, [("pool", pool.name)], ratio)
        }
    }

    private func addCopies(to text: inout MetricText) {
        addPoolValue(MetricList.copiesWritten, to: &text, minCopies: 2) { $1.copies.written }
        addCauses(MetricList.copiesFailed, ErrorCause.ofCopies, to: &text, minCopies: 2) { $0.copies.failed }
        addPoolValue(MetricList.copiesRepaired, to: &text, minCopies: 2) { $1.copies.repaired }
        text.begin(MetricList.acknowledged)
        forEachPool { pool, stats, _ in
            guard pool.copies > 1 else { return }
            for copies in 1...pool.copies {
                let labels = [("pool", pool.name), ("copies", "\(copies)")]
                text.sample(MetricList.acknowledged, labels, stats.copies.acknowledged[copies])
            }
        }
        addCauses(MetricList.failovers, ErrorCause.ofCopies, to: &text, minCopies: 2) { $0.copies.failovers }
        addPoolValue(MetricList.hedges, to: &text, minCopies: 2) { $1.copies.hedges }
        addPoolValue(MetricList.hedgesWon, to: &text, minCopies: 2) { $1.copies.hedgesWon }
        addPoolValue(MetricList.backFills, to: &text, minCopies: 2) { $1.copies.backFills }
        addPoolValue(MetricList.backFillsUndone, to: &text, minCopies: 2) { $1.copies.backFillsUndone }
        addPoolValue(MetricList.unprovenReads, to: &text, minCopies: 2) { $1.copies.unprovenReads }
    }

    private func addCauses(
        _ metric: Metric, _ causes: [ErrorCause], to text: inout MetricText, minCopies: Int = 1,
        _ counts: (PoolStats) -> ErrorCounts
    ) {
        text.begin(metric)
        forEachPool { pool, stats, _ in
            for cause in causes where pool.copies >= minCopies {
                text.sample(metric, [("pool", pool.name), ("cause", "\(cause.label)")], counts(stats)[cause])
            }
        }
    }

    private func addRepairs(_ metric: Metric, to text: inout MetricText, _ counts: (RepairStats) -> RepairCounts) {
        text.begin(metric)
        forEachPool { pool, stats, _ in
            for reason in RepairReason.allCases {
                let labels = [("pool", pool.name), ("reason", "\(reason.label)")]
                text.sample(metric, labels, counts(stats.repairs)[reason])
            }
        }
    }

    /// - Parameter always: also for verbs that have found and missed nothing: most look nothing up.
    private func addVerbs(
        _ metric: Metric, to text: inout MetricText, always: Bool, _ counts: (PoolStats) -> VerbCounts
    ) {
        text.begin(metric)
        forEachPool { pool, stats, _ in
            for (index, verb) in verbs.prefix(VerbCounts.capacity).enumerated() {
                let raw = UInt8(index)
                guard always || stats.hits[raw] > 0 || stats.misses[raw] > 0 else { continue }
                text.sample(metric, [("pool", pool.name), ("verb", verb)], counts(stats)[raw])
            }
        }
    }

    /// - Parameter minCopies: pools whose keys have fewer copies are left out.
    private func addPoolValue(
        _ metric: Metric, to text: inout MetricText, minCopies: Int = 1, _ value: (PoolView, PoolStats) -> UInt64
    ) {
        text.begin(metric)
        forEachPool { pool, stats, _ in
            if pool.copies >= minCopies { text.sample(metric, [("pool", pool.name)], value(pool, stats)) }
        }
    }

    private func addNodes(to text: inout MetricText) {
        text.begin(MetricList.nodeState)
        forEachNode { pool, node, _ in
            for state in NodeState.allCases {
                let labels = [("pool", pool), ("node", node.name), ("state", "\(state.label)")]
                text.sample(MetricList.nodeState, labels, node.state == state ? 1 : 0)
            }
        }
        addNodeValue(MetricList.nodeRequests, to: &text) { $0.requests }
        text.begin(MetricList.nodeErrors)
        forEachNode { pool, node, stats in
            for cause in ErrorCause.ofNodes {
                let labels = [("pool", pool), ("node", node.name), ("cause", "\(cause.label)")]
                text.sample(MetricList.nodeErrors, labels, stats.errors[cause])
            }
        }
        addNodeValue(MetricList.nodeInFlight, to: &text) { UInt64(clamping: $0.inFlight) }
        addNodeValue(MetricList.nodeConnections, to: &text) { UInt64(clamping: $0.connections) }
        addNodeValue(MetricList.nodeConnects, to: &text) { $0.connects }
        addNodeValue(MetricList.nodeRetries, to: &text) { $0.retries }
        addNodeValue(MetricList.nodeReceived, to: &text) { $0.bytesIn }
        addNodeValue(MetricList.nodeSent, to: &text) { $0.bytesOut }
        text.begin(MetricList.nodeDuration)
        forEachNode { pool, node, stats in
            text.histogram(MetricList.nodeDuration, [("pool", pool), ("node", node.name)], stats.latency)
        }
    }

    private func addNodeValue(_ metric: Metric, to text: inout MetricText, _ value: (NodeStats) -> UInt64) {
        text.begin(metric)
        forEachNode { pool, node, stats in
            text.sample(metric, [("pool", pool), ("node", node.name)], value(stats))
        }
    }

    private func forEachNode(_ body: (_ pool: String, _ node: NodeView, _ stats: NodeStats) -> Void) {
        forEachPool { pool, _, nodes in
            for node in nodes { body(pool.name, node.view, node.stats) }
        }
    }
}
