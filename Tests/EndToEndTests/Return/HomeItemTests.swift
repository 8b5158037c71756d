import DroverTesting
import Testing

/// What proxies keep on the nodes of a pool with one copy of each key whose nodes stand in for each other, and what when
/// they cannot.
@Suite(.serialized)
struct HomeItemTests {
    private static let settings = ["timeout: 400ms", "probe: {interval: 100ms, max: 300ms}"]

    private func set(_ key: String, _ value: String, _ client: RawClient) throws -> Bool {
        try client.roundTrip("set \(key) 0 0 \(value.utf8.count)\r\n\(value)\r\n") == "STORED\r\n"
    }

    private func get(_ key: String, _ client: RawClient) throws -> String {
        let line = try client.roundTrip("mg \(key) v\r\n")
        return line.hasPrefix("VA ") ? String(try client.readLine().dropLast()) : line
    }

    /// While all keys are at home the nodes hold what clients have stored, before an outage and after.
    @Test(.timeLimit(.minutes(20)), arguments: ["one", "several"])
    func whatIsCountedIsTheClients(_ proxies: String) throws {
        let nodes = try (0..<3).map { _ in try MemcachedServer() }
        let cluster = try Cluster(nodes: nodes, pool: Self.settings + ["proxies: \(proxies)", "poll: 200ms"])
        let (keys, client) = (try cluster.keyOfEachNode(), try cluster.client())
        func items(besides down: Int? = nil) throws -> [String] {
            try nodes.enumerated().filter { $0.offset != down }.flatMap { _, node in
                try node.client().roundTrip("lru_crawler metadump all\r\n", through: "END\r\n")
                    .split(whereSeparator: \.isNewline).map(String.init).filter { $0.contains("__drover") }
            }
        }
        // Several polls.
        _ = Deadline(seconds: 1.5).waits { false }
        #expect(try items().isEmpty)
        let stats = try client.roundTrip("stats\r\n", through: "END\r\n")
        for figure in ["curr_items", "total_items", "cmd_set"] {
            #expect(stats.contains("STAT \(figure) \(Cluster.routedKeys)\r\n"), "\(stats)")
        }
        guard proxies == "one" else { return }
        nodes[0].kill()
        #expect(try Deadline(seconds: 20).waits { try set(keys[0], "v2", client) })
        #expect(try items(besides: 0).contains { $0.contains("away") })
        try nodes[0].restart()
        let isHome = Deadline(seconds: 60).waits { cluster.drover.log.contains("node's keys are home") }
        #expect(isHome, "\(cluster.drover.log)")
        let isEmpty = try Deadline(seconds: 20).waits { try items().isEmpty }
        let left = try items()
        #expect(isEmpty, "\(left)")
        #expect(!cluster.drover.log.contains("another proxy"))
    }

    /// Others stand in for a node whatever the rest can keep, and whoever else has the lease.
    @Test(.timeLimit(.minutes(20)), arguments: ["without CAS numbers", "under another's lease"])
    func othersStandInAtOnce(_ what: String) throws {
        var options = MemcachedServer.Options()
        if what == "without CAS numbers" { options.more = ["-C"] }
        let nodes = try (0..<3).map { _ in try MemcachedServer(.newer, options: options) }
        let cluster = try Cluster(nodes: nodes, pool: Self.settings)
        let keys = try cluster.keyOfEachNode()
        if what != "without CAS numbers" {
            for node in nodes {
                let request = "set __drover:lease 0 60 18\r\n1 0123456789abcdef\r\n"
                #expect(try node.client().roundTrip(request) == "STORED\r\n")
            }
        }
        nodes[0].kill()
        let client = try cluster.client()
        #expect(try Deadline(seconds: 5).waits { try set(keys[0], "v2", client) }, "\(cluster.drover.log)")
        #expect(try get(keys[0], client) == "v2")
        for node in nodes.dropFirst() where what == "without CAS numbers" {
            #expect(try node.client().roundTrip("mg __drover:away:\(nodes[0].address)\r\n") == "EN\r\n")
        }
    }

    /// Stands in front of a node and has it say that it is older: what it is told of ms goes to a file.
    private static let older = """
        import socket, sys, threading
        path, port, seen = sys.argv[1], int(sys.argv[2]), sys.argv[3]
        def carry(source, target, change):
            try:
                while data := source.recv(65536): target.sendall(change(data))
            except OSError: pass
            for end in source, target:
                try: end.shutdown(socket.SHUT_RDWR)
                except OSError: pass
        def asked(data):
            if b"ms " in data: open(seen, "ab").write(data)
            return data
        def answered(data): return data.replace(b"VERSION 1.6.38", b"VERSION 1.6.9")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(64)
        print("ready", flush=True)
        while True:
            client, node = listener.accept()[0], socket.create_connection(("127.0.0.1", port))
            for way in (client, node, asked), (node, client, answered):
                threading.Thread(target=carry, args=way, daemon=True).start()
        """

    /// There ms is spelled differently: its data block would be the next command, and every answer after it another's.
    @Test(.timeLimit(.minutes(20)), arguments: ["one", "several"])
    func nodesThatAreTooOldAreToldNothing(_ proxies: String) throws {
        let nodes = try (0..<3).map { _ in try MemcachedServer() }
        let directory = try TemporaryDirectory()
        let relays = try nodes.indices.map { index in
            let output = directory.file("output\(index)")
            let relay = try ChildProcess(
                [
                    "/usr/bin/python3", "-c", Self.older, directory.file("relay\(index)"),
                    "\(nodes[index].address.port!)", directory.file("seen"),
                ], outputFile: output)
            #expect(Deadline(seconds: 10).waits { readFile(output) == "ready\n" })
            return relay
        }
        defer { for relay in relays { relay.signal(9) } }
        let cluster = try Cluster(
            nodes: nodes, pool: Self.settings + ["proxies: \(proxies)"],
            nodeLines: nodes.indices.map { "unix:\(directory.file("relay\($0)"))" })
        let (keys, client) = (try cluster.keyOfEachNode(), try cluster.client())
        relays[0].signal(9)
        #expect(try Deadline(seconds: 10).waits { try set(keys[0], "v2", client) }, "\(cluster.drover.log)")
        #expect(try get(keys[0], client) == "v2")
        // Who is alone has nobody to tell.
        let isWarned = cluster.drover.log.contains("each goes by itself")
        #expect(isWarned == (proxies == "several"), "\(cluster.drover.log)")
        #expect(readFile(directory.file("seen")) == nil)
    }
}
