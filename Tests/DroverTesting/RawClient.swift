import Glibc

/// A client that sends and reads bytes as they are, and gives up at a deadline.
public final class RawClient {
    private let socket: Descriptor
    private var unread: [UInt8] = []
    private var start = 0
    /// Seconds that one call may take.
    public var patience: Double
    /// Lives as long as the client: a server that would otherwise end with its last use in a test.
    public var server: AnyObject?
    /// The peer closed or reset the connection; what it sent before can still be read.
    public private(set) var isClosed = false

    /// - Parameters:
    ///   - patience: seconds that one call may take.
    ///   - receiveBuffer: bytes of the kernel's buffer, for slow readers.
    public init(_ address: ServerAddress, patience: Double = 10, receiveBuffer: Int32? = nil) throws {
        self.patience = patience
        socket = try unsafe address.withSocketAddress { family, address, length in
            let socket = try Descriptor.socket(family)
            if var receiveBuffer {
                let size = socklen_t(MemoryLayout<Int32>.size)
                unsafe setsockopt(socket.number, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, size)
            }
            if unsafe connect(socket.number, address, length) == 0 { return socket }
            guard errno == EINPROGRESS, socket.wait(Int32(POLLOUT), until: Deadline(seconds: patience)) != 0 else {
                throw TestFailure("connect: errno \(errno)")
            }
            var failure: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            unsafe getsockopt(socket.number, SOL_SOCKET, SO_ERROR, &failure, &size)
            guard failure == 0 else { throw TestFailure("connect: errno \(failure)") }
            return socket
        }
        var on: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        unsafe setsockopt(socket.number, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size)
    }

    /// Tells the peer that nothing more will come.
    public func finishSending() {
        shutdown(socket.number, Int32(SHUT_WR))
    }

    // MARK: Sending

    public func send(_ text: String) throws {
        try send(Array(text.utf8))
    }

    /// Sends all of it; what the peer answers meanwhile is kept, so that neither waits for the other.
    public func send(_ bytes: [UInt8]) throws {
        let deadline = Deadline(seconds: patience)
        var sent = try write(bytes, from: 0)
        while sent < bytes.count {
            let events = socket.wait(Int32(POLLOUT | POLLIN), until: deadline)
            if events == 0 { throw TestFailure("sent \(sent) of \(bytes.count) bytes in \(patience) s") }
            if Int32(events) & POLLIN != 0 { receive() }
            sent += try write(bytes, from: sent)
        }
    }

    /// Sends what the kernel takes at once; how many bytes that was.
    public func write(_ bytes: [UInt8], from offset: Int) throws -> Int {
        let count = unsafe bytes.withUnsafeBytes {
            unsafe Glibc.send(socket.number, $0.baseAddress! + offset, bytes.count - offset, Int32(MSG_NOSIGNAL))
        }
        if count >= 0 { return count }
        if errno == EAGAIN { return 0 }
        isClosed = true
        throw TestFailure("send: errno \(errno)")
    }

    // MARK: Reading

    /// Exactly that many bytes.
    public func read(exactly count: Int) throws -> [UInt8] {
        try fill("\(count) bytes") { self.unread.count - self.start >= count }
        return take(count)
    }

    /// One line with its newline.
    public func readLine() throws -> String {
        String(decoding: try read(through: "\n"), as: UTF8.self)
    }

    /// Everything up to the pattern, and the pattern.
    public func read(through pattern: String) throws -> [UInt8] {
        let pattern = Array(pattern.utf8)
        var searched = start
        var found = 0
        try fill("\"\(String(decoding: pattern, as: UTF8.self))\"") {
            if let place = offset(of: pattern, in: unread, from: searched) {
                found = place + pattern.count - start
                return true
            }
            searched = max(start, unread.count - pattern.count + 1)
            return false
        }
        return take(found)
    }

    /// All that comes before the peer closes the connection.
    public func readToEnd() throws -> [UInt8] {
        let deadline = Deadline(seconds: patience)
        while !isClosed {
            guard socket.wait(Int32(POLLIN), until: deadline) != 0 else {
                throw TestFailure("still open after \(patience) s, having sent \(quoted(unread[start...]))")
            }
            receive()
        }
        return take(unread.count - start)
    }

    /// All that comes until `isEnough`, until the peer closes the connection, or until it has been silent for too long.
    public func read(until isEnough: ([UInt8]) -> Bool) -> [UInt8] {
        try? fill("enough") { isEnough(Array(unread[start...])) }
        return take(unread.count - start)
    }

    /// Sends the request and reads through the pattern that ends its reply.
    public func roundTrip(_ request: String, through pattern: String = "\r\n") throws -> String {
        try send(request)
        return String(decoding: try read(through: pattern), as: UTF8.self)
    }

    /// What has come by now, without waiting.
    public func readAvailable() -> [UInt8] {
        if !isClosed { receive() }
        return take(unread.count - start)
    }

    private func fill(_ what: String, until isEnough: () -> Bool) throws {
        let deadline = Deadline(seconds: patience)
        while !isEnough() {
            if isClosed { throw TestFailure("closed before \(what); got \(quoted(unread[start...]))") }
            guard socket.wait(Int32(POLLIN), until: deadline) != 0 else {
                throw TestFailure("no \(what) in \(patience) s; got \(quoted(unread[start...]))")
            }
            receive()
        }
    }

    private func take(_ count: Int) -> [UInt8] {
        let bytes = Array(unread[start..<start + count])
        start += count
        if start == unread.count {
            unread.removeAll(keepingCapacity: true)
            start = 0
        }
        return bytes
    }

    /// One read of what is there.
    private func receive() {
        unsafe withUnsafeTemporaryAllocation(byteCount: 1 << 17, alignment: 8) { block in
            let count = unsafe recv(socket.number, block.baseAddress!, block.count, 0)
            if count > 0 {
                unsafe unread.append(contentsOf: UnsafeRawBufferPointer(rebasing: block[..<count]))
            } else if count == 0 || errno != EAGAIN {
                isClosed = true
            }
        }
    }
}

/// Where the pattern first stands at or after `start`.
private func offset(of pattern: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
    unsafe bytes.withUnsafeBytes { bytes -> Int? in
        guard let base = bytes.baseAddress else { return nil }
        var place = start
        while place + pattern.count <= bytes.count {
            guard let hit = unsafe memchr(base + place, Int32(pattern[0]), bytes.count - pattern.count + 1 - place)
            else { break }
            place = unsafe UnsafeRawPointer(hit) - base
            if unsafe memcmp(hit, pattern, pattern.count) == 0 { return place }
            place += 1
        }
        return nil
    }
}

/// How often the pattern stands in the bytes.
public func countOccurrences(of pattern: String, in bytes: [UInt8]) -> Int {
    let pattern = Array(pattern.utf8)
    var count = 0
    var start = 0
    while let place = offset(of: pattern, in: bytes, from: start) {
        count += 1
        start = place + 1
    }
    return count
}

/// Bytes as a person can read them, cut after some hundreds.
public func quoted(_ bytes: some Collection<UInt8>, limit: Int = 600) -> String {
    var text = "\""
    for byte in bytes.prefix(limit) {
        switch byte {
        case 13: text += "\\r"
        case 10: text += "\\n"
        case 34, 92: text += "\\" + String(UnicodeScalar(byte))
        case 32..<127: text += String(UnicodeScalar(byte))
        default: text += "\\x" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }
    }
    return text + (bytes.count > limit ? "\"… (\(bytes.count) bytes)" : "\"")
}
