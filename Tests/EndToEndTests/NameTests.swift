import DroverTesting
import Testing

/// Nodes that are named by host.
struct NameTests {
    /// A process may see another /etc/hosts; not where containers forbid it.
    private static let mayMount = (try? ChildProcess.run(["/usr/bin/unshare", "-rm", "/bin/true"]).code) == 0

    @Test(.enabled(if: mayMount, "mounting is forbidden here"))
    func aNameThatMovesIsFollowed() throws {
        let node = try MemcachedServer()
        let address = ServerAddress.tcp(host: "127.0.0.1", port: try ServerAddress.freePort())
        let directory = try TemporaryDirectory()
        let hosts = directory.file("hosts")
        // Nobody listens there.
        try writeFile(hosts, "127.0.0.77 node.drover.test\n")
        let drover = try DroverProcess(
            config: """
                pools:
                  main:
                    listen: ["\(address)"]
                    nodes: ["node.drover.test:\(node.address.port!)"]
                    fail_after: 1
                    probe: {interval: 50ms, max: 100ms}
                """, addresses: [address],
            under: [
                "/usr/bin/unshare", "-rm", "/bin/sh", "-c", "mount --bind \(hosts) /etc/hosts && exec \"$@\"", "sh",
            ])
        let client = try RawClient(address)
        #expect(try client.roundTrip("set k 0 0 1\r\nx\r\n").hasPrefix("SERVER_ERROR node "))
        try writeFile(hosts, "127.0.0.1 node.drover.test\n")
        let isFound = try Deadline(seconds: 20).waits { try client.roundTrip("set k 0 0 1\r\nx\r\n") == "STORED\r\n" }
        #expect(isFound, "\(drover.log)")
        #expect(try node.client().roundTrip("mg k v\r\n", through: "x\r\n") == "VA 1\r\nx\r\n")
    }
}
