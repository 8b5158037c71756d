import Glibc
import Reactor

/// A blocking client that sends bytes and reads until the server closes, for tests.
enum HTTPClient {
    static func connect(port: UInt16) -> Int32 {
        let file = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr = in_addr(s_addr: UInt32(0x7F00_0001).bigEndian)
        let failed = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(file, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        precondition(failed == 0, "connect")
        return file
    }

    /// What came back; empty if the server closed without a word.
    static func exchange(port: UInt16, _ request: [UInt8]) -> String {
        let file = connect(port: port)
        defer { close(file) }
        var sent = 0
        while sent < request.count {
            let count = unsafe request.withUnsafeBytes {
                unsafe send(file, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { break }
            sent += count
        }
        var reply: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe chunk.withUnsafeMutableBytes { unsafe recv(file, $0.baseAddress, $0.count, 0) }
            guard count > 0 else { return String(decoding: reply, as: UTF8.self) }
            reply += chunk[..<count]
        }
    }

    static func get(_ target: String, method: String = "GET", port: UInt16) -> String {
        exchange(port: port, Array("\(method) \(target) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".utf8))
    }
}

/// A server on a loop and a thread of its own, until the body has run.
enum RunningServer {
    enum Message: Sendable { case listening(UInt16), stop }

    static func with<Output>(
        limits: HTTPServer.Limits = HTTPServer.Limits(),
        handler: @escaping @Sendable (HTTPRequest) -> HTTPResponse, _ body: (UInt16) -> Output
    ) -> Output {
        let toServer = Mailbox<Message>()
        let toTest = Mailbox<Message>()
        let thread = LoopThread(name: "http-test") {
            let loop = EventLoop()
            let watch = loop.watchReadable(toServer.descriptor, token: 1)
            let server = try! HTTPServer(on: loop, host: "127.0.0.1", port: 0, limits: limits, handler: handler)
            toTest.send(.listening(server.port))
            while toServer.takeAll().isEmpty { loop.turn() }
            loop.remove(watch)
        }
        let loop = EventLoop()
        let watch = loop.watchReadable(toTest.descriptor, token: 1)
        var port: UInt16 = 0
        while port == 0 {
            loop.turn()
            for case .listening(let number) in toTest.takeAll() { port = number }
        }
        loop.remove(watch)
        defer {
            toServer.send(.stop)
            thread.join()
        }
        return body(port)
    }
}
