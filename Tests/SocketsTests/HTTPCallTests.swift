import DroverTesting
import Glibc
import Testing

@testable import Sockets

@Suite struct HTTPCallTests {
    @Test(
        arguments: [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", 200, "hi"), ("HTTP/1.0 404 Not\r\n\r\n", 404, ""),
            ("HTTP/1.1 202\r\nX: \r\n\r\na\r\n\r\nb", 202, "a\r\n\r\nb"),
            ("HTTP/1.1 200 OK\r\ncontent-LENGTH:3\r\nY\r\n\r\nhey", 200, "hey"),
        ])
    func answersAreTakenApart(text: String, status: Int, body: String) {
        #expect(HTTPReply(Array(text.utf8)) == HTTPReply(status: status, body: Array(body.utf8)))
    }

    @Test(arguments: [
        "", "\r\n\r\n", "HTTP/1.1 200 OK", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 OK\r\n\r\n", "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 99 OK\r\n\r\n", "HTTP/1.1 600 OK\r\n\r\n", "HTTP/1.1 -200 OK\r\n\r\n", "ERROR\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ])
    func whatIsNoWholeAnswerIsNone(text: String) {
        #expect(HTTPReply(Array(text.utf8)) == nil)
    }

    /// A call to a listener that reads a request's head and says that.
    /// - Parameter closes: afterwards; else it stays silent until the call is over.
    private func call(
        answeredWith answer: String, closes: Bool = true, within milliseconds: Int = 20_000, limit: Int = 1000
    ) throws -> (result: Result<HTTPReply, HTTPCall.Failure>, seen: String) {
        let address = try #require(SocketAddress(literal: "127.0.0.1", port: 0))
        let listener = try Listener.listen(on: address, shared: false).get()
        defer { listener.socket.close() }
        let server = TestThread { () throws -> (Socket, String) in
            guard Self.isReadable(listener.socket), case .client(let client) = listener.accept() else {
                throw TestFailure("nobody came")
            }
            var (bytes, block) = ([UInt8](), [UInt8](repeating: 0, count: 4096))
            while !bytes.reversed().starts(with: Array("\n\r\n\r".utf8)), Self.isReadable(client) {
                let count = unsafe recv(client.descriptor, &block, block.count, 0)
                guard count > 0 else { break }
                bytes += block[..<count]
            }
            let text = Array(answer.utf8)
            _ = unsafe send(client.descriptor, text, text.count, Int32(MSG_NOSIGNAL))
            if closes { client.close() }
            return (client, String(decoding: bytes, as: UTF8.self))
        }
        let target = try #require(SocketAddress(literal: "127.0.0.1", port: listener.socket.localPort()))
        let result = Result { () throws(HTTPCall.Failure) in
            try HTTPCall.exchange(
                target, method: "POST", target: "/a?b=c", headers: ["X-Drover: 1"], limit: limit, within: milliseconds)
        }
        let (client, seen) = try server.join()
        if !closes { client.close() }
        return (result, seen)
    }

    private static func isReadable(_ socket: Socket) -> Bool {
        var entry = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&entry, 1, 20_000) == 1
    }

    @Test func aRequestIsSentAndItsAnswerRead() throws {
        let (result, seen) = try call(answeredWith: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        #expect(result == .success(HTTPReply(status: 200, body: Array("hello".utf8))))
        #expect(seen.hasPrefix("POST /a?b=c HTTP/1.1\r\nHost: "))
        #expect(seen.contains("\r\nConnection: close\r\n") && seen.contains("\r\nContent-Length: 0\r\n"))
        #expect(seen.hasSuffix("\r\nX-Drover: 1\r\n\r\n"))
    }

    @Test(
        arguments: [
            ("VERSION 1.6\r\n", .malformed), ("", .malformed),
            ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", .malformed),
            ("HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: 982), .tooLarge),
        ] as [(String, HTTPCall.Failure)])
    func badAnswersAreFailures(answer: String, failure: HTTPCall.Failure) throws {
        #expect(try call(answeredWith: answer).result == .failure(failure))
    }

    @Test func anAnswerMayBeAsLargeAsTheLimit() throws {
        let body = String(repeating: "x", count: 981)
        let result = try call(answeredWith: "HTTP/1.1 200 OK\r\n\r\n" + body).result
        #expect(result == .success(HTTPReply(status: 200, body: Array(body.utf8))))
    }

    @Test func aServerThatSaysNoMoreIsGivenUp() throws {
        let start = Deadline.now()
        let result = try call(answeredWith: "HTTP/1.1 200 OK\r\n\r\nhi", closes: false, within: 100).result
        #expect(result == .failure(.timeout))
        #expect(Deadline.seconds(since: start) < 10)
    }

    @Test func nobodyThereIsAFailure() throws {
        let port = try ServerAddress.freePort()
        let address = try #require(SocketAddress(literal: "127.0.0.1", port: port))
        #expect(throws: HTTPCall.Failure.unreachable(ECONNREFUSED)) {
            try HTTPCall.exchange(address, method: "GET", target: "/", within: 10_000)
        }
    }
}
