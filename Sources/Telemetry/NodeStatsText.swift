extension PoolView {
    /// The reply to `stats nodes`: what the pool's nodes are and have done, in the form of memcached's `stats`.
    ///
    /// Names are `node:NAME:FIELD`; a field has no colon, so a name that has some is still told apart. Latencies are
    /// whole microseconds.
    /// - Parameter stats: in the order of `nodes`; zeros where it is shorter.
    public func nodeStatsText(_ stats: [NodeStats]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (index, node) in nodes.enumerated() {
            let stats = index < stats.count ? stats[index] : NodeStats()
            let prefix = "STAT node:\(Self.withoutBlanks(node.name)):"
            for (field, value) in Self.fields(of: node, stats) {
                bytes.append(contentsOf: "\(prefix)\(field) \(value)\r\n".utf8)
            }
        }
        bytes.append(contentsOf: "END\r\n".utf8)
        return bytes
    }

    private static func fields(of node: NodeView, _ stats: NodeStats) -> [(String, String)] {
        var fields = [
            ("state", "\(node.state.label)"),
            ("requests", String(stats.requests)),
            ("in_flight", String(stats.inFlight)),
            ("connections", String(stats.connections)),
            ("connects", String(stats.connects)),
            ("retries", String(stats.retries)),
            ("bytes_read", String(stats.bytesIn)),
            ("bytes_written", String(stats.bytesOut)),
            ("latency_p50_us", String(stats.latency.quantile(0.5) / 1000)),
            ("latency_p99_us", String(stats.latency.quantile(0.99) / 1000)),
        ]
        for cause in ErrorCause.ofNodes {
            fields.append(("errors_\(cause.label)", String(stats.errors[cause])))
        }
        return fields
    }

    /// A blank or a control byte in a name would end it, or the line, too early.
    private static func withoutBlanks(_ name: String) -> String {
        String(decoding: name.utf8.map { $0 <= 0x20 || $0 == 0x7F ? UInt8(ascii: "_") : $0 }, as: UTF8.self)
    }
}
