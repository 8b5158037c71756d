import DroverTesting
import Testing

/// What a client may rely on, with three nodes behind one address.
struct CommandTests {
    @Test func aMultiGetKeepsItsOrderAndItsDuplicates() throws {
        let cluster = try Cluster()
        let client = try cluster.client()
        for key in 0..<60 {
            #expect(try client.roundTrip("set k\(key) \(key) 0 3\r\nv\(key + 10)\r\n") == "STORED\r\n")
        }
        let order = (0..<60).reversed().flatMap { [$0, 5, $0 + 100] }
        let reply = try client.roundTrip("get \(order.map { "k\($0)" }.joined(separator: " "))\r\n", through: "END\r\n")
        let expected = order.filter { $0 < 60 }.map { "VALUE k\($0) \($0) 3\r\nv\($0 + 10)\r\n" }.joined()
        #expect(reply == expected + "END\r\n")
    }

    @Test func aPipelineOfQuietAndLoudCommandsKeepsItsOrder() throws {
        let client = try Cluster().client()
        var request = ""
        var expected = ""
        for number in 0..<2000 {
            switch number % 5 {
            case 0: request += "ms p\(number) 1 q\r\nx\r\n"
            case 1:
                request += "mg p\(number - 1) v O\(number)\r\n"
                expected += "VA 1 O\(number)\r\nx\r\n"
            case 2: request += "set p\(number) 0 0 1 noreply\r\ny\r\n"
            case 3:
                request += "get p\(number - 1)\r\n"
                expected += "VALUE p\(number - 1) 0 1\r\ny\r\nEND\r\n"
            default:
                request += "mg none\(number) v q\r\nmn\r\n"
                expected += "MN\r\n"
            }
        }
        try client.send(request)
        #expect(String(decoding: try client.read(exactly: expected.utf8.count), as: UTF8.self) == expected)
        #expect(try client.roundTrip("mn\r\n") == "MN\r\n")
    }

    @Test func quitComesAfterTheAnswersBeforeIt() throws {
        let client = try Cluster().client()
        try client.send("set q 0 0 1\r\nx\r\nget q nothing\r\ndelete q\r\nquit\r\n")
        #expect(
            String(decoding: try client.readToEnd(), as: UTF8.self)
                == "STORED\r\nVALUE q 0 1\r\nx\r\nEND\r\nDELETED\r\n")
    }

    @Test func flushAllReachesEveryNode() throws {
        let cluster = try Cluster()
        let client = try cluster.client()
        for key in 0..<30 { _ = try client.roundTrip("set f\(key) 0 0 1\r\nx\r\n") }
        for node in cluster.nodes {
            #expect(try node.client().roundTrip("stats\r\n", through: "END").contains("curr_items 0\r") == false)
        }
        #expect(try client.roundTrip("flush_all\r\n") == "OK\r\n")
        let all = "get \((0..<30).map { "f\($0)" }.joined(separator: " "))\r\n"
        #expect(try client.roundTrip(all, through: "END\r\n") == "END\r\n")
        _ = try client.roundTrip("set f1 0 0 1\r\nx\r\n")
        try client.send("flush_all noreply\r\nmn\r\nget f1\r\n")
        #expect(String(decoding: try client.read(through: "END\r\n"), as: UTF8.self) == "MN\r\nEND\r\n")
        #expect(try client.roundTrip("flush_all 1000\r\n") == "OK\r\n")
        for node in cluster.nodes {
            #expect(try node.client().roundTrip("stats\r\n", through: "END\r\n").contains("STAT cmd_flush 3\r\n"))
        }
    }

    @Test func versionVerbosityAndStats() throws {
        let cluster = try Cluster()
        let client = try cluster.client()
        #expect(try client.roundTrip("version\r\n").hasPrefix("VERSION "))
        #expect(try client.roundTrip("verbosity 1\r\n") == "OK\r\n")
        for key in 0..<9 { _ = try client.roundTrip("set s\(key) 0 0 1\r\nx\r\n") }
        let stats = try client.roundTrip("stats\r\n", through: "END\r\n")
        #expect(stats.contains("STAT curr_items 9\r\n"))
        #expect(stats.contains("STAT cmd_set 9\r\n"))
        let nodes = try client.roundTrip("stats nodes\r\n", through: "END\r\n")
        for node in cluster.nodes { #expect(nodes.contains(node.address.description)) }
        #expect(try client.roundTrip("stats settings\r\n", through: "END\r\n").hasPrefix("STAT "))
        #expect(try client.roundTrip("stats reset\r\n") == "RESET\r\n")
    }

    /// Whichever worker serves a connection, it tells what all of them have done.
    @Test func statsNodesCountsTheWholeProcess() throws {
        let cluster = try Cluster(nodes: [try MemcachedServer()], top: ["workers: 4"])
        let clients = try (0..<16).map { _ in try cluster.client() }
        for (index, client) in clients.enumerated() {
            for _ in 0...index { #expect(try client.roundTrip("mg none\r\n") == "EN\r\n") }
        }
        let address = cluster.nodes[0].address
        for client in clients {
            try client.send("stats nodes\r\nmn\r\n")
            let answer = String(decoding: try client.read(through: "MN\r\n"), as: UTF8.self)
            #expect(answer.contains("STAT node:\(address):state up\r\n"))
            #expect(answer.contains("STAT node:\(address):requests 136\r\n"), "\(answer)")
            #expect(answer.hasSuffix("\r\nEND\r\nMN\r\n"))
        }
    }

    @Test func unixSocketsAndIPv6OnBothSides() throws {
        let directory = try TemporaryDirectory()
        for listen in [MemcachedServer.Listen.unix, .ipv6] {
            var options = MemcachedServer.Options()
            options.listen = listen
            let nodes = try (0..<2).map { _ in try MemcachedServer(.newer, options: options) }
            let address: ServerAddress =
                if case .unix = listen {
                    .unix(path: directory.file("drover.sock"))
                } else {
                    .tcp(host: "::1", port: try ServerAddress.freePort(host: "::1"))
                }
            let cluster = try Cluster(nodes: nodes, listen: address)
            let client = try cluster.client()
            for key in 0..<20 {
                #expect(try client.roundTrip("set k\(key) 0 0 1\r\nx\r\n") == "STORED\r\n")
                #expect(try client.roundTrip("mg k\(key) v\r\n", through: "x\r\n") == "VA 1\r\nx\r\n")
            }
        }
    }

    @Test func poolsAreApart() throws {
        let nodes = try (0..<2).map { _ in try MemcachedServer() }
        let ports = try (0..<3).map { _ in ServerAddress.tcp(host: "127.0.0.1", port: try ServerAddress.freePort()) }
        let drover = try DroverProcess(
            config: """
                workers: 2
                pools:
                  one:
                    listen: ["\(ports[0])", "\(ports[1])"]
                    nodes: ["\(nodes[0].address)"]
                  two:
                    listen: ["\(ports[2])"]
                    nodes: ["\(nodes[1].address):1 two"]
                """, addresses: ports)
        let clients = try ports.map { try RawClient($0) }
        #expect(try clients[0].roundTrip("set k 0 0 3\r\none\r\n") == "STORED\r\n")
        #expect(try clients[1].roundTrip("get k\r\n", through: "END\r\n") == "VALUE k 0 3\r\none\r\nEND\r\n")
        #expect(try clients[2].roundTrip("get k\r\n", through: "END\r\n") == "END\r\n")
        #expect(drover.isRunning)
    }
}
