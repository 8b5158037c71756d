import DroverTesting
import Glibc
import Testing

/// How commands end, and where `serve` refuses to start.
@Suite(.serialized)
struct ExitTests {
    private static let right = "pools: {main: {listen: 127.0.0.1:1, nodes: [127.0.0.1:2, 127.0.0.1:3]}}\n"
    private static let warned = "pools: {main: {listen: 127.0.0.1:1, nodes: [127.0.0.1:2]}}\n"
    private static let wrong = "pools: {main: {listen: 127.0.0.1:1, nods: [127.0.0.1:2]}}\n"
    private static let twemproxys = "main:\n  listen: 127.0.0.1:1\n  servers: [\"10.0.0.1:11211:1\"]\n"

    private func run(_ arguments: [String], _ config: String) throws -> (code: Int32, output: String, error: String) {
        let directory = try TemporaryDirectory()
        let file = directory.file("c.yml")
        try writeFile(file, config)
        return try ChildProcess.run([DroverProcess.binary] + arguments.map { $0 == "FILE" ? file : $0 })
    }

    @Test(
        arguments: [
            (["--version"], right, 0), (["--help"], right, 0), (["help", "serve"], right, 0), (["nonsense"], right, 64),
            (["serve"], right, 64), (["serve", "-c", "/nowhere/c.yml"], right, 66),
            (["serve", "-c", "FILE"], wrong, 78),
            (["check", "FILE"], right, 0), (["check", "FILE"], warned, 0), (["check", "FILE", "--strict"], warned, 78),
            (["check", "FILE"], wrong, 78), (["check", "/nowhere/c.yml"], right, 66), (["check"], right, 64),
            (["check", "--from", "FILE"], twemproxys, 0), (["check", "--from", "FILE"], right, 78),
            (["check", "--from", "/nowhere/n.yml"], right, 66), (["check", "FILE", "--from", "FILE"], right, 64),
            (["lookup", "-c", "FILE", "main", "k"], right, 0), (["lookup", "-c", "FILE", "nix", "k"], right, 64),
            (["lookup", "-c", "FILE", "main", "a b"], right, 64), (["lookup", "-c", "FILE", "main"], right, 64),
            (["dev", "--memcached", "/nowhere/memcached"], right, 69), (["dev", "--nodes", "0"], right, 64),
            (["bench", "127.0.0.1:1"], right, 69), (["bench"], right, 64),
        ] as [([String], String, Int32)])
    func codesMeanSomething(arguments: [String], config: String, code: Int32) throws {
        let found = try run(arguments, config)
        #expect(found.code == code, "\(found)")
        #expect((found.output + found.error).isEmpty == false)
    }

    @Test func whatCheckConvertsIsRight() throws {
        let converted = try run(["check", "--from", "FILE"], Self.twemproxys)
        #expect(converted.code == 0)
        #expect(try run(["check", "FILE"], converted.output).code == 0, "\(converted.output)")
    }

    @Test func benchTellsWhatItMeasured() throws {
        let cluster = try Cluster()
        let found = try ChildProcess.run([
            DroverProcess.binary, "bench", "\(cluster.address)", "--requests", "2000", "--keys", "100", "--json",
        ])
        #expect(found.code == 0, "\(found)")
        #expect(found.output.hasPrefix("{") && found.output.contains("\"requests\": 2000"), "\(found.output)")
    }

    @Test func benchThatIsInterruptedTellsWhatItMeasured() throws {
        let (cluster, directory) = (try Cluster(), try TemporaryDirectory())
        let output = directory.file("out")
        let bench = try ChildProcess(
            [DroverProcess.binary, "bench", "\(cluster.address)", "--duration", "1h", "--json", "--warmup", "0"],
            outputFile: output)
        let client = try cluster.client()
        let isUnderWay = try Deadline(seconds: 20).waits {
            try client.roundTrip("stats\r\n", through: "END\r\n").split(separator: "\r\n")
                .contains { $0.hasPrefix("STAT get_hits ") && $0 != "STAT get_hits 0" }
        }
        try #require(isUnderWay)
        bench.signal(SIGINT)
        #expect(bench.wait(seconds: 10) == 0)
        let told = readFile(output) ?? ""
        #expect(told.contains("\"clean\": true") && !told.contains("\"requests\": 0,"), "\(told)")
    }

