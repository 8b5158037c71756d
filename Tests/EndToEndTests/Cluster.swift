import DroverTesting

/// Nodes and a Drover over them, with one pool `main`.
final class Cluster: Sendable {
    let nodes: [MemcachedServer]
    let drover: DroverProcess
    /// Where the pool listens.
    let address: ServerAddress
    let admin: ServerAddress
    /// The YAML.
    let config: String
    private let head: [String]

    /// - Parameters:
    ///   - nodes: their addresses go into the pool as they are.
    ///   - pool: more keys of the pool, each a line without indentation.
    ///   - top: more keys of the file.
    init(
        nodes: [MemcachedServer], pool: [String] = [], top: [String] = ["workers: 2"], listen: ServerAddress? = nil,
        nodeLines: [String]? = nil
    ) throws {
        self.nodes = nodes
        let address = try listen ?? .tcp(host: "127.0.0.1", port: ServerAddress.freePort())
        let admin = ServerAddress.tcp(host: "127.0.0.1", port: try ServerAddress.freePort())
        head = top + ["admin: \(admin)"]
        config = Self.config(head, address, nodeLines ?? nodes.map(\.address.description), pool)
        drover = try DroverProcess(config: config, addresses: [address])
        (self.address, self.admin) = (address, admin)
    }

    private static func config(
        _ head: [String], _ address: ServerAddress, _ nodes: [String], _ pool: [String]
    ) -> String {
        """
        \(head.joined(separator: "\n"))
        pools:
          main:
            listen: ["\(address)"]
            nodes: [\(nodes.map { "\"\($0)\"" }.joined(separator: ", "))]
        \(pool.map { "    " + $0 }.joined(separator: "\n"))
        """
    }

    /// The proxy's config with other nodes and keys of the pool.
    func config(nodes: [String], pool: [String] = []) -> String { Self.config(head, address, nodes, pool) }

    /// Over that many newer memcacheds.
    convenience init(_ count: Int = 3, pool: [String] = [], options: MemcachedServer.Options = .init()) throws {
        try self.init(nodes: (0..<count).map { _ in try MemcachedServer(.newer, options: options) }, pool: pool)
    }

    func client(patience: Double = 10) throws -> RawClient {
        let client = try RawClient(address, patience: patience)
        client.server = self
        return client
    }

    /// Keys that `keyOfEachNode` stores.
    static let routedKeys = 200

    /// A key of each node, in the nodes' order: found by asking each node which of some keys it got.
    func keyOfEachNode() throws -> [String] {
        let client = try client()
        // FNV leaves keys that differ in their last digits only beside each other on the ring.
        let names = (0..<Self.routedKeys).map { "\($0 * 7919)-routed" }
        for name in names { _ = try client.roundTrip("set \(name) 0 0 1\r\nx\r\n") }
        return try nodes.map { node in
            let own = try node.client()
            for name in names where try own.roundTrip("mg \(name)\r\n") == "HD\r\n" { return name }
            throw TestFailure("no key of \(names.count) went to \(node.address)")
        }
    }

    /// The body of a GET at the admin address.
    func http(_ path: String) throws -> String {
        let client = try RawClient(admin)
        try client.send("GET \(path) HTTP/1.0\r\n\r\n")
        return String(decoding: try client.readToEnd(), as: UTF8.self)
    }

    /// What the admin address answers to a POST.
    func post(_ path: String) throws -> String {
        let client = try RawClient(admin)
        try client.send("POST \(path) HTTP/1.0\r\nX-Drover: 1\r\nContent-Length: 0\r\n\r\n")
        return String(decoding: try client.readToEnd(), as: UTF8.self)
    }

    /// What is counted under a cause.
    func errors(_ cause: String) throws -> Double {
        let name = "drover_errors_total{pool=\"main\",cause=\"\(cause)\"}"
        guard let value = try metric(name) else { throw TestFailure("no \(name)") }
        return value
    }

    /// The value of a metric whose name and labels start so; the sum when several do, nil when none.
    func metric(_ start: String) throws -> Double? {
        let values = try http("/metrics").split(whereSeparator: \.isNewline)
            .filter { $0.hasPrefix(start) }.compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }
        return values.isEmpty ? nil : values.reduce(0, +)
    }
}
