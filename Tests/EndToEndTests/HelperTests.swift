import DroverTesting
import Testing

/// The helpers themselves: a test that leans on them must not be the first to find them wrong.
struct HelperTests {
    @Test(arguments: [MemcachedServer.Version.debian, .newer])
    func memcachedIsKilledAndComesBackEmpty(version: MemcachedServer.Version) throws {
        let server = try MemcachedServer(version)
        let client = try server.client()
        #expect(
            try client.roundTrip("version\r\n") == (version == .debian ? "VERSION 1.6.18\r\n" : "VERSION 1.6.38\r\n"))
        #expect(try client.roundTrip("set k 0 0 1\r\nx\r\n") == "STORED\r\n")
        server.kill()
        #expect(!server.isRunning)
        #expect(try client.readToEnd().isEmpty)
        try server.restart()
        #expect(try server.client().roundTrip("mg k\r\n") == "EN\r\n")
    }

    /// A server that was killed was started on a port that another test had been given meanwhile.
    @Test func noPortIsGivenTwice() throws {
        let ports = try (0..<500).map { _ in try ServerAddress.freePort() }
        #expect(Set(ports).count == 500)
    }

    @Test func aFrozenServerAnswersWhenItIsThawed() throws {
        var options = MemcachedServer.Options()
        options.listen = .unix
        let server = try MemcachedServer(.newer, options: options)
        let client = try server.client(patience: 0.2)
        server.freeze()
        #expect(throws: TestFailure.self) { try client.roundTrip("mn\r\n") }
        server.thaw()
        client.patience = 10
        #expect(try client.readLine() == "MN\r\n")
    }

    @Test func aChildEndsWithItsCode() throws {
        #expect(try ChildProcess.run(["/bin/sh", "-c", "echo out; echo err >&2; exit 3"]) == (3, "out\n", "err\n"))
        let sleeper = try ChildProcess(["/bin/sleep", "100"])
        #expect(sleeper.wait(seconds: 0.01) == nil)
        sleeper.signal(15)
        #expect(sleeper.wait(seconds: 10) == -15)
    }
}
