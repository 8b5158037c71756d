import Glibc
import Reactor
import Sockets
import Synchronization

/// As much of a memcached as the generator talks to, with faults by choice. One thread, on a Unix socket.
final class ScriptedMemcached: Sendable {
    struct Script: Sendable {
        /// Instead of the values and END.
        var answerToGet: String?
        /// Answers each get with a byte of the value changed.
        var corrupts = false
        /// Nanoseconds to stand still before the first get is answered.
        var stallOnce: UInt64 = 0
    }

    private static let made = Mutex(0)

    let address: SocketAddress
    private let thread: LoopThread
    private let orders: Mailbox<Bool>

    init(_ script: Script = Script()) {
        let number = Self.made.withLock { made in
            made += 1
            return made
        }
        let address = SocketAddress(path: "/tmp/drover-loadgen-\(getpid())-\(number).sock")!
        let listener = try! Listener.listen(on: address, shared: false).get()
        let orders = Mailbox<Bool>()
        self.address = address
        self.orders = orders
        thread = LoopThread(name: "scripted") { Server(listener, script).run(until: orders) }
    }

    /// Ends it; nobody listens afterwards.
    func stop() {
        orders.send(true)
        thread.join()
        _ = unsafe unlink(address.host)
    }
}

private final class Server {
    private let loop = EventLoop()
    private let listener: Listener
    private var script: ScriptedMemcached.Script
    private var clients: [(socket: Socket, watch: Watch, text: [UInt8])] = []
    private var items: [[UInt8]: [UInt8]] = [:]

    init(_ listener: Listener, _ script: ScriptedMemcached.Script) {
        self.listener = listener
        self.script = script
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
                case 1_000_001: accept()
                case let client: serve(Int(client))
                }
            }
        }
    }

    private func accept() {
        while case .client(let socket) = listener.accept() {
            clients.append((socket, loop.watchReadable(socket.descriptor, token: UInt64(clients.count)), []))
        }
    }

    private func serve(_ index: Int) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let descriptor = clients[index].socket.descriptor
        let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return loop.remove(clients[index].watch) }
        clients[index].text += buffer[..<count]
        var answer: [UInt8] = []
        while let line = takeLine(index) { answer += self.answer(line, index) }
        var sent = 0
        while sent < answer.count {
            let part = Array(answer[sent...])
            let count = unsafe send(descriptor, part, part.count, Int32(MSG_NOSIGNAL))
            if count < 0, errno != EAGAIN { return }
            sent += max(count, 0)
        }
    }

    /// A line, and a set's data with it.
    private func takeLine(_ index: Int) -> [[UInt8]]? {
        let text = clients[index].text
        guard let end = text.firstIndex(of: 10) else { return nil }
        var words = text[..<(end - 1)].split(separator: 32).map { Array($0) }
        var used = end + 1
        if words[0] == Array("set".utf8) {
            let length = Int(String(decoding: words[4], as: UTF8.self))!
            guard text.count >= used + length + 2 else { return nil }
            words.append(Array(text[used..<(used + length)]))
            used += length + 2
        }
        clients[index].text.removeFirst(used)
        return words
    }

    private func answer(_ words: [[UInt8]], _ index: Int) -> [UInt8] {
        if words[0] == Array("set".utf8) {
            items[words[1]] = words[5]
            return Array("STORED\r\n".utf8)
        }
        if script.stallOnce > 0 {
            usleep(UInt32(script.stallOnce / 1000))
            script.stallOnce = 0
        }
        if let answer = script.answerToGet { return Array(answer.utf8) }
        var answer: [UInt8] = []
        for key in words[1...] {
            guard var value = items[key] else { continue }
            if script.corrupts { value[0] ^= 1 }
            answer += Array("VALUE ".utf8) + key + Array(" 0 \(value.count)\r\n".utf8) + value + [13, 10]
        }
        return answer + Array("END\r\n".utf8)
    }
}
