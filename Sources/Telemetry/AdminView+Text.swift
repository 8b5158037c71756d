extension AdminView {
    /// Pools with their nodes, traffic in short, and jobs: what `drover status` prints.
    public var text: String {
        let resident = NumberText.bytes(Double(residentBytes))
        var text =
            "drover \(version), up \(NumberText.duration(uptime)), \(Self.some(workers, "worker")), \(resident) resident\n"
        forEachPool { pool, stats, nodes in
            text += "\npool \(pool.name.visible): \(Self.some(pool.nodes.count, "node")), "
            text += "\(Self.some(pool.copies, "copy", "copies")) of a key, \(Self.some(stats.connections, "client"))\n"
            text += "  \(Self.traffic(stats))\n"
            if pool.copies > 1 { text += "  \(Self.copies(pool, stats))\n" }
            text += "\n" + Self.table(nodes)
        }
        if !jobs.isEmpty { text += "\njobs\n" + jobs.map { "  \($0.line)\n" }.joined() }
        return text
    }

    private static func some(_ count: Int, _ one: String, _ many: String? = nil) -> String {
        "\(NumberText.grouped(count)) \(count == 1 ? one : many ?? one + "s")"
    }

    /// Since the start.
    private static func traffic(_ stats: PoolStats) -> String {
        var parts = ["\(NumberText.grouped(stats.requests.total)) requests"]
        let (hits, misses) = (stats.hits.total, stats.misses.total)
        if hits > 0 || misses > 0 {
            parts.append("\(NumberText.percent(Double(hits) / (Double(hits) + Double(misses)))) of keys found")
        }
        if stats.latency.count > 0 {
            parts.append("half within \(NumberText.latency(stats.latency.quantile(0.5)))")
            parts.append("99 % within \(NumberText.latency(stats.latency.quantile(0.99)))")
        }
        parts.append("\(NumberText.grouped(stats.errors.total)) errors")
        return parts.joined(separator: ", ")
    }

    private static func copies(_ pool: PoolView, _ stats: PoolStats) -> String {
        var parts = [
            "\(NumberText.percent(pool.available)) of copies on nodes that are up",
            "keys readable \(NumberText.percent(pool.readable))", "writable \(NumberText.percent(pool.writable))",
        ]
        if let ratio = stats.consistency.ratio { parts.append("consistent \(NumberText.percent(ratio))") }
        return parts.joined(separator: ", ")
    }

    private static func table(_ nodes: [(view: NodeView, stats: NodeStats)]) -> String {
        var table = TextTable(right: [false, false, true, true, true, true])
        table.add(["node", "state", "requests", "in flight", "errors", "99 % within"])
        for (node, stats) in nodes {
            table.add([
                node.name.visible, "\(node.state.label)", NumberText.grouped(stats.requests),
                NumberText.grouped(stats.inFlight), NumberText.grouped(stats.errors.total),
                stats.latency.count > 0 ? NumberText.latency(stats.latency.quantile(0.99)) : "-",
            ])
        }
        return table.text(indent: "  ")
    }
}
