import DroverTesting
import Glibc
import Testing

/// Two proxies whose jobs need the same nodes' lists of items: at each node one dump runs at a time.
@Suite(.serialized)
struct DumpTests {
    /// Three nodes behind relays, and two proxies.
    private final class Farm {
        let nodes: [MemcachedServer]
        let relays: [DumpRelay]
        let proxies: [DroverProcess]
        let admins: [ServerAddress]
        let directory = try! TemporaryDirectory()

        init(_ version: MemcachedServer.Version, scrub: String) throws {
            let nodes = try (0..<3).map { _ in try MemcachedServer(version) }
            let relays = try nodes.map { try DumpRelay(to: $0.address) }
            let admins = try (0..<2).map { _ in ServerAddress.tcp(host: "127.0.0.1", port: try ServerAddress.freePort())
            }
            let list = relays.enumerated().map { "\"\($1.address) n\($0)\"" }.joined(separator: ", ")
            let directory = directory
            (self.nodes, self.relays, self.admins) = (nodes, relays, admins)
            proxies = try admins.enumerated().map { proxy, admin in
                let address = ServerAddress.unix(path: directory.file("proxy\(proxy).sock"))
                let config = """
                    workers: 1
                    admin: \(admin)
                    pools:
                      main:
                        listen: ["\(address)"]
                        nodes: [\(list)]
                        replicas: 2
                        sync: {scrub: \(scrub), scrub_every: 1s}
                        timeout: 500ms
                        poll: 200ms
                        probe: {interval: 100ms, max: 500ms}
                    """
                return try DroverProcess(config: config, addresses: [address])
            }
        }

        func client() throws -> RawClient { try RawClient(proxies[0].addresses[0], patience: 10) }

        func hold(_ seconds: Double) { for relay in relays { relay.holdDumps(seconds: seconds) } }

        func run(_ order: [String], proxy: Int) throws -> (code: Int32, output: String, error: String) {
            try ChildProcess.run([DroverProcess.binary] + order + ["--admin", "\(admins[proxy])"], seconds: 120)
        }

        func page(_ path: String, proxy: Int) throws -> String {
            let client = try RawClient(admins[proxy], patience: 5)
            try client.send("GET \(path) HTTP/1.0\r\n\r\n")
            return String(decoding: try client.readToEnd(), as: UTF8.self)
        }

        func isWhole(_ proxy: Int) -> Bool {
            let lines = (try? page("/metrics", proxy: proxy))?.split(whereSeparator: \.isNewline) ?? []
            return lines.count { $0.hasPrefix("drover_node_state{") && $0.hasSuffix("state=\"up\"} 1") } == nodes.count
        }

        var areWhole: Bool { isWhole(0) && isWhole(1) }
    }

    private func filled(_ version: MemcachedServer.Version, scrub: String) throws -> Farm {
        let farm = try Farm(version, scrub: scrub)
        try #require(Deadline(seconds: 40).waits { farm.areWhole })
        let client = try farm.client()
        for number in 0..<500 {
            try #require(try client.roundTrip("set \(number * 7919)-dump 0 0 5\r\nvalue\r\n") == "STORED\r\n")
        }
        return farm
    }

    @Test(arguments: [MemcachedServer.Version.debian, .newer])
    func oneAtATime(version: MemcachedServer.Version) throws {
        let farm = try filled(version, scrub: "1000/s")
        // Long enough that any two meet that do not wait for each other.
        farm.hold(0.3)
        let begun = farm.relays.map(\.count.begun.count)
        let backup = TestThread { [directory = farm.directory, admin = farm.admins[0]] in
            try ChildProcess.run(
                [DroverProcess.binary, "backup", "main", directory.file("backup"), "--admin", "\(admin)"], seconds: 120)
        }
        let verify = try farm.run(["verify", "main"], proxy: 1)
        #expect(verify.code == 0, "\(verify)")
        let saved = try backup.join()
        #expect(saved.code == 0, "\(saved)")
        farm.nodes[0].kill()
        try farm.nodes[0].restart()
        #expect(Deadline(seconds: 20).waits { !farm.areWhole })
        #expect(Deadline(seconds: 90).waits { farm.areWhole })
        for (relay, before) in zip(farm.relays, begun) {
            #expect(relay.count.most == 1 && relay.count.begun.count > before + 4, "\(relay.count)")
        }
    }

    /// The verification goes by what the last copy pass has listed.
    @Test func aFillingListsEachNodeOnceForEachCopyPass() throws {
        let farm = try filled(.newer, scrub: "off")
        func passes() -> Int {
            farm.proxies.reduce(0) { $0 + $1.log.split(separator: "\n").count { $0.contains("info copying, pass ") } }
        }
        let before = passes()
        let begun = farm.relays.map(\.count.begun.count)
        farm.nodes[0].kill()
        try farm.nodes[0].restart()
        #expect(Deadline(seconds: 20).waits { !farm.areWhole })
        #expect(Deadline(seconds: 90).waits { farm.areWhole })
        let count = passes() - before
        #expect(count >= 2, "one that copies all, and one that finds nothing more")
        for node in 1...2 { #expect(farm.relays[node].count.begun.count == begun[node] + count) }
    }

    /// What it had taken expires.
    @Test func aProxyThatDiesHoldsNobodyUpForLong() throws {
        let farm = try filled(.newer, scrub: "off")
        farm.hold(60)
        _ = try farm.run(["verify", "main", "--no-wait"], proxy: 0)
        try #require(Deadline(seconds: 10).waits { farm.relays.contains { $0.count.running == 1 } })
        let node = farm.relays.firstIndex { $0.count.running == 1 }!
        farm.proxies[0].kill()
        let death = Deadline.now()
        farm.hold(0)
        let direct = try farm.nodes[node].client()
        #expect(try direct.roundTrip("mg __drover:dump\r\n") == "HD\r\n", "it is taken still")
        _ = try farm.run(["verify", "main", "--no-wait"], proxy: 1)
        let waits = try Deadline(seconds: 5).waits {
            try farm.page("/api/status", proxy: 1).contains("waiting for another dump to end")
        }
        #expect(waits)
        #expect(
            try Deadline(seconds: 30).waits { try farm.page("/api/jobs/1", proxy: 1).contains("\"state\": \"done\"") })
        let next = try #require(farm.relays[node].count.begun.dropFirst().first)
        // The item lives for ten seconds from its last renewal, by a clock of whole ones.
        #expect(Double(next - death) / 1e9 < 11.5)
        #expect(farm.relays.allSatisfy { $0.count.most <= 1 })
    }
}
