import DroverTesting
import Glibc
import Reactor
import Sockets
import Synchronization

/// A node that answers each line as a test says, on a socket file. One thread.
final class ScriptedNode: Sendable {
    /// What is sent for a line, without its CR LF; nil closes the connection, an empty text is silence.
    typealias Script = @Sendable (String) -> String?

    private static let made = Mutex(0)

    let address: SocketAddress
    private let thread: LoopThread
    private let orders: Mailbox<Bool>
    private let lines: SharedBox<[String]>

    init(_ script: @escaping Script) {
        let number = Self.made.withLock { made in
            made += 1
            return made
        }
        let address = SocketAddress(path: "/tmp/drover-scripted-\(getpid())-\(number).sock")!
        let listener = try! Listener.listen(on: address, shared: false).get()
        let (orders, lines) = (Mailbox<Bool>(), SharedBox<[String]>([]))
        (self.address, self.orders, self.lines) = (address, orders, lines)
        thread = LoopThread(name: "scripted") { Server(listener, script, lines).run(until: orders) }
    }

    deinit {
        orders.send(true)
        thread.join()
        _ = unsafe unlink(address.host)
    }

    /// All that it was sent.
    var heard: [String] { lines.value }

    /// Says yes to whoever wants to dump it.
    static let granted: Script = { $0 == "ms" ? "HD c5\r\n" : "HD\r\n" }

    /// Answers `stats` and `stats settings`, has nobody else dump it, and leaves the rest to another script.
    static func facts(version: String = "1.6.38", lease: @escaping Script = granted, _ more: @escaping Script) -> Script
    {
        { line in
            switch line {
            // The value is a line, and has the answer.
            case _ where line.hasPrefix("ms __drover:dump"): ""
            case _ where line.hasPrefix("1 "): lease("ms")
            case _ where line.hasPrefix("md __drover:dump"): lease(line)
            case "version": "VERSION \(version)\r\n"
            case "stats": "STAT time \(time(nil))\r\nSTAT version \(version)\r\nEND\r\n"
            case "stats settings": "STAT item_size_max 1048576\r\nSTAT cas_enabled yes\r\nEND\r\n"
            default: more(line)
            }
        }
    }
}

private final class Server {
    private let loop = EventLoop()
    private let listener: Listener
    private let script: ScriptedNode.Script
    private let lines: SharedBox<[String]>
    private var clients: [(socket: Socket, watch: Watch, text: [UInt8])] = []

    init(_ listener: Listener, _ script: @escaping ScriptedNode.Script, _ lines: SharedBox<[String]>) {
        (self.listener, self.script, self.lines) = (listener, script, lines)
    }

    func run(until orders: Mailbox<Bool>) {
        _ = loop.watchReadable(orders.descriptor, token: 1_000_000)
        _ = loop.watchReadable(listener.socket.descriptor, token: 1_000_001)
        while true {
            loop.turn()
            for index in 0..<loop.readyCount {
                switch loop.ready(at: index).token {
                case 1_000_000:
                    for client in clients { client.socket.close() }
                    return listener.socket.close()
                case 1_000_001:
                    while case .client(let socket) = listener.accept() {
                        let token = UInt64(clients.count)
                        clients.append((socket, loop.watchReadable(socket.descriptor, token: token), []))
                    }
                case let client: serve(Int(client))
                }
            }
        }
    }

    private func serve(_ index: Int) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = unsafe recv(clients[index].socket.descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return close(index) }
        clients[index].text += buffer[..<count]
        while let end = clients[index].text.firstIndex(of: 10) {
            let line = String(decoding: clients[index].text[..<end].filter { $0 != 13 }, as: UTF8.self)
            clients[index].text.removeFirst(end + 1)
            lines.withValue { $0.append(line) }
            guard let answer = script(line) else { return close(index) }
            let bytes = Array(answer.utf8)
            var sent = 0
            while sent < bytes.count {
                let part = Array(bytes[sent...])
                let count = unsafe send(clients[index].socket.descriptor, part, part.count, Int32(MSG_NOSIGNAL))
                if count < 0, errno != EAGAIN { return close(index) }
                sent += max(count, 0)
            }
        }
    }

    private func close(_ index: Int) {
        loop.remove(clients[index].watch)
        clients[index].watch = .none
        clients[index].socket.close()
        clients[index].socket = .none
    }
}
