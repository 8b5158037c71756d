import Distribution
import MemcacheProtocol
import ProxyConfig
import ProxyCore
import Testing

/// What right files mean.
struct SettingsTests {
    @Test func everyKeyIsRead() throws {
        let text = """
            workers: 3
            admin: 127.0.0.1:9411
            zone: here
            pools:
              main:
                listen: [127.0.0.1:11311, "[::1]:11312", "unix:/run/a.sock", localhost:11313]
                nodes: [10.0.0.1:11211, 10.0.0.2:11211]
                distribution: rendezvous
                hash: xxh3
                hash_tag: "<>"
                replicas: 2
                standby: ["unix:/run/b:3 spare", {address: "10.0.9.1:1", zone: z}]
                acks: quorum
                min_live: 3
                read: fastest
                hedge: 12.5%
                on_miss: next
                checks: 50/s
                when_down: miss
                proxies: several
                timeout: 20ms
                connect_timeout: 1.5s
                fail_after: 7
                probe: {interval: 2s, max: 1m}
                poll: 250ms
                sync: {rate: 5k/s, bandwidth: 1MiB/s, depth: 9, verify: sample, order: any, scrub: 50/s, scrub_every: 2h}
                limits: {clients: 5, key: 100, value: 2MiB, pipeline: 6, memory: 64MB}

            """
        let settings = try ConfigFile.parse(text: text, file: "c").settings
        var pool = PoolSettings(
            name: "main",
            listen: [
                .tcp(host: "127.0.0.1", port: 11311), .tcp(host: "::1", port: 11312), .unix(path: "/run/a.sock"),
                .tcp(host: "127.0.0.1", port: 11313),
            ],
            nodes: ["10.0.0.1", "10.0.0.2"].map { NodeSettings(address: .tcp(host: $0, port: 11211)) })
        pool.distribution = .rendezvous
        pool.hash = .xxh3
        pool.hashTag = HashTag(open: UInt8(ascii: "<"), close: UInt8(ascii: ">"))
        pool.replicas = 2
        pool.standby = [
            NodeSettings(address: .unix(path: "/run/b"), weight: 3, name: "spare"),
            NodeSettings(address: .tcp(host: "10.0.9.1", port: 1), zone: "z"),
        ]
        pool.acks = .quorum
        pool.minLive = 3
        pool.read = .fastest
        pool.hedge = 1250
        pool.ownZone = "here"
        pool.onMiss = .next
        pool.checks = 50
        pool.whenDown = .miss
        pool.proxies = .several
        pool.timeout = 20_000_000
        pool.connectTimeout = 1_500_000_000
        pool.failAfter = 7
        pool.probeInterval = 2_000_000_000
        pool.probeMax = 60_000_000_000
        pool.poll = 250_000_000
        pool.sync.rate = 5000
        pool.sync.bandwidth = 1 << 20
        pool.sync.depth = 9
        pool.sync.verify = .sample
        pool.sync.order = .any
        pool.sync.scrub = 50
        pool.sync.scrubEvery = 7_200_000_000_000
        pool.limits.clients = 5
        pool.limits.protocolLimits.key = 100
        pool.limits.protocolLimits.value = 2 << 20
        pool.limits.pipeline = 6
        pool.limits.memory = 64_000_000
        #expect(settings == Settings(workers: 3, admin: .tcp(host: "127.0.0.1", port: 9411), pools: [pool]))
    }

    @Test func aZoneFromOutsideGoesBeforeTheFiles() throws {
        let text = Frame.zoned("read: nearest")
        #expect(try ConfigFile.parse(text: text, file: "c", zone: "b").settings.pools[0].ownZone == "b")
        #expect(try ConfigFile.parse(text: "zone: a\n" + text, file: "c", zone: "b").settings.pools[0].ownZone == "b")
        #expect(try ConfigFile.parse(text: "zone: a\n" + text, file: "c").settings.pools[0].ownZone == "a")
    }

