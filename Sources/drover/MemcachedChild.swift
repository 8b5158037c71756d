internal import CPlatform
internal import Glibc
internal import ProxyCore
internal import Sockets

/// A memcached that ends with this process.
struct MemcachedChild {
    let process: Int32
    let port: UInt16

    var address: Endpoint { .tcp(host: "127.0.0.1", port: port) }

    /// Starts one on a free port and waits until it takes connections; nil when it does not within five seconds.
    static func start(_ program: String) -> MemcachedChild? {
        guard let port = freePort() else { return nil }
        let words = [program, "-l", "127.0.0.1", "-p", "\(port)", "-U", "0"]
        var arguments = unsafe words.map { unsafe strdup($0) }
        unsafe arguments.append(nil)
        let process = unsafe drover_spawn_child(arguments)
        for index in unsafe arguments.indices { unsafe free(arguments[index]) }
        guard process > 0 else { return nil }
        let child = MemcachedChild(process: process, port: port)
        guard child.waitUntilListening() else {
            child.stop()
            return nil
        }
        return child
    }

    func stop() {
        kill(process, SIGTERM)
        _ = waitpid(process, nil, 0)
    }

    /// The kernel chooses; between this and the child's own bind another process could take it, which is then told.
    private static func freePort() -> UInt16? {
        guard let any = SocketAddress(literal: "127.0.0.1", port: 0),
            case .success(let listener) = Listener.listen(on: any, shared: false)
        else { return nil }
        defer { listener.socket.close() }
        return listener.socket.localPort()
    }

    private func waitUntilListening() -> Bool {
        guard let address = SocketAddress(literal: "127.0.0.1", port: port) else { return false }
        for _ in 0..<500 {
            if waitpid(process, nil, WNOHANG) == process { return false }
            if Socket.answers(address, within: 10) { return true }
            usleep(10_000)
        }
        return false
    }
}
