import Testing

@testable import Telemetry

/// What `/api/status` and `drover status` show.
@Suite struct StatusTests {
    private static func view() -> AdminView {
        var pool = PoolStats()
        pool.requests.add(1_234_567, to: 0)
        pool.hits.add(2, to: 0)
        pool.misses.add(1, to: 0)
        pool.errors.count(.timeout)
        pool.connections = 1
        (pool.consistency.recent, pool.consistency.recentAgreeing) = (1000, 999)
        for _ in 0..<100 { pool.latency.record(nanoseconds: 200_000) }
        var node = NodeStats()
        (node.requests, node.inFlight) = (1000, 7)
        node.errors.count(.timeout)
        node.latency.record(nanoseconds: 1_000_000)
        var job = JobView(id: 3, kind: "verify", pool: "main", node: nil, started: 1_700_000_000)
        (job.phase, job.done, job.known) = ("verifying a", 1, 4)
        return AdminView(
            version: "1.2", startTime: 1_700_000_000, uptime: 7512.5, workers: 2, residentBytes: 9 << 20,
            bufferLimit: 1 << 20, verbs: ["get"],
            pools: [
                PoolView(
                    name: "main", copies: 2,
                    nodes: [NodeView(name: "a", state: .up), NodeView(name: "b\u{7}\"", state: .syncing)],
                    available: 0.75,
                    readable: 1, writable: 0.5),
                PoolView(name: "empty", nodes: [NodeView(name: "c", state: .down)]),
            ], totals: WorkerSnapshot(pools: [pool, PoolStats()], nodes: [node, NodeStats(), NodeStats()]), jobs: [job])
    }

    @Test func peopleReadText() {
        #expect(
            Self.view().text == """
                drover 1.2, up 2 h 5 min, 2 workers, 9.0 MiB resident

                pool main: 2 nodes, 2 copies of a key, 1 client
                  1,234,567 requests, 66.7 % of keys found, half within 0.2 ms, 99 % within 0.2 ms, 1 errors
                  75 % of copies on nodes that are up, keys readable 100 %, writable 50 %, consistent 99.9 %

                  node  state    requests  in flight  errors  99 % within
                  a     up          1,000          7       1       1.0 ms
                  b?"   syncing         0          0       0            -

                pool empty: 1 node, 1 copy of a key, 0 clients
                  0 requests, 0 errors

                  node  state  requests  in flight  errors  99 % within
                  c     down          0          0       0            -

                jobs
                  job 3: verify main: verifying a, 25 %, 1 of 4

                """)
    }

    @Test func toolsReadJSON() throws {
        let json = try #require(JSONValue(reading: Array(Self.view().json.text.utf8)))
        #expect(json["version"]?.asString == "1.2")
        #expect(json["uptime_seconds"]?.asDouble == 7512.5)
        guard case .array(let pools)? = json["pools"], case .array(let nodes)? = pools[0]["nodes"],
            case .array(let jobs)? = json["jobs"]
        else {
            Issue.record("\(json.text)")
            return
        }
        #expect(pools.map { $0["name"]?.asString } == ["main", "empty"])
        #expect(pools[0]["requests"] == 1_234_567)
        #expect(pools[0]["availability_ratio"] == .number(0.75))
        #expect(pools[0]["consistency_ratio"] == .number(0.999) && pools[1]["consistency_ratio"] == .null)
        #expect(nodes.map { $0["name"]?.asString } == ["a", "b\u{7}\""])
        #expect(nodes.map { $0["state"]?.asString } == ["up", "syncing"])
        #expect(nodes[0]["errors"] == 1 && nodes[0]["in_flight"] == 7)
        #expect(jobs.map { JobView($0)?.line } == Self.view().jobs.map(\.line))
    }
}