    @Test func whatIsNotWrittenHasItsDefault() throws {
        let text = "workers: auto\nadmin: off\npools: {p: {listen: /tmp/p, nodes: [a:1]}}"
        let settings = try ConfigFile.parse(text: text, file: "c").settings
        let pool = PoolSettings(
            name: "p", listen: [.unix(path: "/tmp/p")], nodes: [NodeSettings(address: .tcp(host: "a", port: 1))])
        #expect(settings == Settings(pools: [pool]))
        #expect(settings.pools[0].sync.scrub > 0)
    }

    static let nodes: [(String, NodeSettings)] = [
        ("h:1", NodeSettings(address: .tcp(host: "h", port: 1))),
        ("h:1:5", NodeSettings(address: .tcp(host: "h", port: 1), weight: 5)),
        ("h:1:5 n", NodeSettings(address: .tcp(host: "h", port: 1), weight: 5, name: "n")),
        ("h:1 n", NodeSettings(address: .tcp(host: "h", port: 1), name: "n")),
        ("\"[::1]:1:5 n\"", NodeSettings(address: .tcp(host: "::1", port: 1), weight: 5, name: "n")),
        ("unix:/a/b", NodeSettings(address: .unix(path: "/a/b"))),
        ("/a/b:5 n", NodeSettings(address: .unix(path: "/a/b"), weight: 5, name: "n")),
        ("unix:/a/b:5", NodeSettings(address: .unix(path: "/a/b"), weight: 5)),
        (
            "{address: h:1, weight: 5, name: n, zone: z}",
            NodeSettings(address: .tcp(host: "h", port: 1), weight: 5, name: "n", zone: "z")
        ),
    ]

    @Test(arguments: nodes)
    func nodeForms(_ text: String, _ node: NodeSettings) throws {
        #expect(try pool(of: Frame.node(text)).nodes.last == node)
    }

    @Test(arguments: [
        ("50ms", 50_000_000), ("1.5s", 1_500_000_000), ("2000us", 2_000_000), ("2m", 120_000_000_000),
        ("1 s", 1_000_000_000), ("2500µs", 2_500_000),
    ])
    func durations(_ text: String, _ nanoseconds: UInt64) throws {
        #expect(try pool(of: Frame.pool("timeout: \(text)")).timeout == nanoseconds)
    }

    @Test(arguments: [
        ("1000", 1000), ("1k", 1024), ("1kB", 1000), ("1KiB", 1024), ("1.5m", 3 << 19), ("2MB", 2_000_000),
        ("1g", 1 << 30), ("7b", 7),
    ])
    func sizes(_ text: String, _ bytes: Int) throws {
        #expect(try pool(of: Frame.pool("limits: {value: \(text)}")).limits.protocolLimits.value == bytes)
    }

    @Test func anIntervalAboveTheDefaultMaxRaisesIt() throws {
        let pool = try pool(of: Frame.pool("probe: {interval: 30s}"))
        #expect(pool.probeMax == 30_000_000_000)
    }

    @Test func aliasesAndMergeKeysRepeatWhatIsAnchored() throws {
        let text = """
            pools:
              a:
                listen: 127.0.0.1:1
                nodes: &nodes [x:1, y:1]
                <<: &rest {timeout: 7ms, fail_after: 9}
              b: {listen: "127.0.0.1:2", nodes: *nodes, <<: *rest, timeout: 8ms}

            """
        let pools = try ConfigFile.parse(text: text, file: "c").settings.pools
        #expect(pools.map(\.timeout) == [7_000_000, 8_000_000])
        #expect(pools.map(\.failAfter) == [9, 9])
        #expect(pools[0].nodes == pools[1].nodes)
    }

    @Test func namesInRingsAreLibmemcacheds() {
        func name(_ host: String, _ port: UInt16) -> String {
            NodeSettings(address: .tcp(host: host, port: port)).ringName
        }
        #expect(name("h", 11211) == "h")
        #expect(name("h", 11212) == "h:11212")
        #expect(name("::1", 11212) == "::1:11212")
        #expect(NodeSettings(address: .tcp(host: "h", port: 11211), name: "n").ringName == "n")
    }
}
