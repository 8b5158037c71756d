import Reactor
import Telemetry
import Testing

@testable import Admin

@Suite struct AdminPagesTests {
    private static func view(_ pools: [[NodeState]]) -> AdminView {
        AdminView(
            version: "9.9", startTime: 0, uptime: 1, workers: 1, residentBytes: 5, bufferLimit: 0, verbs: ["get"],
            pools: pools.enumerated().map { index, states in
                PoolView(name: "pool\(index)", nodes: states.map { NodeView(name: "node", state: $0) })
            }, totals: WorkerSnapshot())
    }

    private static func answer(_ method: String, _ path: String, _ pools: [[NodeState]] = [[.up]]) -> HTTPResponse {
        AdminPages.answer(HTTPRequest(method: method, path: path)) { view(pools) }
    }

    @Test(arguments: [
        ("GET", "/", 200), ("HEAD", "/metrics", 200), ("GET", "/metrics", 200), ("GET", "/healthz", 200),
        ("POST", "/metrics", 405), ("DELETE", "/", 405), ("GET", "/metrics/", 404), ("GET", "/x", 404),
        ("GET", "", 404),
        ("POST", "/x", 404),
    ])
    func statuses(method: String, path: String, status: Int) {
        let response = Self.answer(method, path)
        #expect(response.status == status)
        #expect((response.allow == "GET, HEAD") == (status == 405))
    }

    @Test(
        arguments: [
            ([], 200, "ok\n"),
            ([[.up, .down]], 200, "pool0: ok, 1 of 2 nodes readable\n"),
            ([[.draining]], 200, "pool0: ok, 1 of 1 nodes readable\n"),
            (
                [[.up], [.down, .syncing, .joining, .new]], 503,
                "pool0: ok, 1 of 1 nodes readable\npool1: failing, 0 of 4 nodes readable\n"
            ),
        ] as [([[NodeState]], Int, String)])
    func health(pools: [[NodeState]], status: Int, text: String) {
        let response = Self.answer("GET", "/healthz", pools)
        #expect(response.status == status)
        #expect(String(decoding: response.body, as: UTF8.self) == text)
    }

    @Test func metricsSayTheirFormat() {
        let response = Self.answer("GET", "/metrics")
        #expect(response.contentType == "text/plain; version=0.0.4; charset=utf-8")
        #expect(String(decoding: response.body, as: UTF8.self).contains("drover_build_info{version=\"9.9\"} 1\n"))
    }
}
