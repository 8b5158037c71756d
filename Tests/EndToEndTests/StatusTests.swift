import DroverTesting
import Testing

/// The commands that ask a running proxy.
@Suite(.serialized)
struct StatusTests {
    private func run(_ arguments: [String], _ cluster: Cluster) throws -> (code: Int32, output: String, error: String) {
        try ChildProcess.run([DroverProcess.binary] + arguments + ["--admin", "\(cluster.admin)"])
    }

    @Test func statusShowsNodesAndTraffic() throws {
        let cluster = try Cluster(2, pool: ["fail_after: 1"])
        let client = try cluster.client()
        #expect(try client.roundTrip("set k 0 0 1\r\nx\r\n") == "STORED\r\n")
        #expect(try client.roundTrip("get k\r\n", through: "END\r\n").hasPrefix("VALUE"))
        let (code, text, error) = try run(["status"], cluster)
        #expect(code == 0 && error == "")
        #expect(text.contains("\npool main: 2 nodes, 1 copy of a key, 1 client\n  2 requests, 100 % of keys found, "))
        let rows = text.split(separator: "\n").map { $0.split(separator: " ") }
        for node in cluster.nodes {
            #expect(rows.contains { $0.starts(with: ["\(node.address)", "up"]) }, "\(text)")
        }

        cluster.nodes[1].kill()
        for key in try cluster.keysOfBoth() { _ = try client.roundTrip("mg \(key)\r\n") }
        #expect(
            try Deadline(seconds: 10).waits {
                let json = try run(["status", "--json"], cluster)
                return json.output.contains("\"name\": \"\(cluster.nodes[1].address)\", \"state\": \"down\"")
            })
    }

    @Test func theAddressMayComeFromTheConfig() throws {
        let cluster = try Cluster(1)
        let directory = try TemporaryDirectory()
        let file = directory.file("c.yml")
        try writeFile(file, cluster.config)
        func status(_ arguments: [String]) throws -> (code: Int32, output: String, error: String) {
            try ChildProcess.run([DroverProcess.binary, "status"] + arguments)
        }
        #expect(try status(["-c", file]).output.contains("\npool main: 1 node, "))
        #expect(try status(["-c", file, "--admin", "127.0.0.1:1"]).code == 64)
        #expect(try status(["-c", directory.file("none.yml")]).code == 66)
        try writeFile(file, "pools: {main: {listen: 127.0.0.1:1, nodes: [127.0.0.1:2]}}\n")
        let off = try status(["-c", file])
        #expect(off.code == 69 && off.error.contains("`admin: off`"), "\(off)")
    }

    @Test func whereNoProxyIsTheCommandSaysSo() throws {
        let cluster = try Cluster(1)
        let port = try ServerAddress.freePort()
        let nobody = try ChildProcess.run([DroverProcess.binary, "status", "--admin", "127.0.0.1:\(port)"])
        #expect(
            nobody.code == 69 && nobody.error.contains("no proxy at 127.0.0.1:\(port): Connection refused"), "\(nobody)"
        )
        // What answers there is the pool.
        let stranger = try ChildProcess.run([DroverProcess.binary, "sync", "a", "b", "--admin", "\(cluster.address)"])
        #expect(stranger.code == 69 && stranger.error.contains("no drover"), "\(stranger)")
    }

    @Test(
        arguments: [
            (["status", "--admin", "9411"], 64), (["status", "--admin", "unix:/run/x"], 64), (["status", "x"], 64),
            (["sync", "main"], 64), (["verify", "main", "--sample", "0"], 64),
            (["verify", "main", "--sample", "x"], 64),
            (["cancel", "0"], 64), (["cancel", "x"], 64), (["pause", "1", "--no-wait"], 64),
        ] as [([String], Int32)])
    func wrongCommandLinesAreRefused(arguments: [String], code: Int32) throws {
        #expect(try ChildProcess.run([DroverProcess.binary] + arguments).code == code)
    }

    @Test func whatIsNotThereAndWhatCannotBeIsRefused() throws {
        let cluster = try Cluster(2, pool: ["replicas: 2"])
        let single = try Cluster(1)
        let cases: [([String], Cluster, Int32, String)] = [
            (["verify", "nix"], cluster, 64, "\"nix\""), (["sync", "nix", "x"], cluster, 64, "\"nix\""),
            (["sync", "main", "nix"], cluster, 64, "\"nix\""), (["pause", "99"], cluster, 64, "99"),
            (["resume", "99"], cluster, 64, "99"), (["cancel", "99"], cluster, 64, "99"),
            (["verify", "main"], single, 1, "one copy"),
            (["sync", "main", "\(single.nodes[0].address)"], single, 1, "one copy"),
        ]
        for (arguments, cluster, code, reason) in cases {
            let answer = try run(arguments, cluster)
            #expect(answer.code == code && answer.output == "", "\(arguments): \(answer)")
            #expect(answer.error.hasPrefix("drover: ") && answer.error.contains(reason), "\(arguments): \(answer)")
        }
    }

    @Test func theAPIIsForToolsOnly() throws {
        let cluster = try Cluster(2, pool: ["replicas: 2"])
        func post(_ headers: String) throws -> String {
            let client = try RawClient(cluster.admin)
            try client.send("POST /api/pools/main/verify HTTP/1.0\r\nContent-Length: 0\r\n\(headers)\r\n")
            return String(decoding: try client.readToEnd(), as: UTF8.self)
        }
        #expect(try post("").contains(" 403 "))
        #expect(try post("X-Drover: 1\r\nOrigin: http://a\r\n").contains(" 403 "))
        #expect(try cluster.http("/api/status").contains("\"jobs\": []}"), "nothing was begun")
        #expect(try post("X-Drover: 1\r\n").contains(" 202 "))
        #expect(try cluster.http("/api/jobs/1?format=text").contains("\r\n\r\njob 1: verify main: "))
    }
}

extension Cluster {
    /// A few hundred keys: some are on either node.
    fileprivate func keysOfBoth() throws -> [String] { (0..<300).map { "\($0 * 7919)-both" } }
}
