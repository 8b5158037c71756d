import DroverTesting
import Testing

/// Pools with one copy of each key whose nodes stand in for each other, where more is lost than one node: what stands in,
/// who has to be told, or the connections over which proxies agree.
@Suite(.serialized)
struct HomeLossTests {
    private static let settings = ["timeout: 400ms", "probe: {interval: 100ms, max: 300ms}", "poll: 200ms"]
    /// Longer than a return takes.
    private static let longPoll = Array(settings.dropLast()) + ["poll: 60s"]

    private func set(_ key: String, _ value: String, _ client: RawClient) throws -> Bool {
        try client.roundTrip("set \(key) 0 0 \(value.utf8.count)\r\n\(value)\r\n") == "STORED\r\n"
    }

    private func get(_ key: String, _ client: RawClient) throws -> String {
        let line = try client.roundTrip("mg \(key) v\r\n")
        return line.hasPrefix("VA ") ? String(try client.readLine().dropLast()) : line
    }

    /// Two nodes, the first of which comes back to what was written meanwhile.
    private func comingHome(_ proxies: String = "one") throws -> (Cluster, keys: [String], RawClient) {
        let nodes = try (0..<2).map { _ in try MemcachedServer() }
        let cluster = try Cluster(nodes: nodes, pool: Self.settings + ["proxies: \(proxies)"])
        let (keys, client) = (try cluster.keyOfEachNode(), try cluster.client())
        nodes[0].freeze()
        #expect(try Deadline(seconds: 20).waits { try set(keys[0], "v2", client) }, "\(cluster.drover.log)")
        nodes[0].thaw()
        return (cluster, keys, client)
    }

    private func awaitPhase(_ phase: String, _ cluster: Cluster, after earlier: String = "") throws {
        let isReached = try Deadline(seconds: 30).waits {
            guard earlier.isEmpty || cluster.drover.log.contains(earlier) else { return false }
            return try cluster.http("/api/status").contains("\"phase\": \"\(phase)\"")
        }
        try #require(isReached, "\(cluster.drover.log)")
    }

    private func awaitHome(_ cluster: Cluster, each: () throws -> Void = {}) throws {
        let isHome = try Deadline(seconds: 40).waits {
            try each()
            return cluster.drover.log.contains("node's keys are home")
        }
        #expect(isHome, "\(cluster.drover.log)")
    }

    private func flushes(_ node: MemcachedServer) throws -> Int {
        let stats = try node.client().roundTrip("stats\r\n", through: "END\r\n")
        let line = stats.split(whereSeparator: \.isNewline).first { $0.hasPrefix("STAT cmd_flush ") }
        return line.flatMap { Int($0.dropFirst(15)) } ?? -1
    }

    /// With what stood in dies the lease that was on it. By then the node has all that was written, and nobody else.
    @Test(.timeLimit(.minutes(20)), arguments: ["one", "several"])
    func theOnlyWholeCopyIsNotEmptied(_ proxies: String) throws {
        let (cluster, keys, client) = try comingHome(proxies)
        try awaitPhase("settling", cluster, after: "verifying")
        cluster.nodes[1].kill()
        try awaitHome(cluster) {
            _ = try get(keys[1], client)
            let value = try get(keys[0], client)
            #expect(value == "v2" || value.hasPrefix("SERVER_ERROR"), "\(value), \(cluster.drover.log)")
        }
        #expect(try Deadline(seconds: 10).waits { try get(keys[0], client) == "v2" }, "\(cluster.drover.log)")
        #expect(try flushes(cluster.nodes[0]) == 2)
        #expect(try Deadline(seconds: 20).waits { try set(keys[1], "v3", client) }, "\(cluster.drover.log)")
    }

    /// The control thread's connection to what stands in is lost, and clients lose nothing.
    @Test(.timeLimit(.minutes(20)))
    func aReturnGoesOnWithoutTheControlConnection() throws {
        let (cluster, keys, client) = try comingHome()
        try awaitPhase("quiet time", cluster)
        cluster.nodes[1].freeze()
        // A poll, and its timeout.
        _ = Deadline(seconds: 0.8).waits { false }
        cluster.nodes[1].thaw()
        try awaitHome(cluster)
        #expect(!cluster.drover.log.contains("not home yet"), "\(cluster.drover.log)")
        #expect(try get(keys[0], client) == "v2" && flushes(cluster.nodes[0]) == 2)
    }

