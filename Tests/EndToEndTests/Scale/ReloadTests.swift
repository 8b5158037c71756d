import DroverTesting
import Glibc
import Testing

/// SIGHUP and `drover reload` on a proxy that serves.
@Suite(.serialized)
struct ReloadTests {
    private let keys = (0..<300).map { "\($0 * 7919)-reload" }

    /// Where the file puts each key, by the nodes' addresses.
    private func homes(_ cluster: Cluster) throws -> [String: String] {
        let result = try ChildProcess.run(
            [DroverProcess.binary, "lookup", "-c", cluster.drover.file, "main", "--depth", "1"] + keys)
        guard result.code == 0 else { throw TestFailure(result.error) }
        let lines = result.output.split(separator: "\n").map { $0.split(separator: "\t").map(String.init) }
        return Dictionary(uniqueKeysWithValues: lines.map { ($0[0], $0[2]) })
    }

    /// Each key is on its own node.
    private func expectHome(_ cluster: Cluster, _ nodes: [MemcachedServer]) throws {
        let homes = try homes(cluster)
        for node in nodes {
            let client = try node.client()
            for key in keys where homes[key] == node.address.description {
                #expect(try client.roundTrip("mg \(key)\r\n") == "HD\r\n", "\(key) is not on \(node.address)")
            }
        }
    }

