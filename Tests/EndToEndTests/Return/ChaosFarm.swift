import DroverTesting
import Glibc

/// Three nodes and two Drovers over them, which can be killed, frozen and started again. With networks, a node is in one
/// of its own, and each proxy has a path there that can be cut.
final class ChaosFarm: Sendable {
    let nodes: [MemcachedServer]
    /// By node: a path of each proxy, and the tests' own. Empty where all is on loopback.
    private let networks: [NodeNetwork]
    /// Where each proxy's pool listens, and its admin.
    let addresses: [ServerAddress]
    private let admins: [ServerAddress]
    private let configs: [String]
    private let proxies: SharedBox<[DroverProcess]>
    private let directory: TemporaryDirectory

    static let poll: UInt64 = 200_000_000
    static let timeout: UInt64 = 300_000_000

    /// - Parameters:
    ///   - memory: of a node, in MiB.
    ///   - sync: the pool's settings of that name.
    init(
        _ version: MemcachedServer.Version, hasNetworks: Bool, keepsItems: Bool = false, memory: Int = 64,
        replicas: Int = 2, sync: String = "{}"
    ) throws {
        directory = try TemporaryDirectory()
        let directory = directory
        let networks = try (0..<(hasNetworks ? 3 : 0)).map { _ in try NodeNetwork(paths: 3) }
        self.networks = networks
        let nodes = try (0..<3).map { node in
            var options = MemcachedServer.Options()
            options.memory = memory
            options.keepsItems = keepsItems
            if hasNetworks { options.network = networks[node] }
            return try MemcachedServer(version, options: options)
        }
        self.nodes = nodes
        addresses = (0..<2).map { .unix(path: directory.file("proxy\($0).sock")) }
        admins = try (0..<2).map { _ in .tcp(host: "127.0.0.1", port: try ServerAddress.freePort()) }
        configs = zip(addresses, admins).enumerated().map { proxy, places in
            let (address, admin) = places
            let list = nodes.enumerated().map { node, server in
                hasNetworks ? "\"\(networks[node].host(proxy)):11211 n\(node)\"" : "\"\(server.address) n\(node)\""
            }.joined(separator: ", ")
            return """
                workers: 1
                admin: \(admin)
                pools:
                  main:
                    listen: ["\(address)"]
                    nodes: [\(list)]
                    replicas: \(replicas)
                    sync: \(sync)
                    timeout: 300ms
                    connect_timeout: 300ms
                    poll: 200ms
                    proxies: \(replicas == 1 ? "several" : "one")
                    probe: {interval: 100ms, max: 500ms}
                    checks: 100/s
                """
        }
        proxies = SharedBox(
            try zip(configs, addresses).map {
                try DroverProcess(config: $0, addresses: [$1], arguments: ["--log-level", "debug"])
            })
    }

    func client(of proxy: Int) throws -> RawClient {
        let client = try RawClient(addresses[proxy], patience: 5)
        client.server = self
        return client
    }

    func signal(_ number: Int32, proxy: Int) { proxies.value[proxy].signal(number) }
    func isRunning(proxy: Int) -> Bool { proxies.value[proxy].isRunning }
    func log(of proxy: Int) -> String { proxies.value[proxy].log }

    var hasNetworks: Bool { !networks.isEmpty }

    func cut(node: Int, from proxy: Int, _ direction: NodeNetwork.Direction) throws {
        try networks[node].cut(proxy, direction)
    }

    func heal(node: Int, for proxy: Int) throws { try networks[node].heal(proxy) }

    func kill(proxy: Int) { proxies.value[proxy].kill() }

    func start(proxy: Int) throws {
        let started = try DroverProcess(
            config: configs[proxy], addresses: [addresses[proxy]], arguments: ["--log-level", "debug"])
        proxies.withValue { $0[proxy] = started }
    }

    /// The nodes that the proxy reads from.
    func readable(proxy: Int) throws -> Set<Int> {
        let page = try RawClient(admins[proxy], patience: 5)
        try page.send("GET /metrics HTTP/1.0\r\n\r\n")
        let lines = String(decoding: try page.readToEnd(), as: UTF8.self).split(whereSeparator: \.isNewline)
        let states = lines.filter { $0.hasPrefix("drover_node_state{") && $0.hasSuffix("state=\"up\"} 1") }
        return Set(nodes.indices.filter { node in states.contains { $0.contains("node=\"n\(node)\"") } })
    }

    /// Asks a proxy for a job and waits until it has ended as it should.
    func run(_ order: [String], proxy: Int) throws {
        let result = try ChildProcess.run([DroverProcess.binary] + order + ["--admin", "\(admins[proxy])"])
        guard result.code == 0 else { throw TestFailure("\(order): \(result.output)\(result.error)") }
    }

    /// Whether both proxies read from every node but this one.
    func areOthersWhole(besides node: Int) -> Bool {
        (0..<2).allSatisfy { ((try? readable(proxy: $0)) ?? []).union([node]).count == nodes.count }
    }

    func awaitWhole(seconds: Double) -> Bool {
        Deadline(seconds: seconds).waits {
            (0..<2).allSatisfy { (try? readable(proxy: $0))?.count == nodes.count }
        }
    }

    /// For each key the places of its copies.
    func copies(of keys: [String]) throws -> [String: [Int]] {
        let file = directory.file("drover.yml")
        try writeFile(file, configs[0])
        let result = try ChildProcess.run([DroverProcess.binary, "lookup", "-c", file, "main"] + keys)
        var found: [String: [Int]] = [:]
        for line in result.output.split(separator: "\n") {
            // The key, then name, address, zone and farm of each copy.
            let columns = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            found[columns[0]] = stride(from: 1, to: columns.count, by: 4).compactMap { Int(columns[$0].dropFirst()) }
        }
        guard found.count == keys.count, found.values.allSatisfy({ $0.count > 1 }) else {
            throw TestFailure("lookup: \(result.output)\(result.error)")
        }
        return found
    }
}