    /// With several workers each has a socket of its own at the address; another process must not join them.
    @Test(arguments: [1, 3])
    func anAddressThatIsTakenIsNotShared(workers: Int) throws {
        let first = try Cluster(nodes: [try MemcachedServer()], top: ["workers: \(workers)"])
        let config = first.config.replacing("admin: \(first.admin)", with: "")
        let second = try run(["serve", "-c", "FILE"], config)
        #expect(second.code == 69)
        #expect(
            second.error.contains(
                "reason=\"pool main: cannot listen on \(first.address): Address already in use\""),
            "\(second.error)")
        #expect(first.drover.stop() == 0)
        #expect(try DroverProcess(config: config, addresses: [first.address]).stop() == 0)
    }

    @Test func aSocketFileThatADeadProcessLeftIsTakenOver() throws {
        let directory = try TemporaryDirectory()
        let address = ServerAddress.unix(path: directory.file("drover.sock"))
        let cluster = try Cluster(nodes: [try MemcachedServer()], listen: address)
        #expect(
            try run(["serve", "-c", "FILE"], cluster.config.replacing("admin: \(cluster.admin)", with: "")).code == 69)
        cluster.drover.kill()
        #expect(try DroverProcess(config: cluster.config, addresses: [address]).stop() == 0)
    }

    /// And one that another process has put there since stays.
    @Test func aSocketFileIsRemovedByWhoMadeIt() throws {
        let directory = try TemporaryDirectory()
        let path = directory.file("drover.sock")
        let cluster = try Cluster(nodes: [try MemcachedServer()], listen: .unix(path: path))
        #expect(unsafe access(path, F_OK) == 0)
        #expect(cluster.drover.stop() == 0)
        #expect(unsafe access(path, F_OK) != 0)
        let next = try DroverProcess(config: cluster.config, addresses: [.unix(path: path)])
        unsafe unlink(path)
        try writeFile(path, "another's")
        #expect(next.stop() == 0)
        #expect(readFile(path) == "another's")
    }

    // MARK: SIGTERM

    /// It waits for what a node that hangs keeps, and serves nobody yet.
    @Test func sigtermBeforeAnybodyIsServedEndsIt() throws {
        let nodes = try (0..<2).map { _ in try MemcachedServer() }
        nodes[1].freeze()
        let directory = try TemporaryDirectory()
        let (file, log) = (directory.file("c.yml"), directory.file("log"))
        let lines = nodes.map { "      - \($0.address)\n" }.joined()
        try writeFile(
            file,
            "pools:\n  main:\n    listen: unix:\(directory.file("s"))\n    replicas: 2\n    timeout: 60s\n    nodes:\n\(lines)"
        )
        let drover = try ChildProcess([DroverProcess.binary, "serve", "-c", file], errorFile: log)
        let other = try nodes[0].client()
        let hasAsked = try Deadline(seconds: 20).waits {
            try !other.roundTrip("stats\r\n", through: "END\r\n").contains("STAT cmd_get 0\r\n")
        }
        try #require(hasAsked, "\(readFile(log) ?? "")")
        drover.signal(SIGTERM)
        #expect(drover.wait(seconds: 10) == 0, "\(readFile(log) ?? "")")
        #expect(readFile(log)?.contains("listening") == false)
    }

    /// A client's request that is never answered; Drover has it.
    private func stuck() throws -> (Cluster, RawClient) {
        let cluster = try Cluster(1, pool: ["timeout: 60s"])
        let client = try cluster.client()
        #expect(try client.roundTrip("set k 0 0 1\r\nx\r\n") == "STORED\r\n")
        cluster.nodes[0].freeze()
        try client.send("get k\r\n")
        #expect(try Deadline(seconds: 10).waits { try cluster.metric("drover_node_in_flight_requests{") == 1 })
        return (cluster, client)
    }

    @Test func sigtermWaitsForFiveSecondsOnly() throws {
        let (cluster, client) = try stuck()
        let start = Deadline.now()
        #expect(cluster.drover.stop(seconds: 30) == 1)
        #expect(Deadline.seconds(since: start) > 4.9)
        #expect(try client.readToEnd().isEmpty)
        #expect(cluster.drover.log.contains("stopped clients cut off=1"))
    }

    @Test func aSecondSigtermEndsTheWait() throws {
        let (cluster, _) = try stuck()
        let start = Deadline.now()
        cluster.drover.signal(15)
        #expect(cluster.drover.logContains("draining", within: 10))
        #expect(cluster.drover.stop(seconds: 30) == 1)
        #expect(Deadline.seconds(since: start) < 4.5)
    }
}
