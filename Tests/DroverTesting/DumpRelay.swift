import Glibc

/// Stands in front of a node and counts the dumps of it that are under way: from the command to the last line of the
/// answer, or to the end of the connection.
public final class DumpRelay: Sendable {
    public struct Count: Sendable {
        public var running = 0
        /// At once.
        public var most = 0
        /// When each was asked for, by `Deadline.now()`.
        public var begun: [UInt64] = []
    }

    public let address: ServerAddress
    private let directory: TemporaryDirectory
    private let counted = SharedBox(Count())
    private let hold = SharedBox(0.0)
    private let isOver = SharedBox(false)

    public init(to node: ServerAddress) throws {
        directory = try TemporaryDirectory()
        address = .unix(path: directory.file("relay.sock"))
        let listener = try unsafe address.withSocketAddress { family, address, length in
            let socket = try Descriptor.socket(family)
            guard unsafe bind(socket.number, address, length) == 0, listen(socket.number, 64) == 0 else {
                throw TestFailure("relay: errno \(errno)")
            }
            return socket
        }
        let (counted, hold, isOver) = (counted, hold, isOver)
        startThread {
            while !isOver.value {
                guard listener.wait(Int32(POLLIN), until: Deadline(seconds: 0.1)) != 0 else { continue }
                let number = accept(listener.number, nil, nil)
                guard number >= 0 else { continue }
                _ = fcntl(number, F_SETFD, FD_CLOEXEC)
                let client = Descriptor(number)
                startThread { RelayedConnection(client, counted, hold, isOver).run(to: node) }
            }
        }
    }

    deinit { isOver.withValue { $0 = true } }

    public var count: Count { counted.value }

    /// The node hears of a dump so many seconds later: who does not wait for its end overtakes it.
    public func holdDumps(seconds: Double) { hold.withValue { $0 = seconds } }
}

private final class RelayedConnection {
    private let client: Descriptor
    private let counted: SharedBox<DumpRelay.Count>
    private let hold: SharedBox<Double>
    private let isOver: SharedBox<Bool>
    private var isDumping = false
    /// Of what the node has sent.
    private var tail: [UInt8] = []

    init(
        _ client: Descriptor, _ counted: SharedBox<DumpRelay.Count>, _ hold: SharedBox<Double>,
        _ isOver: SharedBox<Bool>
    ) {
        (self.client, self.counted, self.hold, self.isOver) = (client, counted, hold, isOver)
    }

    deinit { if isDumping { ended() } }

    func run(to address: ServerAddress) {
        guard
            let node = try? unsafe address.withSocketAddress({ family, address, length in
                let node = Descriptor(socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0))
                guard unsafe connect(node.number, address, length) == 0 else { throw TestFailure("errno \(errno)") }
                return node
            })
        else { return }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while !isOver.value {
            var ends = [pollfd(fd: client.number, events: Int16(POLLIN), revents: 0)]
            ends.append(pollfd(fd: node.number, events: Int16(POLLIN), revents: 0))
            guard unsafe poll(&ends, 2, 100) > 0 else { continue }
            if ends[0].revents != 0 {
                let count = unsafe recv(client.number, &buffer, buffer.count, 0)
                guard count > 0, heard(Array(buffer[..<count])), pass(Array(buffer[..<count]), to: node) else { return }
            }
            if ends[1].revents != 0 {
                let count = unsafe recv(node.number, &buffer, buffer.count, 0)
                guard count > 0 else { return }
                answered(buffer[..<count])
                guard pass(Array(buffer[..<count]), to: client) else { return }
            }
        }
    }

    private func pass(_ bytes: [UInt8], to end: Descriptor) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let rest = Array(bytes[sent...])
            let count = unsafe send(end.number, rest, rest.count, Int32(MSG_NOSIGNAL))
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    /// - Returns: false when the client has gone.
    private func heard(_ bytes: [UInt8]) -> Bool {
        // It is sent alone.
        guard bytes.starts(with: Array("lru_crawler metadump".utf8)) else { return true }
        isDumping = true
        counted.withValue {
            $0.running += 1
            $0.most = max($0.most, $0.running)
            $0.begun.append(Deadline.now())
        }
        return client.wait(Int32(POLLIN), until: Deadline(seconds: hold.value)) == 0
    }

    private func answered(_ bytes: ArraySlice<UInt8>) {
        guard isDumping else { return }
        tail = Array((tail + bytes.suffix(5)).suffix(5))
        if tail == Array("END\r\n".utf8) { ended() }
    }

    private func ended() {
        (isDumping, tail) = (false, [])
        counted.withValue { $0.running -= 1 }
    }
}
