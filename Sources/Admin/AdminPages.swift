internal import Reactor
internal import Telemetry

/// What is found where.
enum AdminPages {
    private static let plain = "text/plain; charset=utf-8"

    /// - Parameter view: asked only by pages that show it.
    static func answer(_ request: HTTPRequest, _ view: () -> AdminView) -> HTTPResponse {
        let page: (() -> AdminView) -> HTTPResponse
        switch request.path {
        case "/": page = index
        case "/metrics": page = metrics
        case "/healthz": page = health
        default: return text(404, "not found\n")
        }
        guard request.method == "GET" || request.method == "HEAD" else {
            var response = text(405, "only GET\n")
            response.allow = "GET, HEAD"
            return response
        }
        return page(view)
    }

    private static func text(_ status: Int, _ text: String) -> HTTPResponse {
        HTTPResponse(status: status, contentType: plain, body: Array(text.utf8))
    }

    private static func index(_ view: () -> AdminView) -> HTTPResponse {
        text(
            200,
            """
            drover \(view().version)

            /metrics   counters, gauges and latencies, for Prometheus
            /healthz   200 while every pool has a node to read from, else 503

            """)
    }

    private static func metrics(_ view: () -> AdminView) -> HTTPResponse {
        HTTPResponse(status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: view().metricText())
    }

    /// One line a pool. A pool that no node can be read from serves nobody, so the whole proxy is not well.
    private static func health(_ view: () -> AdminView) -> HTTPResponse {
        var lines = ""
        var isWell = true
        for pool in view().pools {
            let readable = pool.nodes.count { $0.state.isReadable }
            if readable == 0 { isWell = false }
            lines +=
                "\(pool.name): \(readable == 0 ? "failing" : "ok"), \(readable) of \(pool.nodes.count) nodes readable\n"
        }
        return text(isWell ? 200 : 503, lines.isEmpty ? "ok\n" : lines)
    }
}