    private func set(_ client: RawClient) throws {
        for key in keys { #expect(try client.roundTrip("set \(key) 0 0 1\r\nx\r\n") == "STORED\r\n") }
    }

    @Test func nodesComeAndGoWhileClientsAreServed() throws {
        let pool = ["poll: 200ms", "timeout: 500ms"]
        let cluster = try Cluster(3, pool: pool)
        let client = try cluster.client()
        let isOver = SharedBox(false)
        let address = cluster.address
        let busy = TestThread { () throws -> Int in
            let client = try RawClient(address)
            var round = 0
            while !isOver.value {
                round += 1
                // Pipelined, so that a change finds some of it under way; the key's node may be another in between. Few
                // keys: what is to move would grow as fast as it moves.
                try client.send("set busy\(round % 1000) 0 0 1\r\nx\r\nget none\r\nversion\r\n")
                guard try client.readLine() == "STORED\r\n" else { throw TestFailure("not stored") }
                guard try client.readLine() == "END\r\n" else { throw TestFailure("no END") }
                guard try client.readLine().hasPrefix("VERSION") else { throw TestFailure("no version") }
            }
            return round
        }
        try set(client)
        let three = cluster.nodes
        let fourth = try MemcachedServer(.newer)
        func lines(_ nodes: [MemcachedServer]) -> [String] { nodes.map(\.address.description) }

        func awaitMove(_ count: Int) {
            let isMoved = Deadline(seconds: 60).waits {
                cluster.drover.log.split(separator: "\n").count { $0.contains("result=moved") } == count
            }
            #expect(isMoved, "\(cluster.drover.log)\((try? cluster.http("/api/status?format=text")) ?? "")")
        }
        try cluster.drover.reload(cluster.config(nodes: lines(three + [fourth]), pool: pool))
        awaitMove(1)
        try set(client)
        try expectHome(cluster, three + [fourth])
        #expect(try cluster.metric("drover_node_state{pool=\"main\",node=\"\(fourth.address)\",state=\"up\"}") == 1)

        let left = three[0]
        try cluster.drover.reload(cluster.config(nodes: lines(Array(three[1...]) + [fourth]), pool: pool))
        awaitMove(2)
        left.kill()
        try set(client)
        try expectHome(cluster, Array(three[1...]) + [fourth])
        #expect(try !cluster.http("/metrics").contains("\(left.address)"), "a node that left is no longer counted")
        #expect(try cluster.metric("drover_node_requests_total{pool=\"main\",node=\"\(three[1].address)\"") ?? 0 > 200)
        for round in 0..<10 {
            try cluster.drover.reload(
                cluster.config(nodes: lines(three.dropFirst() + [fourth]), pool: ["timeout: \(1 + round)s"]))
        }
        isOver.withValue { $0 = true }
        #expect(try busy.join() > 0)
        #expect(cluster.drover.stop() == 0)
    }

    @Test func settingsOfAPoolChange() throws {
        let cluster = try Cluster(1, pool: ["timeout: 20s"])
        let client = try cluster.client()
        #expect(try client.roundTrip("set k 0 0 1\r\nx\r\n") == "STORED\r\n")
        try cluster.drover.reload(
            cluster.config(
                nodes: [cluster.nodes[0].address.description], pool: ["timeout: 100ms", "limits: {value: 2KiB}"]))
        cluster.nodes[0].freeze()
        #expect(try client.roundTrip("get k\r\n") == "SERVER_ERROR node timed out\r\n")
        cluster.nodes[0].thaw()
        let large = "set l 0 0 3000\r\n" + String(repeating: "y", count: 3000) + "\r\n"
        #expect(try client.roundTrip(large).hasPrefix("SERVER_ERROR object too large"))
    }

    /// P10.
    @Test func aMistakeChangesNothingAndIsToldWithItsPlace() throws {
        let cluster = try Cluster(2)
        let client = try cluster.client()
        let file = cluster.drover.file
        func isRefused(_ config: String, _ reason: String) throws {
            try cluster.drover.reload(config)
            #expect(cluster.drover.log.contains(reason), "\(reason) is not in \(cluster.drover.log)")
            #expect(try client.roundTrip("set k 0 0 1\r\nx\r\n") == "STORED\r\n")
        }
        try isRefused(cluster.config + "\n    nods: []", "\(file):8:5: unknown key \\\"nods\\\"")
        let lines = cluster.nodes.map(\.address.description)
        try isRefused(cluster.config(nodes: lines, pool: ["replicas: 2"]), "\(file): pool main: from one copy")
        try isRefused(
            "workers: 7\n" + cluster.config.split(separator: "\n").dropFirst().joined(separator: "\n"),
            "\(file): workers cannot change")
        unsafe unlink(file)
        cluster.drover.signal(SIGHUP)
        #expect(cluster.drover.logContains("cannot open the config", within: 10))
        #expect(try client.roundTrip("get k\r\n", through: "END\r\n") == "VALUE k 0 1\r\nx\r\nEND\r\n")
        #expect(cluster.drover.stop() == 0)
    }

    @Test func theCommandTellsWhatCameOfIt() throws {
        let cluster = try Cluster(2)
        func run() throws -> (code: Int32, output: String, error: String) {
            try ChildProcess.run([DroverProcess.binary, "reload", "--admin", "\(cluster.admin)"])
        }
        #expect(try run() == (0, "nothing has changed\n", ""))
        try writeFile(cluster.drover.file, cluster.config + "\n    timeout: 300ms")
        #expect(try run() == (0, "taken over: pool main\n", ""))
        try writeFile(cluster.drover.file, "pools: {}")
        let refused = try run()
        #expect(refused.code == 1 && refused.error.contains("\(cluster.drover.file):1"), "\(refused)")
    }

    /// Where keys have copies a node's address may change: what is there is filled before it is read.
    @Test func aNodeWithCopiesElsewhereMovesToAnotherAddress() throws {
        let servers = try (0..<3).map { _ in try MemcachedServer(.newer) }
        func lines(_ servers: [MemcachedServer]) -> [String] {
            servers.enumerated().map { "\($1.address):1 node\($0)" }
        }
        let pool = ["replicas: 2", "poll: 200ms", "timeout: 500ms"]
        let cluster = try Cluster(nodes: servers, pool: pool, nodeLines: lines(servers))
        let client = try cluster.client()
        try set(client)
        let other = try MemcachedServer(.newer)
        let now = [servers[0], other, servers[2]]
        try cluster.drover.reload(cluster.config(nodes: lines(now), pool: pool))
        servers[1].kill()
        for key in keys { #expect(try client.roundTrip("get \(key)\r\n", through: "END\r\n").contains("\r\nx\r\n")) }
        #expect(cluster.drover.logContains("node is filled", within: 30))
        let up = "drover_node_state{pool=\"main\",node=\"node1\",state=\"up\"}"
        #expect(try Deadline(seconds: 10).waits { try cluster.metric(up) == 1 })
        try expectHome(cluster, now)
    }

    @Test func settingsChangeUnderWritersWithCopies() throws {
        let cluster = try Cluster(3, pool: ["replicas: 2"])
        let lines = cluster.nodes.map(\.address.description)
        let isOver = SharedBox(false)
        let address = cluster.address
        let writers = (0..<3).map { number in
            TestThread { () throws -> Int in
                let client = try RawClient(address)
                var round = 0
                while !isOver.value {
                    round += 1
                    let key = "w\(number)-\(round % 50)"
                    try client.send("set \(key) 0 0 \("\(round)".count)\r\n\(round)\r\nget \(key)\r\n")
                    let answer = String(decoding: try client.read(through: "END\r\n"), as: UTF8.self)
                    guard answer.contains("STORED") && answer.contains("\r\n\(round)\r\n") else {
                        throw TestFailure("\(key), \(round): \(answer)")
                    }
                }
                return round
            }
        }
        for round in 0..<8 {
            let reads = ["primary", "spread", "fastest", "primary"]
            try cluster.drover.reload(
                cluster.config(
                    nodes: lines, pool: ["replicas: 2", "timeout: \(200 + round)ms", "read: \(reads[round % 4])"]))
        }
        isOver.withValue { $0 = true }
        for writer in writers { #expect(try writer.join() > 0) }
        let verified = try ChildProcess.run([DroverProcess.binary, "verify", "main", "--admin", "\(cluster.admin)"])
        #expect(verified.code == 0, "\(verified)")
        #expect(!cluster.drover.log.contains("missed a write"), "\(cluster.drover.log)")
        #expect(cluster.drover.stop() == 0)
    }

    @Test func checkSaysWhatARunningProxyWouldTakeOver() throws {
        let cluster = try Cluster(2)
        try set(try cluster.client())
        let directory = try TemporaryDirectory()
        let file = directory.file("next.yml")
        func check(_ config: String) throws -> (code: Int32, output: String, error: String) {
            try writeFile(file, config)
            return try ChildProcess.run([DroverProcess.binary, "check", file, "--against", "\(cluster.admin)"])
        }
        #expect(try check(cluster.config).output.hasSuffix("pool main: as it runs\n"))
        let lines = cluster.nodes.map(\.address.description)
        let more = try check(cluster.config(nodes: lines + ["127.0.0.1:1"], pool: ["timeout: 1s"]))
        #expect(more.code == 0 && more.output.contains("pool main: other nodes, timeout\n"), "\(more)")
        #expect(more.output.contains(" -> 127.0.0.1:1  ") && more.output.contains("are brought to"), "\(more)")
        let hashed = try check(cluster.config(nodes: lines, pool: ["hash: md5"]))
        #expect(hashed.code == 0 && hashed.output.contains("missed once"), "\(hashed)")
        let copied = try check(cluster.config(nodes: lines, pool: ["replicas: 2"]))
        #expect(copied.code == 1 && copied.error.contains("not reloadable: pool main: from one copy"), "\(copied)")
        #expect(copied.output.contains("\(keys.count) items: about 1 s"), "\(copied)")
        #expect(try cluster.http("/api/config").contains("listen: "))
    }
}
