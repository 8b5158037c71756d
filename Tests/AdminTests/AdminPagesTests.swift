import Proxy
import Reactor
import Telemetry
import Testing

@testable import Admin

@Suite struct AdminPagesTests {
    private static func view(_ pools: [[NodeState]]) -> AdminView {
        var job = JobView(id: 7, kind: "fill", pool: "pool0", node: "node", started: 0)
        job.phase = "copying"
        return AdminView(
            version: "9.9", startTime: 0, uptime: 1, workers: 1, residentBytes: 5, bufferLimit: 0, verbs: ["get"],
            pools: pools.enumerated().map { index, states in
                PoolView(name: "pool\(index)", nodes: states.map { NodeView(name: "node", state: $0) })
            }, totals: WorkerSnapshot(), jobs: [job])
    }

    /// To a URL as it stands in a request's first line.
    private static func answer(
        _ method: String, _ target: String, _ pools: [[NodeState]] = [[.up]], headers: [String: String] = [:],
        obey: @escaping (JobCommand) -> JobAnswer = { _ in .job(1) }
    ) -> HTTPResponse {
        let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let request = HTTPRequest(
            method: method, path: parts[0], query: parts.count > 1 ? parts[1] : "", headers: headers)
        return AdminPages(view: { view(pools) }, obey: obey).answer(request)
    }

    private static func text(_ response: HTTPResponse) -> String { String(decoding: response.body, as: UTF8.self) }

    @Test(arguments: [
        ("GET", "/", 200), ("HEAD", "/metrics", 200), ("GET", "/metrics", 200), ("GET", "/healthz", 200),
        ("POST", "/metrics", 405), ("DELETE", "/", 405), ("GET", "/metrics/", 404), ("GET", "/x", 404),
        ("GET", "", 404), ("POST", "/x", 404), ("GET", "//", 404),
        ("GET", "/api/status", 200), ("HEAD", "/api/status", 200), ("GET", "/api/status?format=text", 200),
        ("GET", "/api/status?format=json", 200), ("POST", "/api/status", 405), ("GET", "/api/status?format=xml", 400),
        ("GET", "/api/status?format", 400), ("GET", "/api/status?forma=text", 400),
        ("GET", "/api/status?format=text&format=text", 400), ("GET", "/api/status?format=%zz", 400),
        ("GET", "/api", 404), ("GET", "/api/", 404), ("GET", "/api/status/x", 404), ("GET", "/api/jobs", 404),
        ("GET", "/api/jobs/7", 200), ("GET", "/api/jobs/7?format=text", 200), ("GET", "/api/jobs/%37", 200),
        ("GET", "/api/jobs/8", 404), ("GET", "/api/jobs/x", 404), ("GET", "/api/jobs/99999999999999999999", 404),
        ("GET", "/api/jobs/7/", 404), ("GET", "/api/jobs/7/stop", 404), ("PUT", "/api/jobs/7", 405),
        ("GET", "/api/%", 400), ("GET", "/api/%FF", 400), ("GET", "/%00", 400),
    ])
    func statuses(method: String, target: String, status: Int) {
        let response = Self.answer(method, target)
        #expect(response.status == status, "\(Self.text(response))")
        #expect((response.allow == "GET, HEAD") == (status == 405))
        if status == 400 || status == 404, target.hasPrefix("/api/") {
            #expect(Self.text(response).hasPrefix("{\"error\": \""), "\(Self.text(response))")
        }
    }

    @Test func theIndexNamesEveryPath() {
        let index = Self.text(Self.answer("GET", "/"))
        for path in [
            "/metrics", "/healthz", "/api/status", "/api/config", "/api/reload", "/api/jobs/JOB", "/sync", "/drain",
            "/verify", "/pause", "resume", "cancel",
        ] {
            #expect(index.contains(path), "\(path)")
        }
    }

    @Test func statusAndJobsComeAsJSONAndAsText() {
        let status = Self.answer("GET", "/api/status")
        #expect(status.contentType == "application/json")
        #expect(JSONValue(reading: status.body)?["version"]?.asString == "9.9")
        let text = Self.answer("GET", "/api/status?format=text")
        #expect(text.contentType == "text/plain; charset=utf-8")
        #expect(Self.text(text).hasPrefix("drover 9.9, "))
        #expect(JSONValue(reading: Self.answer("GET", "/api/jobs/7").body).flatMap { JobView($0) }?.phase == "copying")
        #expect(Self.text(Self.answer("GET", "/api/jobs/7?format=text")) == "job 7: fill pool0/node: copying\n")
    }

    // MARK: What changes something

    private static let tool = ["x-drover": "1"]

