internal import Glibc

/// What an HTTP server answered.
public struct HTTPReply: Sendable, Equatable {
    public var status: Int
    public var body: [UInt8]

    public init(status: Int, body: [UInt8]) {
        self.status = status
        self.body = body
    }

    /// All that came on a connection that the server has closed; nil when it is no whole answer.
    public init?(_ bytes: [UInt8]) {
        let end = Array("\r\n\r\n".utf8)
        guard let headEnd = bytes.indices.first(where: { bytes[$0...].starts(with: end) }) else { return nil }
        let head = String(decoding: bytes[..<headEnd], as: UTF8.self)
        let lines = head.split(separator: "\r\n", omittingEmptySubsequences: false)
        let words = lines[0].split(separator: " ")
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]), (100...599).contains(status)
        else { return nil }
        let body = Array(bytes[(headEnd + end.count)...])
        for line in lines.dropFirst() {
            let pair = line.split(separator: ":", maxSplits: 1)
            guard pair.count == 2 else { continue }
            switch pair[0].lowercased() {
            case "content-length": if Int(pair[1].filter { $0 != " " }) != body.count { return nil }
            case "transfer-encoding": return nil
            default: break
            }
        }
        self.init(status: status, body: body)
    }
}

/// One request to an HTTP server, and its answer, on a connection of its own. It blocks, within limits: for a command
/// that has nothing else to do, not for a loop.
public enum HTTPCall {
    public enum Failure: Error, Sendable, Equatable {
        /// Nobody answers there: an errno.
        case unreachable(Int32)
        /// Not all of it came in time.
        case timeout
        /// What came is no whole HTTP answer.
        case malformed
        /// More came than the caller wants.
        case tooLarge
    }

    /// - Parameters:
    ///   - target: path and query, percent-encoded.
    ///   - headers: more lines for the head, without their ends.
    ///   - limit: bytes of the answer, head included.
    ///   - milliseconds: for all of it.
    public static func exchange(
        _ address: SocketAddress, method: String, target: String, headers: [String] = [], limit: Int = 4 << 20,
        within milliseconds: Int
    ) throws(Failure) -> HTTPReply {
        let lines =
            ["\(method) \(target) HTTP/1.1", "Host: drover", "Connection: close", "Content-Length: 0"] + headers
        let request = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
        let bytes = try converse(address, request, limit: limit, within: milliseconds)
        guard let reply = HTTPReply(bytes) else { throw .malformed }
        return reply
    }

    /// All that a server answers until it closes the connection, which is what it is asked for in the end.
    public static func converse(
        _ address: SocketAddress, _ request: [UInt8], limit: Int = 4 << 20, within milliseconds: Int
    ) throws(Failure) -> [UInt8] {
        let deadline = now() + milliseconds
        let socket = try connect(to: address, deadline)
        defer { socket.close() }
        try send(request, on: socket, deadline)
        return try receive(from: socket, limit: limit, deadline)
    }

    private static func connect(to address: SocketAddress, _ deadline: Int) throws(Failure) -> Socket {
        switch Socket.connect(to: address) {
        case .connected(let socket): return socket
        case .failed(let code): throw .unreachable(code)
        case .underWay(let socket):
            do throws(Failure) {
                try wait(for: POLLOUT, on: socket, deadline)
                let code = socket.takeError()
                if code != 0 { throw Failure.unreachable(code) }
                return socket
            } catch {
                socket.close()
                throw error
            }
        }
    }

    private static func send(_ bytes: [UInt8], on socket: Socket, _ deadline: Int) throws(Failure) {
        var sent = 0
        while sent < bytes.count {
            switch unsafe socket.send(bytes.span.bytes.extracting(droppingFirst: sent)) {
            case .bytes(let count): sent += count
            case .wouldBlock: try wait(for: POLLOUT, on: socket, deadline)
            case .closed: return
            case .failed(let code): throw .unreachable(code)
            }
        }
    }

    private static func receive(from socket: Socket, limit: Int, _ deadline: Int) throws(Failure) -> [UInt8] {
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            try wait(for: POLLIN, on: socket, deadline)
            let count = unsafe block.withUnsafeMutableBytes {
                unsafe recv(socket.descriptor, $0.baseAddress, $0.count, 0)
            }
            if count == 0 { return bytes }
            if count < 0 {
                guard errno == EINTR || errno == EAGAIN else { throw .unreachable(errno) }
                continue
            }
            guard bytes.count + count <= limit else { throw .tooLarge }
            bytes += block[..<count]
        }
    }

    private static func wait(for events: Int32, on socket: Socket, _ deadline: Int) throws(Failure) {
        var poll = pollfd(fd: socket.descriptor, events: Int16(events), revents: 0)
        while true {
            let left = deadline - now()
            guard left > 0 else { throw .timeout }
            let ready = unsafe Glibc.poll(&poll, 1, Int32(clamping: left))
            if ready > 0 { return }
            if ready < 0 && errno != EINTR { throw .unreachable(errno) }
        }
    }

    /// Milliseconds of a clock that only goes forward.
    private static func now() -> Int {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }
}
