import DroverTesting
import Proxy
import Telemetry
import Testing

@Suite struct AdminServerTests {
    /// Over a real connection: what a scraper gets, and what a load balancer gets while a pool has no node.
    @Test func scraperAndLoadBalancerAreAnswered() throws {
        let admin = try RunningAdmin()
        let metrics = try admin.exchange("GET", "/metrics")
        #expect(metrics.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(metrics.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"))
        #expect(metrics.contains("\ndrover_node_state{pool=\"main\",node=\"n\",state=\"down\"} 1\n"))
        let health = try admin.exchange("GET", "/healthz")
        #expect(health.hasPrefix("HTTP/1.1 503 "))
        #expect(health.hasSuffix("\r\n\r\nmain: failing, 0 of 1 nodes readable\n"))
        #expect(try admin.exchange("GET", "/nothing").hasPrefix("HTTP/1.1 404 "))
        #expect(admin.state.value.looks == 2, "a page that shows nothing asks for nothing")
    }

    @Test func commandsComeThroughAsTheyAreMeant() throws {
        let admin = try RunningAdmin { _, _ in .job(4) }
        let target = "/api/pools/a%20b/nodes/unix:%2Frun%2Fm%C3%A9.sock/sync"
        let length = "Content-Length: 0"
        #expect(try admin.exchange("POST", target, [length]).hasPrefix("HTTP/1.1 403 "))
        #expect(try admin.exchange("GET", target, ["X-Drover: 1"]).hasPrefix("HTTP/1.1 405 "))
        #expect(try admin.exchange("OPTIONS", target).hasPrefix("HTTP/1.1 405 "))
        let answer = try admin.exchange("POST", target, [length, "x-DROVER: 1"])
        #expect(answer.hasPrefix("HTTP/1.1 202 "))
        #expect(answer.hasSuffix("\r\n\r\n{\"job\": 4}\n"))
        #expect(admin.state.value.told == [.sync(pool: "a b", node: "unix:/run/mé.sock")])
    }
}
