internal import ProxyCore
internal import Sockets

/// Why the proxy cannot start: what, where, and what to do.
public struct StartError: Error, CustomStringConvertible, Sendable {
    public let description: String

    public init(description: String) { self.description = description }
}

/// Opens all listening sockets before anything else starts, so that a taken port is known at once.
enum ListenerSet {
    /// For each worker its listeners: a TCP socket of its own (the kernel deals out connections), a shared Unix socket.
    ///
    /// - Parameter files: gets those of the Unix sockets.
    static func open(
        _ pools: [PoolSettings], workers: Int, files: inout [SocketFile]
    ) throws(StartError) -> [[PoolListener]] {
        var sets = [[PoolListener]](repeating: [], count: workers)
        for (pool, settings) in pools.enumerated() {
            for endpoint in settings.listen {
                try open(endpoint, of: pool, named: settings.name, into: &sets)
                if case .unix(let path) = endpoint, let file = SocketFile(path) { files.append(file) }
            }
        }
        return sets
    }

    private static func open(
        _ endpoint: Endpoint, of pool: Int, named name: String, into sets: inout [[PoolListener]]
    ) throws(StartError) {
        let address: SocketAddress?
        let isUnix: Bool
        switch endpoint {
        case .tcp(let host, let port):
            address = SocketAddress(literal: host == "localhost" ? "127.0.0.1" : host, port: port)
            isUnix = false
        case .unix(let path):
            address = SocketAddress(path: path)
            isUnix = true
        }
        func refusal(_ reason: String) -> StartError {
            StartError(description: "pool \(name): cannot listen on \(endpoint): \(reason)")
        }
        guard let address else { throw refusal("not an address of this host") }
        if !isUnix, sets.count > 1, let obstacle = Listener.obstacle(to: address) {
            throw refusal(errorText(obstacle.code))
        }
        for worker in sets.indices {
            if isUnix, worker > 0 {
                let first = sets[0][sets[0].count - 1]
                sets[worker].append(PoolListener(pool: pool, listener: first.listener, isShared: true))
                continue
            }
            switch Listener.listen(on: address, shared: sets.count > 1) {
            case .success(let listener):
                sets[worker].append(PoolListener(pool: pool, listener: listener, isShared: isUnix && sets.count > 1))
            case .failure(let error): throw refusal(errorText(error.code))
            }
        }
    }
}
