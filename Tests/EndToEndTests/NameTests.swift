import DroverTesting
import Glibc
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

    /// A name server that takes its time: answers every question for an address with 127.0.0.1, half a second later.
    private static let slowNameserver = """
        import socket, struct, threading, time
        file = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        file.bind(("127.0.0.9", 53))
        print("ready", flush=True)
        def answer(question, peer):
            time.sleep(0.5)
            end = 12
            while question[end]: end += question[end] + 1
            isAddress = question[end + 1:end + 3] == b"\\0\\1"
            found = struct.pack(">HHHIH", 0xc00c, 1, 1, 60, 4) + bytes([127, 0, 0, 1]) if isAddress else b""
            counts = struct.pack(">HHHH", 1, 1 if isAddress else 0, 0, 0)
            file.sendto(question[:2] + b"\\x81\\x80" + counts + question[12:end + 5] + found, peer)
        while True: threading.Thread(target=answer, args=file.recvfrom(512), daemon=True).start()
        """

    /// Clients were served before the name was known: the node was taken for down, and emptied when it was found.
    @Test(.enabled(if: mayMount && getuid() == 0, "only root may be a name server"))
    func aRestartWithASlowNameServerEmptiesNoNode() throws {
        let directory = try TemporaryDirectory()
        let output = directory.file("nameserver")
        let nameserver = try ChildProcess(["/usr/bin/python3", "-c", Self.slowNameserver], outputFile: output)
        defer { nameserver.signal(9) }
        #expect(Deadline(seconds: 10).waits { readFile(output) == "ready\n" })
        let resolv = directory.file("resolv.conf")
        try writeFile(resolv, "nameserver 127.0.0.9\n")
        let nodes = try (0..<3).map { _ in try MemcachedServer() }
        let address = ServerAddress.tcp(host: "127.0.0.1", port: try ServerAddress.freePort())
        let names = ["node.drover.test:\(nodes[0].address.port!)"] + nodes[1...].map { "\($0.address)" }
        func start() throws -> DroverProcess {
            try DroverProcess(
                config: """
                    pools:
                      main:
                        listen: ["\(address)"]
                        hash: murmur
                        nodes: [\(names.map { "\"\($0)\"" }.joined(separator: ", "))]
                    """, addresses: [address],
                under: [
                    "/usr/bin/unshare", "-rm", "/bin/sh", "-c",
                    "mount --bind \(resolv) /etc/resolv.conf && exec \"$@\"", "sh",
                ])
        }
        let first = try start()
        let keys = (0..<60).map { "key-\($0)" }
        var client = try RawClient(address)
        for key in keys { #expect(try client.roundTrip("set \(key) 0 0 1\r\nx\r\n") == "STORED\r\n") }
        #expect(first.stop() == 0)
        let second = try start()
        client = try RawClient(address)
        for key in keys { #expect(try client.roundTrip("mg \(key)\r\n") == "HD\r\n") }
        #expect(!second.log.contains("node is down"), "\(second.log)")
    }
}
