extension AdminView {
    /// All of it that a tool may want, for `/api/status`. Names and units are those of the metrics.
    public var json: JSONValue {
        var pools: [JSONValue] = []
        forEachPool { pool, stats, nodes in
            pools.append(Self.json(pool, stats, nodes.map { Self.json($0.view, $0.stats) }))
        }
        return [
            "version": .string(version), "start_time_seconds": .count(startTime), "uptime_seconds": .number(uptime),
            "workers": .integer(workers), "resident_memory_bytes": .count(residentBytes),
            "buffer_bytes": .integer(totals.loop.bufferBytes), "buffer_limit_bytes": .integer(bufferLimit),
            "pools": .array(pools), "jobs": .array(jobs.map(\.json)),
        ]
    }

    private static func json(_ pool: PoolView, _ stats: PoolStats, _ nodes: [JSONValue]) -> JSONValue {
        [
            "name": .string(pool.name), "copies": .integer(pool.copies),
            "availability_ratio": .number(pool.available), "readable_ratio": .number(pool.readable),
            "writable_ratio": .number(pool.writable), "consistency_ratio": .optional(stats.consistency.ratio),
            "client_connections": .integer(stats.connections), "requests": .count(stats.requests.total),
            "hits": .count(stats.hits.total), "misses": .count(stats.misses.total),
            "errors": .count(stats.errors.total), "duration_seconds": json(stats.latency),
            "client_received_bytes": .count(stats.bytesIn), "client_sent_bytes": .count(stats.bytesOut),
            "nodes": .array(nodes),
        ]
    }

    private static func json(_ node: NodeView, _ stats: NodeStats) -> JSONValue {
        [
            "name": .string(node.name), "state": .string("\(node.state.label)"), "requests": .count(stats.requests),
            "in_flight": .integer(stats.inFlight), "connections": .integer(stats.connections),
            "errors": .count(stats.errors.total), "duration_seconds": json(stats.latency),
            "received_bytes": .count(stats.bytesIn), "sent_bytes": .count(stats.bytesOut),
        ]
    }

    private static func json(_ latency: LatencyHistogram) -> JSONValue {
        [
            "p50": .number(Double(latency.quantile(0.5)) / 1e9), "p99": .number(Double(latency.quantile(0.99)) / 1e9),
        ]
    }
}
