internal import Proxy
internal import Reactor
internal import Telemetry

/// What is found where.
struct AdminPages {
    /// Asked only by pages that show it.
    let view: () -> AdminView
    let obey: (JobCommand) -> JobAnswer
    /// The config that runs, as it was read; nil where there is no file.
    var config: () -> [UInt8]? = { nil }

    func answer(_ request: HTTPRequest) -> HTTPResponse {
        guard PercentCoding.decode(request.path) != nil else {
            return Self.refusal(400, "the path is not percent-encoded UTF-8")
        }
        guard let route = AdminRoute(request.path) else {
            return request.path.hasPrefix("/api/")
                ? Self.refusal(404, "there is nothing at \(request.path)") : Self.text(404, "not found\n")
        }
        do {
            if case .command(let command) = route { return try change(command, request) }
            guard request.method == "GET" || request.method == "HEAD" else { return Self.onlyBy("GET, HEAD") }
            return try page(route, request.query)
        } catch {
            return Self.refusal(400, error.reason)
        }
    }

    private func page(_ route: AdminRoute, _ query: String) throws(AdminQuery.Refusal) -> HTTPResponse {
        switch route {
        case .status:
            let isText = try AdminQuery(query, known: ["format"]).isText()
            return isText ? Self.text(200, view().text) : Self.json(200, view().json)
        case .job(let id):
            let isText = try AdminQuery(query, known: ["format"]).isText()
            guard let job = view().jobs.first(where: { $0.id == id }) else {
                return Self.refusal(404, "there is no job \(id), or it ended long ago")
            }
            return isText ? Self.text(200, job.text) : Self.json(200, job.json)
        case .metrics:
            let kind = "text/plain; version=0.0.4; charset=utf-8"
            return HTTPResponse(status: 200, contentType: kind, body: view().metricText())
        case .config:
            guard let text = config() else { return Self.refusal(404, "this proxy runs without a config file") }
            return HTTPResponse(status: 200, contentType: "application/yaml", body: text)
        case .health: return health()
        case .index, .command: return index()
        }
    }

    // MARK: What changes something

    private func change(_ command: JobCommand, _ request: HTTPRequest) throws(AdminQuery.Refusal) -> HTTPResponse {
        guard request.method == "POST" else { return Self.onlyBy("POST") }
        guard Self.isMeant(request) else {
            return Self.refusal(403, "send the header X-Drover: 1, and not from a web page")
        }
        var asked = command
        var (known, success) = ([String](), 200)
        switch command {
        case .verify: (known, success) = (["repair", "sample"], 202)
        case .backup: (known, success) = (["path"], 202)
        case .restore: (known, success) = (["path", "overwrite"], 202)
        case .sync, .drain: success = 202
        case .pause, .resume, .cancel, .reload: break
        }
        let query = try AdminQuery(request.query, known: known)
        switch command {
        case .verify(let pool, _, _):
            asked = .verify(pool: pool, repair: try query.flag("repair"), sample: try query.sample())
        case .backup(let pool, _): asked = .backup(pool: pool, path: try query.path())
        case .restore(let pool, _, _):
            asked = .restore(pool: pool, path: try query.path(), overwrite: try query.flag("overwrite"))
        case .sync, .drain, .pause, .resume, .cancel, .reload: break
        }
        switch obey(asked) {
        case .job(let id): return Self.json(success, ["job": .integer(id)])
        case .done(let what): return Self.json(200, ["result": .string(what)])
        case .unknown(let what): return Self.refusal(404, what)
        case .refused(let why): return Self.refusal(409, why)
        }
    }

    /// There is no password, so a browser on this machine must not be made to ask for anything by a page of another
    /// site: a form cannot set a header, and a script that sets one is asked to show permission first, which nobody
    /// gives. One that has made its own name point here needs none, but the browser adds an `Origin`.
    private static func isMeant(_ request: HTTPRequest) -> Bool {
        request.headers["x-drover"] == "1" && request.headers["origin"] == nil
    }

    // MARK: Pages

    private func index() -> HTTPResponse {
        Self.text(
            200,
            """
            drover \(view().version)

            /metrics                           counters, gauges and latencies, for Prometheus
            /healthz                           200 while every pool has a node to read from, else 503
            /api/status                        pools, nodes, traffic, jobs as JSON; ?format=text for people
            /api/jobs/JOB                      one job, the same two ways
            /api/config                        the config that runs, as it was read

            With POST and the header X-Drover: 1:

            /api/reload                        read the config again and take it over

            Likewise, answered with the job's number:

            /api/pools/POOL/nodes/NODE/sync    fill a node anew from the other copies
            /api/pools/POOL/nodes/NODE/drain   move its keys to the other nodes, and have it leave the pool
            /api/pools/POOL/verify             compare all copies; ?repair=1 corrects, ?sample=N takes one key in N
            /api/pools/POOL/backup             save its items; ?path=/DIR on the proxy's machine
            /api/pools/POOL/restore            put them back; ?path=/DIR, ?overwrite=1 also where the key is there
            /api/jobs/JOB/pause, resume, cancel

            """)
    }

    /// One line a pool. A pool that no node can be read from serves nobody, so the whole proxy is not well.
    private func health() -> HTTPResponse {
        var lines = ""
        var isWell = true
        for pool in view().pools {
            let readable = pool.nodes.count { $0.state.isReadable }
            if readable == 0 { isWell = false }
            lines +=
                "\(pool.name): \(readable == 0 ? "failing" : "ok"), \(readable) of \(pool.nodes.count) nodes readable\n"
        }
        return Self.text(isWell ? 200 : 503, lines.isEmpty ? "ok\n" : lines)
    }

    // MARK: Kinds of answers

    private static func text(_ status: Int, _ text: String) -> HTTPResponse {
        HTTPResponse(status: status, contentType: "text/plain; charset=utf-8", body: Array(text.utf8))
    }

    private static func json(_ status: Int, _ value: JSONValue) -> HTTPResponse {
        HTTPResponse(status: status, contentType: "application/json", body: Array((value.text + "\n").utf8))
    }

    private static func refusal(_ status: Int, _ reason: String) -> HTTPResponse {
        json(status, ["error": .string(reason)])
    }

    private static func onlyBy(_ methods: String) -> HTTPResponse {
        var response = text(405, "only \(methods)\n")
        response.allow = methods
        return response
    }
}
