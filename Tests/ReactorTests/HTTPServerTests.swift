import Reactor
import Testing

@Suite struct HTTPServerTests {
    /// Says what it was asked.
    @Sendable private static func echo(_ request: HTTPRequest) -> HTTPResponse {
        let text = "\(request.method)|\(request.path)|\(request.query)|\(String(decoding: request.body, as: UTF8.self))"
        return HTTPResponse(status: 200, contentType: "text/x-echo", body: Array(text.utf8))
    }

    @Test(arguments: [
        ("GET", "/", "GET|/||"), ("GET", "/a/b?c=d&e", "GET|/a/b|c=d&e|"), ("GET", "/%41", "GET|/%41||"),
        ("OPTIONS", "/x", "OPTIONS|/x||"), ("PATCH", "/x", "PATCH|/x||"), ("DELETE", "/x?", "DELETE|/x||"),
    ])
    func theHandlerSeesWhatWasSent(method: String, target: String, seen: String) {
        let reply = RunningServer.with(handler: Self.echo) { HTTPClient.get(target, method: method, port: $0) }
        #expect(reply.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(reply.contains("Content-Type: text/x-echo\r\n"))
        #expect(reply.hasSuffix("\r\n\r\n" + seen))
    }

    @Test func headHasTheLengthAndNoBody() {
        let reply = RunningServer.with(handler: Self.echo) { HTTPClient.get("/x", method: "HEAD", port: $0) }
        #expect(reply.contains("Content-Length: 9\r\n"))
        #expect(reply.hasSuffix("\r\n\r\n"))
    }

    @Test func statusAndAllowAreSent() {
        let reply = RunningServer.with(handler: { _ in
            HTTPResponse(status: 405, contentType: "text/plain", body: [], allow: "GET")
        }) { HTTPClient.get("/", port: $0) }
        #expect(reply.hasPrefix("HTTP/1.1 405 "))
        #expect(reply.contains("Allow: GET\r\n"))
    }

    @Test func headersAreFoundByTheirNamesInSmallLetters() {
        let reply = RunningServer.with(handler: { request in
            let text = ["x-one", "x-two", "x-three"].map { request.headers[$0] ?? "-" }.joined(separator: "|")
            return HTTPResponse(status: 200, contentType: "text/plain", body: Array(text.utf8))
        }) {
            HTTPClient.exchange(
                port: $0,
                Array("GET / HTTP/1.1\r\nConnection: close\r\nX-ONE: a b\r\nX-One: c\r\nx-two:\r\n\r\n".utf8))
        }
        #expect(reply.hasSuffix("\r\n\r\na b||-"))
    }

    @Test func aBodyIsRead() {
        let reply = RunningServer.with(handler: Self.echo) {
            HTTPClient.exchange(
                port: $0,
                Array("POST /p HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello".utf8))
        }
        #expect(reply.hasSuffix("POST|/p||hello"))
    }

    @Test func manyRequestsOnOneConnection() {
        let one = "GET /k HTTP/1.1\r\nHost: x\r\n\r\n"
        let last = "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        let reply = RunningServer.with(handler: Self.echo) {
            HTTPClient.exchange(port: $0, Array((String(repeating: one, count: 20) + last).utf8))
        }
        #expect(reply.split(separator: "HTTP/1.1 200 OK").count == 21)
        #expect(reply.hasSuffix("GET|/last||"))
    }

    /// Nothing of these may reach the handler, and the server must serve the next one.
    @Test(arguments: [
        "GET /" + String(repeating: "x", count: 10_000) + " HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\n" + String(repeating: "A: b\r\n", count: 10_000) + "\r\n",
        "POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: 5000\r\n\r\n" + String(repeating: "x", count: 5000),
        "POST / HTTP/1.1\r\nContent-Length: -1\r\nConnection: close\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\nConnection: close\r\n\r\n",
        "nonsense\r\n\r\n", "BREW / HTTP/1.1\r\nConnection: close\r\n\r\n",
    ])
    func whatIsTooMuchOrNonsenseIsRefused(request: String) {
        var limits = HTTPServer.Limits()
        limits.headers = 1024
        limits.body = 1024
        let (bad, good) = RunningServer.with(limits: limits, handler: Self.echo) { port in
            (HTTPClient.exchange(port: port, Array(request.utf8)), HTTPClient.get("/next", port: port))
        }
        #expect(!bad.contains("200 OK"), "\(bad)")
        #expect(good.hasSuffix("GET|/next||"))
    }

    @Test func aSilentConnectionIsClosed() {
        var limits = HTTPServer.Limits()
        limits.timeout = 1
        let reply = RunningServer.with(limits: limits, handler: Self.echo) {
            HTTPClient.exchange(port: $0, Array("GET / HT".utf8))
        }
        #expect(!reply.contains("200 OK"))
    }

    @Test func aPortInUseIsAnError() throws {
        let loop = EventLoop()
        let first = try HTTPServer(on: loop, host: "127.0.0.1", port: 0) { Self.echo($0) }
        #expect(throws: HTTPServerError.self) {
            try HTTPServer(on: loop, host: "127.0.0.1", port: first.port) { Self.echo($0) }
        }
        #expect(throws: HTTPServerError.self) {
            try HTTPServer(on: loop, host: "256.0.0.1", port: 0) { Self.echo($0) }
        }
    }

    @Test func itGoesWhileAConnectionIsOpen() {
        let reply = RunningServer.with(handler: Self.echo) { HTTPClient.connect(port: $0) }
        #expect(reply >= 0)
    }
}