    @Test(
        arguments: [
            ("/api/pools/main/nodes/node2/sync", .sync(pool: "main", node: "node2"), 202),
            ("/api/pools/main/nodes/node2/drain", .drain(pool: "main", node: "node2"), 202),
            ("/api/pools/main/nodes/%5B::1%5D:1/sync", .sync(pool: "main", node: "[::1]:1"), 202),
            ("/api/pools/a/nodes/unix:%2Frun%2Fm.sock/sync", .sync(pool: "a", node: "unix:/run/m.sock"), 202),
            ("/api/pools//nodes/%C3%A9/sync", .sync(pool: "", node: "é"), 202),
            ("/api/pools/main/verify", .verify(pool: "main", repair: false, sample: 1), 202),
            ("/api/pools/main/verify?", .verify(pool: "main", repair: false, sample: 1), 202),
            ("/api/pools/main/verify?repair=0&sample=1", .verify(pool: "main", repair: false, sample: 1), 202),
            ("/api/pools/main/verify?sample=100&repair=1", .verify(pool: "main", repair: true, sample: 100), 202),
            ("/api/pools/main/verify?sample=1000000", .verify(pool: "main", repair: false, sample: 1_000_000), 202),
            ("/api/pools/main/backup?path=/a%20b", .backup(pool: "main", path: "/a b"), 202),
            ("/api/pools/main/restore?path=/a", .restore(pool: "main", path: "/a", overwrite: false), 202),
            ("/api/pools/a/restore?overwrite=1&path=/a", .restore(pool: "a", path: "/a", overwrite: true), 202),
            ("/api/jobs/7/pause", .pause(job: 7), 200), ("/api/jobs/7/resume", .resume(job: 7), 200),
            ("/api/jobs/-7/cancel", .cancel(job: -7), 200),
        ] as [(String, JobCommand, Int)])
    func commandsAreHandedOn(target: String, command: JobCommand, status: Int) {
        var asked: [JobCommand] = []
        let response = Self.answer("POST", target, headers: Self.tool) {
            asked.append($0)
            return .job(12)
        }
        #expect(asked == [command])
        #expect(response.status == status)
        #expect(Self.text(response) == "{\"job\": 12}\n")
    }

    @Test(arguments: [
        ("/api/pools/main/verify?sample=0", 400), ("/api/pools/main/verify?sample=1000001", 400),
        ("/api/pools/main/verify?sample=x", 400), ("/api/pools/main/verify?sample", 400),
        ("/api/pools/main/verify?sample=2&sample=2", 400), ("/api/pools/main/verify?repair=yes", 400),
        ("/api/pools/main/verify?rep%61ir=%32", 400), ("/api/pools/main/verify?dry=1", 400),
        ("/api/pools/main/nodes/a/sync?x=1", 400), ("/api/jobs/1/pause?x", 400), ("/api/pools/%zz/verify", 400),
        ("/api/pools/%00/verify", 400), ("/api/pools/main", 404), ("/api/pools/main/nodes/a", 404),
        ("/api/pools/main/nodes/sync", 404), ("/api/pools/main/nodes/a/b/sync", 404), ("/api/pools/main/verify/", 404),
        ("/api/pools/main/nodes/a/drop", 404), ("/api/jobs/x/pause", 404), ("/api/jobs/1/pause/2", 404),
        ("/API/jobs/1/pause", 404), ("/api/pools/main/backup", 400), ("/api/pools/main/backup?path=a", 400),
        ("/api/pools/main/backup?path=/a&overwrite=1", 400), ("/api/pools/main/restore?path=/a&overwrite=x", 400),
    ])
    func whatIsMalformedIsNotHandedOn(target: String, status: Int) {
        let response = Self.answer("POST", target, headers: Self.tool) { _ in
            Issue.record("handed on")
            return .job(1)
        }
        #expect(response.status == status, "\(Self.text(response))")
    }

    @Test(
        arguments: [
            (.unknown("no \"x\""), 404, "{\"error\": \"no \\\"x\\\"\"}\n"),
            (.refused("busy"), 409, "{\"error\": \"busy\"}\n"),
        ] as [(JobAnswer, Int, String)])
    func refusalsSayWhy(answer: JobAnswer, status: Int, text: String) {
        let response = Self.answer("POST", "/api/pools/x/verify", headers: Self.tool) { _ in answer }
        #expect(response.status == status)
        #expect(Self.text(response) == text)
    }

    /// A browser sends forms anywhere, and a page whose name points here scripts too; neither may change anything.
    @Test(
        arguments: [
            ("POST", [:], 403), ("POST", ["x-drover": ""], 403), ("POST", ["x-drover": "0"], 403),
            ("POST", ["x-drover": "1", "origin": "http://localhost:9411"], 403),
            ("POST", ["content-type": "application/x-www-form-urlencoded", "origin": "null"], 403),
            ("GET", ["x-drover": "1"], 405), ("HEAD", ["x-drover": "1"], 405), ("OPTIONS", ["x-drover": "1"], 405),
        ] as [(String, [String: String], Int)])
    func webPagesCommandNothing(method: String, headers: [String: String], status: Int) {
        for target in ["/api/pools/main/nodes/a/sync", "/api/pools/main/verify?repair=1", "/api/jobs/1/cancel"] {
            let response = Self.answer(method, target, headers: headers) { _ in
                Issue.record("handed on")
                return .job(1)
            }
            #expect(response.status == status)
            #expect((response.allow == "POST") == (status == 405))
        }
    }

    // MARK: Health and metrics

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
        #expect(Self.text(response) == text)
    }

    @Test func metricsSayTheirFormat() {
        let response = Self.answer("GET", "/metrics")
        #expect(response.contentType == "text/plain; version=0.0.4; charset=utf-8")
        #expect(Self.text(response).contains("drover_build_info{version=\"9.9\"} 1\n"))
    }
}
