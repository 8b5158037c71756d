import DroverTesting
import Testing

/// A config that is read again while others stand in for a node, or its keys are on their way home.
@Suite(.serialized)
struct HomeReloadTests {
    /// Settings take effect when the nodes of all pools are known: one that is new in the other does not answer.
    private func config(_ directory: TemporaryDirectory, _ nodes: [MemcachedServer], _ proxies: String, timeout: Int)
        -> String
    {
        func pool(_ name: String, _ nodes: ArraySlice<MemcachedServer>, _ more: [String]) -> String {
            let lines = [
                "listen: [\"unix:\(directory.file(name))\"]",
                "nodes: [\(nodes.map { "\"\($0.address)\"" }.joined(separator: ", "))]",
            ]
            let common = ["timeout: \(timeout)ms", "probe: {interval: 100ms, max: 300ms}", "poll: 200ms"]
            return (lines + common + more).map { "    " + $0 }.joined(separator: "\n")
        }
        return """
            workers: 2
            pools:
              main:
            \(pool("main", nodes[..<3], ["proxies: \(proxies)"]))
              copies:
            \(pool("copies", nodes[3...], ["replicas: 2"]))
            """
    }

    /// The node holds what was there before the outage, and is there again.
    @Test(.timeLimit(.minutes(20)), arguments: ["one", "several"])
    func aReloadShowsNothingOfBeforeAnOutage(_ proxies: String) throws {
        let nodes = try (0..<6).map { _ in try MemcachedServer() }
        let directory = try TemporaryDirectory()
        let address = ServerAddress.unix(path: directory.file("main"))
        let drover = try DroverProcess(
            config: config(directory, nodes.dropLast(), proxies, timeout: 400), addresses: [address])
        let client = try RawClient(address)
        var keys: [String] = []
        for number in 0..<200 {
            let key = "\(number * 7919)-key"
            #expect(try client.roundTrip("set \(key) 0 0 3\r\nold\r\n") == "STORED\r\n")
            if try nodes[0].client().roundTrip("mg \(key)\r\n") == "HD\r\n" { keys.append(key) }
        }
        let key = try #require(keys.first)
        nodes[0].freeze()
        let isStored = try Deadline(seconds: 20).waits {
            try client.roundTrip("set \(key) 0 0 3\r\nnew\r\n") == "STORED\r\n"
        }
        try #require(isStored, "\(drover.log)")
        nodes[0].thaw()
        try #require(drover.logContains("node is up", within: 10), "\(drover.log)")
        nodes[5].freeze()
        let isOver = SharedBox(false)
        let readers = (0..<2).map { _ in
            TestThread { () throws -> (found: Int, others: Set<String>) in
                let client = try RawClient(address)
                var (found, others) = (0, Set<String>())
                while !isOver.value {
                    let line = try client.roundTrip("mg \(key) v\r\n")
                    let value = line.hasPrefix("VA ") ? try client.readLine() : line
                    if value == "new\r\n" { found += 1 } else { others.insert(value) }
                }
                return (found, others)
            }
        }
        try drover.reload(config(directory, nodes, proxies, timeout: 500))
        let isHome = Deadline(seconds: 60).waits { drover.log.contains("node's keys are home") }
        isOver.withValue { $0 = true }
        for reader in readers {
            let (found, others) = try reader.join()
            #expect(found > 0 && others.allSatisfy { $0.hasPrefix("SERVER_ERROR") }, "\(others)\n\(drover.log)")
        }
        #expect(isHome, "\(drover.log)")
        #expect(try client.roundTrip("get \(key)\r\n", through: "END\r\n") == "VALUE \(key) 0 3\r\nnew\r\nEND\r\n")
    }
}