    /// What stands in fails before it has been copied.
    @Test(.timeLimit(.minutes(20)))
    func ofTwoNodesTheLastComesHome() throws {
        let (cluster, keys, client) = try comingHome()
        let isUnderWay = Deadline(seconds: 30).waits { cluster.drover.log.contains("node is up") }
        #expect(isUnderWay, "\(cluster.drover.log)")
        cluster.nodes[1].kill()
        let isHome = try Deadline(seconds: 40).waits {
            _ = try get(keys[1], client)
            return try set(keys[0], "v3", client) && cluster.drover.log.contains("node's keys are home")
        }
        #expect(isHome, "\(cluster.drover.log)")
        #expect(
            try get(keys[0], client) == "v3"
                && cluster.nodes[0].client().roundTrip("mg \(keys[0])\r\n") == "HD\r\n")
    }

    /// Its own connection to a node that has been restarted is read at once, whatever `poll` is.
    @Test(.timeLimit(.minutes(20)))
    func aReturnDoesNotWaitForTheNextPoll() throws {
        let nodes = try (0..<2).map { _ in try MemcachedServer() }
        let cluster = try Cluster(nodes: nodes, pool: Self.longPoll)
        let (keys, client) = (try cluster.keyOfEachNode(), try cluster.client())
        nodes[0].kill()
        #expect(try Deadline(seconds: 20).waits { try set(keys[0], "v2", client) }, "\(cluster.drover.log)")
        try nodes[0].restart()
        let isHome = Deadline(seconds: 22).waits { cluster.drover.log.contains("node's keys are home") }
        #expect(isHome, "\(cluster.drover.log)")
    }

    /// One proxy works at a time, and it is the one that has the lease.
    @Test(.timeLimit(.minutes(20)))
    func anothersLeaseEndsAReturn() throws {
        let (cluster, keys, client) = try comingHome("several")
        try awaitPhase("quiet time", cluster)
        let direct = try cluster.nodes[1].client()
        #expect(try direct.roundTrip("set __drover:lease 0 60 18\r\n1 0123456789abcdef\r\n") == "STORED\r\n")
        let isEnded = Deadline(seconds: 10).waits { cluster.drover.log.contains("another proxy's") }
        #expect(isEnded, "\(cluster.drover.log)")
        #expect(try direct.roundTrip("delete __drover:lease\r\n") == "DELETED\r\n")
        try awaitHome(cluster)
        #expect(try get(keys[0], client) == "v2")
    }

    /// Stands in front of a node and keeps from it what proxies tell each other, so that they get no answer.
    private static let silent = """
        import socket, sys, threading
        path, port = sys.argv[1], int(sys.argv[2])
        def carry(source, target):
            try:
                while data := source.recv(65536):
                    if b"__drover" not in data: target.sendall(data)
            except OSError: pass
            for end in source, target:
                try: end.shutdown(socket.SHUT_RDWR)
                except OSError: pass
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(64)
        print("ready", flush=True)
        while True:
            client, node = listener.accept()[0], socket.create_connection(("127.0.0.1", port))
            for way in (client, node), (node, client):
                threading.Thread(target=carry, args=way, daemon=True).start()
        """

    /// The only node that could be told answers clients alone.
    @Test(.timeLimit(.minutes(20)))
    func aLoneProxyTakesANodeOutThoughNobodyCanBeTold() throws {
        let nodes = try (0..<2).map { _ in try MemcachedServer() }
        let directory = try TemporaryDirectory()
        let output = directory.file("output")
        let relay = try ChildProcess(
            ["/usr/bin/python3", "-c", Self.silent, directory.file("relay"), "\(nodes[1].address.port!)"],
            outputFile: output)
        defer { relay.signal(9) }
        #expect(Deadline(seconds: 10).waits { readFile(output) == "ready\n" })
        let cluster = try Cluster(
            nodes: nodes, pool: Self.settings,
            nodeLines: [nodes[0].address.description, "unix:\(directory.file("relay"))"])
        let (keys, client) = (try cluster.keyOfEachNode(), try cluster.client())
        nodes[0].kill()
        #expect(try Deadline(seconds: 10).waits { try set(keys[0], "v2", client) }, "\(cluster.drover.log)")
        #expect(try get(keys[0], client) == "v2")
    }

    /// Of two nodes both have to be read before one is trusted: a dead one has to be found out though no client asks it.
    @Test(.timeLimit(.minutes(20)), arguments: ["at the start", "unasked"])
    func aDeadNodeDoesNotHaveThePoolRefused(_ when: String) throws {
        let nodes = try (0..<2).map { _ in try MemcachedServer() }
        if when == "at the start" { nodes[1].kill() }
        let cluster = try Cluster(nodes: nodes, pool: Self.settings + ["proxies: several"])
        if when == "unasked" { nodes[1].freeze() }
        #expect(Deadline(seconds: 10).waits { cluster.drover.log.contains("node is down") }, "\(cluster.drover.log)")
        let client = try cluster.client()
        for number in 0..<20 {
            let isStored = try Deadline(seconds: 10).waits { try set("\(number * 7919)-key", "v1", client) }
            try #require(isStored, "\(cluster.drover.log)")
        }
        #expect(try nodes[0].client().roundTrip("mg \(7919)-key\r\n") == "HD\r\n")
    }
}
