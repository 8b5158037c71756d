internal import Histogram
internal import Sockets

/// The result of a run as text and as JSON.
public struct LoadReport: Sendable {
    static let percentiles: [(name: String, value: Double)] = [
        ("p50", 50), ("p90", 90), ("p99", 99), ("p99.9", 99.9), ("p99.99", 99.99), ("max", 100),
    ]

    let plan: LoadPlan
    let outcome: LoadRun.Outcome

    public init(plan: LoadPlan, outcome: LoadRun.Outcome) {
        self.plan = plan
        self.outcome = outcome
    }

    private var counted: LoadTally { outcome.counted }
    private var seconds: Double { max(Double(counted.elapsed) / 1e9, 1e-9) }

    var requestsPerSecond: Double { Double(counted.answered) / seconds }

    public var text: String {
        var lines: [String] = []
        let pace = plan.rate.map { "open loop at \(Int($0))/s" } ?? "closed loop"
        lines.append(
            "target    \(targetText), \(plan.connections) connections, \(plan.threads) thread(s), depth \(plan.depth), "
                + pace)
        lines.append("load      \(loadText)")
        lines.append(
            "requests  \(counted.answered) in \(fixed(seconds, 2)) s: \(Int(requestsPerSecond))/s, "
                + "\(megabytes(counted.bytesReceived)) MB/s in, \(megabytes(counted.bytesSent)) MB/s out")
        lines.append(
            "answers   \(counted.hits) hits, \(counted.misses) misses, \(counted.sets) stored or refused, "
                + "\(counted.errorCount) errors")
        for error in counted.errors { lines.append("error     \(error.count) × \(error.text)") }
        if let prefill = outcome.prefill, !prefill.isClean {
            let texts = prefill.errors.map { "\($0.count) × \($0.text)" }.joined(separator: ", ")
            lines.append("prefill   failed in part: \(prefill.unanswered) unanswered, \(prefill.lost) lost; \(texts)")
        }
        for (count, text) in trouble where count > 0 { lines.append("trouble   \(count) \(text)") }
        lines.append("")
        lines.append(row("latency µs", Self.percentiles.map(\.name) + ["mean"]))
        if counted.gets > 0 { lines.append(latencyRow("get", counted.getLatency)) }
        if counted.sets > 0 { lines.append(latencyRow("set", counted.setLatency)) }
        if counted.gets > 0, counted.sets > 0 { lines.append(latencyRow("all", counted.latency)) }
        return lines.joined(separator: "\n")
    }

    private var trouble: [(Int, String)] {
        [
            (counted.mismatched, "values that are not their key's"),
            (counted.malformed, "malformed replies"),
            (counted.lost, "connections lost"),
            (counted.unanswered, "requests unanswered"),
            (counted.reordered, "values out of their request's order"),
        ]
    }

    var targetText: String {
        switch plan.target.kind {
        case .unix: plan.target.host
        case .ipv4: "\(plan.target.host):\(plan.target.port)"
        case .ipv6: "[\(plan.target.host)]:\(plan.target.port)"
        }
    }

    var loadText: String {
        let verb = plan.keysPerGet > 1 ? "get of \(plan.keysPerGet) keys" : "get"
        let mix = plan.sets == 0 ? verb : plan.gets == 0 ? "set" : "\(verb)/set \(plan.gets):\(plan.sets)"
        let sizes = plan.valueSizes
        let size = sizes.count == 1 ? "\(sizes.lowerBound)" : "\(sizes.lowerBound) to \(sizes.upperBound)"
        let skew = plan.zipf == 0 ? "uniform" : "zipf \(plan.zipf)"
        return "\(mix)\(plan.meta ? " (meta)" : ""), \(size) bytes, \(plan.keyCount) keys, \(skew), seed \(plan.seed)"
    }

    private func megabytes(_ count: Int) -> String { fixed(Double(count) / seconds / 1e6, 1) }

    private func latencyRow(_ name: String, _ latency: Histogram<UInt64>) -> String {
        let values = Self.percentiles.map { fixed(Double(latency.valueAtPercentile($0.value)) / 1000, 1) }
        return row(name, values + [fixed(latency.mean / 1000, 1)])
    }

    private func row(_ name: String, _ cells: [String]) -> String {
        name + String(repeating: " ", count: max(0, 12 - name.count))
            + cells.map { String(repeating: " ", count: max(0, 11 - $0.count)) + $0 }.joined()
    }
}

/// A decimal with so many places, without Foundation.
func fixed(_ value: Double, _ places: Int) -> String {
    guard value.isFinite, abs(value) < 1e15 else { return "\(value)" }
    var scale = 1
    for _ in 0..<places { scale *= 10 }
    let scaled = Int((abs(value) * Double(scale)).rounded())
    let fraction = String(scaled % scale)
    let sign = value < 0 && scaled > 0 ? "-" : ""
    guard places > 0 else { return sign + String(scaled) }
    return sign + String(scaled / scale) + "." + String(repeating: "0", count: places - fraction.count) + fraction
}
