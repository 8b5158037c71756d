import Distribution
import ProxyConfig
import ProxyCore
import Testing

/// twemproxy's file in our words.
struct TwemproxyTests {
    /// The pools that a file of twemproxy's means to us.
    private func pools(_ text: String) throws -> [PoolSettings] {
        let converted = try TwemproxyFile.convert(text: text, file: "n")
        return try ConfigFile.parse(text: converted.text, file: "converted").settings.pools
    }

    private func notes(_ text: String) throws -> [String] {
        try TwemproxyFile.convert(text: text, file: "n").notes.map(\.description)
    }

    private func errors(_ text: String) -> [String] {
        do {
            _ = try TwemproxyFile.convert(text: text, file: "n")
            return []
        } catch {
            return error.errors.map(\.description)
        }
    }

    static let full = """
        alpha:
          listen: 127.0.0.1:22121
          hash: murmur
          hash_tag: "{}"
          distribution: ketama
          timeout: 400
          backlog: 1024
          client_connections: 77
          preconnect: true
          redis: false
          server_connections: 2
          auto_eject_hosts: true
          server_retry_timeout: 2500
          server_failure_limit: 4
          tcpkeepalive: true
          reuseport: true
          servers:
           - 10.0.0.1:11211:3
           - 10.0.0.2:11212:1 two
           - /run/m.sock:2

        """

    @Test func everyKeyKeepsItsMeaning() throws {
        var pool = PoolSettings(
            name: "alpha", listen: [.tcp(host: "127.0.0.1", port: 22121)],
            nodes: [
                NodeSettings(address: .tcp(host: "10.0.0.1", port: 11211), weight: 3),
                NodeSettings(address: .tcp(host: "10.0.0.2", port: 11212), weight: 1, name: "two"),
                NodeSettings(address: .unix(path: "/run/m.sock"), weight: 2),
            ])
        pool.hash = .murmur
        pool.hashTag = HashTag(open: UInt8(ascii: "{"), close: UInt8(ascii: "}"))
        pool.timeout = 400_000_000
        pool.connectTimeout = 400_000_000
        pool.whenDown = .rehash
        pool.proxies = .several
        pool.failAfter = 4
        pool.probeInterval = 2_500_000_000
        pool.probeMax = 2_500_000_000
        pool.limits.clients = 77
        #expect(try pools(Self.full) == [pool])
    }

    @Test func everyLossIsNoted() throws {
        let places = try notes(Self.full).map { $0.split(separator: ":")[..<5].joined(separator: ":") }
        #expect(
            places == [
                "n:7:12: backlog: is dropped; Drover listens with the most that the kernel allows",
                "n:9:15: preconnect: is dropped; Drover opens its connections to nodes by itself",
                "n:11:23: server_connections: is dropped; each worker has one connection to a node and fills it with "
                    + "many requests",
                "n:12:21: auto_eject_hosts: an ejected node comes back when a probe is answered, and loses what only it held",
                "n:12:21: auto_eject_hosts: became proxies",
                "n:15:17: tcpkeepalive: is dropped; dead connections are found by time-outs and probes",
                "n:16:14: reuseport: is dropped; workers share the port always",
            ])
    }

    @Test func withoutEjectionADownNodesKeysAreErrors() throws {
        let text = "a:\n  listen: /tmp/a 0666\n  servers: [\"h:1:1\"]\n"
        let pool = try pools(text)[0]
        #expect(pool.whenDown == .error)
        #expect(pool.timeout == 5_000_000_000)
        #expect(
            try notes(text) == [
                "n:1:1: timeout: twemproxy waits for ever; it became 5s, and 200ms is what Drover has by default",
                "n:2:11: listen: the permission 0666 is dropped; the socket gets those of the umask",
            ])
    }

    /// twemproxy counts modula's servers in the order of their names, short ones first.
    @Test func modulaKeepsTwemproxysOrder() throws {
        let text = """
            a:
              listen: 127.0.0.1:1
              distribution: modula
              timeout: 100
              servers:
               - h10:2:1
               - h2:2:2
               - h1:11211:1
               - x:2:1 zeta

            """
        #expect(try pools(text)[0].nodes.map(\.ringName) == ["h1", "h2:2", "zeta", "h10:2"])
        #expect(try notes(text).contains { $0.hasPrefix("n:6:4: servers: are in another order") })
    }

    /// Where our rings would hash another text than twemproxy's, the text is written as a name.
    @Test(arguments: [
        ("h:11211:1", "h", nil), ("h:011211:1", "h", nil), ("h:011212:1", "h:011212", "h:011212"),
        ("::1:11211:1", "::1", nil), ("::1:11212:1", "::1:11212", nil), ("/a/b:1", "/a/b:", nil),
        ("h:1:1 n", "n", "n"),
    ])
    func ringNames(_ server: String, _ ringName: String, _ name: String?) throws {
        let node = try pools("a: {listen: \"127.0.0.1:1\", timeout: 9, servers: [\"\(server)\"]}")[0].nodes[0]
        #expect(node.ringName == ringName)
        #expect(node.name == name)
    }

    @Test func whatCannotBeKeptIsRefused() {
        func one(_ line: String) -> String { "a:\n  listen: 127.0.0.1:1\n  servers: [\"h:1:1\"]\n  \(line)\n" }
        #expect(
            errors(one("redis: true")) == [
                "n:4:10: redis: true: Drover speaks memcached only; take pool \"a\" out of the file"
            ])
        #expect(
            errors(one("tiemout: 3")) == ["n:4:3: unknown key \"tiemout\" in pool \"a\"; did you mean \"timeout\"?"])
        #expect(errors(one("timeout: 3s")) == ["n:4:12: timeout: \"3s\" is not a whole number"])
        #expect(errors("pools: {a: {}}") == ["n:1:1: this is a config of Drover's already; check it without --from"])
        #expect(
            errors("a: {listen: \"127.0.0.1:1\", servers: [\"h:1\"]}") == [
                "n:1:38: servers: \"h:1\" is not host:port:weight or /path:weight, with or without a name"
            ])
    }
}
