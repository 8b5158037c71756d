import Admin
import DroverTesting
import Reactor
import Telemetry
import Testing

@Suite struct AdminServerTests {
    /// Over a real connection: what a scraper gets, and what a load balancer gets while a pool has no node.
    @Test func scraperAndLoadBalancerAreAnswered() throws {
        let loop = EventLoop()
        var views = 0
        let server = try AdminServer(on: loop, host: "127.0.0.1", port: 0) {
            views += 1
            return AdminView(
                version: "9.9", startTime: 0, uptime: 1, workers: 1, residentBytes: 5, bufferLimit: 0, verbs: ["get"],
                pools: [PoolView(name: "main", nodes: [NodeView(name: "n", state: .down)])], totals: WorkerSnapshot())
        }
        let finished = Mailbox<Bool>()
        let address = ServerAddress.tcp(host: "127.0.0.1", port: server.port)
        let client = TestThread {
            defer { finished.send(true) }
            return try ["/metrics", "/healthz", "/nothing"].map { path in
                let client = try RawClient(address)
                try client.send("GET \(path) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                return String(decoding: try client.readToEnd(), as: UTF8.self)
            }
        }
        let watch = loop.watchReadable(finished.descriptor, token: 1)
        while finished.takeAll().isEmpty { loop.turn() }
        loop.remove(watch)
        let replies = try client.join()

        #expect(replies[0].hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(replies[0].contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"))
        #expect(replies[0].contains("\ndrover_node_state{pool=\"main\",node=\"n\",state=\"down\"} 1\n"))
        #expect(replies[1].hasPrefix("HTTP/1.1 503 "))
        #expect(replies[1].hasSuffix("\r\n\r\nmain: failing, 0 of 1 nodes readable\n"))
        #expect(replies[2].hasPrefix("HTTP/1.1 404 "))
        #expect(views == 2, "a page that shows nothing asks for nothing")
    }
}
