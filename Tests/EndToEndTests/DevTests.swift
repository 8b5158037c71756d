import DroverTesting
import Testing

/// `drover dev`: the first thing that a newcomer runs.
@Suite(.serialized)
struct DevTests {
    private final class Dev {
        let port: UInt16
        let adminPort: UInt16
        let process: ChildProcess
        private let directory: TemporaryDirectory
        private(set) var welcome = ""

        init(_ arguments: [String] = []) throws {
            (port, adminPort) = (try ServerAddress.freePort(), try ServerAddress.freePort())
            directory = try TemporaryDirectory()
            let file = directory.file("output")
            process = try ChildProcess(
                [DroverProcess.binary, "dev", "--port", "\(port)", "--admin-port", "\(adminPort)"] + arguments,
                outputFile: file)
            let isReady = Deadline(seconds: 30).waits {
                welcome = readFile(file) ?? ""
                return welcome.contains("cat <&3") || !process.isRunning
            }
            guard isReady, process.isRunning else { throw TestFailure("dev did not come up: \(welcome)") }
        }

        /// The numbers of the memcacheds' processes.
        var memcacheds: [Int] {
            welcome.split(separator: "\n").filter { $0.contains("memcached, process ") }
                .compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
        }

        func isRunning(_ memcached: Int) -> Bool { readFile("/proc/\(memcached)/comm") == "memcached\n" }
    }

    @Test func whatItSaysIsThere() throws {
        let dev = try Dev(["--nodes", "2"])
        #expect(dev.welcome.contains("\nOne memcached out of 2, until Ctrl-C:\n"))
        #expect(dev.memcacheds.count == 2)
        #expect(dev.memcacheds.allSatisfy(dev.isRunning))
        let client = try RawClient(.tcp(host: "127.0.0.1", port: dev.port))
        for key in 0..<20 { #expect(try client.roundTrip("set \(key)-key 0 0 1\r\nx\r\n") == "STORED\r\n") }
        #expect(try client.roundTrip("stats\r\n", through: "END\r\n").contains("STAT curr_items 20\r\n"))
        let admin = try RawClient(.tcp(host: "127.0.0.1", port: dev.adminPort))
        try admin.send("GET /healthz HTTP/1.0\r\n\r\n")
        let health = String(decoding: try admin.readToEnd(), as: UTF8.self)
        #expect(health.hasSuffix("\r\n\r\ndev: ok, 2 of 2 nodes readable\n"))

        let line = try #require(dev.welcome.split(separator: "\n").first { $0.contains("exec 3<>") })
        let tried = try ChildProcess.run(["/bin/bash", "-c", "\(line)"])
        #expect(tried.output.hasPrefix("STORED\r\nVALUE hello 0 5\r\nworld\r\nEND\r\nSTAT node:node1:state up\r\n"))
    }

    /// The last one it cannot see coming: as when the terminal is closed, or memory runs out.
    @Test(arguments: [(2, 0), (15, 0), (9, -9)] as [(Int32, Int32)])
    func nothingIsLeftBehind(signal: Int32, code: Int32) throws {
        let dev = try Dev(["--replicas", "2"])
        #expect(dev.memcacheds.count == 3)
        dev.process.signal(signal)
        #expect(dev.process.wait(seconds: 20) == code)
        #expect(Deadline(seconds: 10).waits { !dev.memcacheds.contains(where: dev.isRunning) })
    }
}
