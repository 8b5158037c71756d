internal import Logging
internal import ProxyCore
internal import Reactor
internal import Telemetry

/// One verdict for all workers: what they report goes through each pool's health, and what changes goes back to all.
extension Control {
    func judge(_ report: NodeReport) {
        guard let node = current(Int(report.node)) else { return }
        if let cause = report.failure {
            logger.debug("node failed", metadata: describe(node, ["cause": "\(cause.label)"]))
            if cause == .connectFailed { resolveAgain(node) }
            // It answers.
            if cause != .unproven { apply(.failed, to: node, because: "\(cause.label)") }
            doubt(node, at: report.time, isSilent: cause == .timeout || cause == .connectFailed)
        } else {
            apply(.succeeded, to: node, because: "answered")
            if let keeper = keepers[topology.nodes[node].pool] { keeper.heard(keeper.place(of: node), at: report.time) }
        }
    }

    func apply(_ event: NodeHealth.Event, to node: Int, because reason: String) {
        guard let node = current(node) else { return }
        let pool = topology.nodes[node].pool
        let place = topology.pools[pool].server(of: node) - topology.pools[pool].firstNode
        let outcome = health[pool].apply(event, to: place, now: loop.now, using: &generator)
        if let isOpen = outcome.failOpen {
            if isOpen {
                logger.error(
                    "most of a farm fails at once: more likely the network than the nodes; no more are ejected",
                    metadata: ["pool": "\(topology.pools[pool].settings.name)"])
            } else {
                logger.notice(
                    "no farm fails as a whole any longer", metadata: ["pool": "\(topology.pools[pool].settings.name)"])
            }
        }
        switch outcome.decision {
        case .stay, .waitForProbe: break
        case .declareDown:
            logger.warning("node is down", metadata: describe(node, ["reason": "\(reason)"]))
            keepers[pool]?.judged(place, isUp: false)
            homes[pool]?.judged(place, isUp: false)
            publish()
        case .declareUp:
            logger.notice("node is up", metadata: describe(node, [:]))
            keepers[pool]?.judged(place, isUp: true)
            homes[pool]?.judged(place, isUp: true)
            publish()
        }
    }

    func startDueProbes() {
        for pool in health.indices {
            for place in health[pool].startProbes(now: loop.now) {
                let node = topology.pools[pool].firstNode + place
                let settings = topology.pools[pool].settings
                probes.start(
                    node, at: addresses[node], deadline: loop.now + settings.connectTimeout + settings.timeout, on: loop
                )
            }
        }
        for result in probes.takeResults(now: loop.now, on: loop) {
            guard let node = current(result.node) else { continue }
            if !result.isAnswered { resolveAgain(node) }
            apply(result.isAnswered ? .probeAnswered : .probeFailed, to: node, because: "probe")
        }
    }

    /// When the control thread has to look at probes again.
    var nextProbeTime: UInt64 {
        min(health.compactMap(\.probeTime).min() ?? .max, probes.nextDeadline)
    }

    func describe(_ node: Int, _ more: Logger.Metadata) -> Logger.Metadata {
        let settings = topology.nodes[node].settings
        var metadata = more
        metadata["pool"] = "\(topology.pools[topology.nodes[node].pool].settings.name)"
        metadata["node"] = "\(settings.label)"
        if settings.name != nil { metadata["address"] = "\(settings.address)" }
        return metadata
    }
}
