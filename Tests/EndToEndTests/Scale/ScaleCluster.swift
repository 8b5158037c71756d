import DroverTesting
import Testing

/// Nodes named n0, n1, … of which some are in a pool, and clients that check every answer.
final class ScaleCluster: Sendable {
    private static let twoCopies = ["replicas: 2", "poll: 500ms", "timeout: 1s", "checks: off"]

    let servers: [MemcachedServer]
    let cluster: Cluster
    private let pool: [String]

    /// With two copies of each key.
    ///
    /// - Parameters:
    ///   - count: servers, whether they are in the pool or not.
    ///   - first: those that are.
    ///   - sync: the pool's settings of that name.
    convenience init(
        _ count: Int, first: [Int], read: String = "primary", version: MemcachedServer.Version = .newer,
        sync: String = "{}"
    ) throws {
        try self.init(
            count, first: first, version: version, pool: Self.twoCopies + ["read: \(read)", "sync: \(sync)"])
    }

    /// - Parameter pool: keys of the pool.
    init(_ count: Int, first: [Int], version: MemcachedServer.Version, pool: [String]) throws {
        servers = try (0..<count).map { _ in try MemcachedServer(version) }
        self.pool = pool
        cluster = try Self.cluster(servers, first, pool)
    }

    /// Another proxy of the same servers.
    init(beside other: ScaleCluster, first: [Int]) throws {
        (servers, pool) = (other.servers, other.pool)
        cluster = try Self.cluster(servers, first, pool)
    }

    private static func cluster(_ servers: [MemcachedServer], _ first: [Int], _ pool: [String]) throws -> Cluster {
        let lines = first.map { "\(servers[$0].address):1 n\($0)" }
        return try Cluster(nodes: first.map { servers[$0] }, pool: pool, nodeLines: lines)
    }

    var drover: DroverProcess { cluster.drover }

    /// The config with these servers in the pool.
    func config(_ members: [Int]) -> String {
        cluster.config(nodes: members.map { "\(servers[$0].address):1 n\($0)" }, pool: pool)
    }

    func run(_ arguments: [String]) throws -> (code: Int32, output: String, error: String) {
        try ChildProcess.run([DroverProcess.binary] + arguments + ["--admin", "\(cluster.admin)"])
    }

    func moved() -> Int { drover.log.split(separator: "\n").count { $0.contains("result=moved") } }

    /// The number of the pool's last job of that kind.
    func job(_ kind: String) throws -> String {
        let line = try run(["status"]).output.split(separator: "\n").last { $0.contains(": \(kind) main") } ?? ""
        return String(line.drop { $0 != " " }.dropFirst(6).prefix { $0.isNumber })
    }

    func items(on place: Int) throws -> Int {
        let stats = try servers[place].client().roundTrip("stats\r\n", through: "END\r\n")
        let line = stats.split(separator: "\r\n").first { $0.hasPrefix("STAT curr_items ") }
        return line.flatMap { Int($0.dropFirst(16)) } ?? 0
    }

    /// Those of the keys that the server has.
    func keys(_ keys: [String], on place: Int) throws -> [String] {
        let client = try servers[place].client()
        return try keys.filter { try client.roundTrip("mg \($0)\r\n") == "HD\r\n" }
    }

    /// Reloads, and waits until the keys have moved.
    func change(to members: [Int], within seconds: Double = 120) throws {
        let before = moved()
        try drover.reload(config(members))
        try awaitMove(after: before, within: seconds)
    }

    func awaitMove(after before: Int, within seconds: Double) throws {
        guard Deadline(seconds: seconds).waits(until: { moved() > before }) else {
            throw TestFailure("the keys have not moved: \(drover.log)")
        }
    }

    /// Each key is on its owners by the config, and on no other server.
    func expectPlaces(_ keys: [String], _ members: [Int]) throws {
        let directory = try TemporaryDirectory()
        let file = directory.file("drover.yml")
        try writeFile(file, config(members))
        let result = try ChildProcess.run([DroverProcess.binary, "lookup", "-c", file, "main"] + keys)
        var owners: [String: Set<String>] = [:]
        for line in result.output.split(separator: "\n") {
            let columns = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            owners[columns[0]] = Set([1, 5].filter { $0 < columns.count }.map { columns[$0] })
        }
        #expect(owners.count == keys.count, "\(result.error)")
        var wrong: [String] = []
        for place in members {
            let client = try servers[place].client()
            for key in keys
            where (try client.roundTrip("mg \(key)\r\n") == "HD\r\n") != owners[key]?.contains("n\(place)") {
                wrong.append("\(key) on n\(place), owners \(owners[key] ?? [])")
            }
        }
        #expect(wrong.isEmpty, "\(wrong.count) wrong: \(wrong.prefix(5))")
    }
}

/// A client of its own keys that knows what each of its answers has to be.
final class CheckingClient: Sendable {
    private let isOver = SharedBox(false)
    private let thread: TestThread<[String: String]>

    init(_ address: ServerAddress, number: Int, seed: UInt64) {
        let isOver = isOver
        thread = TestThread {
            let client = try RawClient(address, patience: 30)
            var random = SeededGenerator(seed: seed &+ UInt64(number))
            var known: [String: String] = [:]
            var step = 0
            while !isOver.value {
                step += 1
                let key = "c\(number)-\(random.pick(0..<200) * 7919)"
                try Self.step(client, key, "\(step)", &random, &known)
            }
            return known
        }
    }

    private static func step(
        _ client: RawClient, _ key: String, _ value: String, _ random: inout SeededGenerator,
        _ known: inout [String: String]
    ) throws {
        func check(_ answer: String, _ expected: String, _ what: String) throws {
            guard answer == expected else { throw TestFailure("\(what) \(key): \(answer) where \(expected) is right") }
        }
        switch random.pick(0..<10) {
        case 0..<4:
            try check(try client.roundTrip("set \(key) 7 0 \(value.count)\r\n\(value)\r\n"), "STORED\r\n", "set")
            known[key] = value
        case 4:
            let had = known.removeValue(forKey: key) != nil
            try check(try client.roundTrip("delete \(key)\r\n"), had ? "DELETED\r\n" : "NOT_FOUND\r\n", "delete")
        case 5:
            let answer = try client.roundTrip("append \(key) 0 0 1\r\n!\r\n")
            try check(answer, known[key] == nil ? "NOT_STORED\r\n" : "STORED\r\n", "append")
            known[key]? += "!"
        default:
            let text = known[key].map { "VALUE \(key) 7 \($0.count)\r\n\($0)\r\nEND\r\n" } ?? "END\r\n"
            try check(try client.roundTrip("get \(key)\r\n", through: "END\r\n"), text, "get")
        }
    }

    /// Ends it.
    /// - Returns: what it knows to be stored; it throws what was wrong.
    func finish() throws -> [String: String] {
        isOver.withValue { $0 = true }
        return try thread.join()
    }
}
