import DroverTesting
import Testing

/// Keys with one copy on their way to a node that only one of two proxies reaches.
@Suite(.enabled(if: NodeNetwork.isAvailable, "networks of their own take root"))
struct MissedWriteTests {
    private static let pool = [
        "poll: 500ms", "timeout: 100ms", "connect_timeout: 500ms", "probe: {interval: 100ms, max: 300ms}",
        "sync: {rate: 12/s}",
    ]

    private let keys = (0..<400).map { "\($0 * 7919)-missed" }

    private func set(_ key: String, _ value: String, _ cluster: Cluster) throws {
        let client = try cluster.client()
        let answer = try client.roundTrip("set \(key) 0 0 \(value.utf8.count)\r\n\(value)\r\n")
        try #require(answer == "STORED\r\n", "\(cluster.drover.log)")
    }

    private func get(_ key: String, _ cluster: Cluster) throws -> String {
        let answer = try cluster.client().roundTrip("mg \(key) v\r\nmn\r\n", through: "MN\r\n")
        return answer.split(separator: "\r\n").dropFirst().first.map(String.init) ?? answer
    }

    /// The proxy's move has found at least four in five of the keys to be right.
    private func isNearlyDone(_ cluster: Cluster) throws -> Bool {
        let status = try cluster.http("/api/status")
        guard status.contains("verifying n2") else { return false }
        func number(_ name: String) -> Int {
            let text = status.split(separator: "\"\(name)\": ").last ?? ""
            return Int(text.prefix { $0.isNumber }) ?? 0
        }
        return number("known") > 0 && number("done") * 5 >= number("known") * 4
    }

    /// What one has written, and the node has not got, the other has copied before it reads keys there.
    @Test(.timeLimit(.minutes(5)), arguments: [MemcachedServer.Version.debian, .newer])
    func whatOneProxyMissesTheOtherCopies(version: MemcachedServer.Version) throws {
        let network = try NodeNetwork(paths: 2)
        var options = MemcachedServer.Options()
        options.network = network
        let target = try MemcachedServer(version, options: options)
        let sources = try (0..<2).map { _ in try MemcachedServer(version) }
        let lines = sources.enumerated().map { "\($1.address):1 n\($0)" }
        let clusters = try (0..<2).map { _ in try Cluster(nodes: sources, pool: Self.pool, nodeLines: lines) }
        for key in keys { try set(key, "first", clusters[0]) }
        for (path, cluster) in clusters.enumerated() {
            let all = lines + ["\(network.host(path)):11211:1 n2"]
            try cluster.drover.reload(cluster.config(nodes: all, pool: Self.pool))
        }
        try #require(try Deadline(seconds: 60).waits { try isNearlyDone(clusters[1]) })
        let direct = try target.client()
        let key = try #require(try keys.first { try direct.roundTrip("mg \($0)\r\n") == "HD\r\n" })
        try network.cut(0, .both)
        try set(key, "second", clusters[0])
        let hasMoved = clusters[1].drover.logContains("keys are read where they have moved to", within: 60)
        #expect(try hasMoved && get(key, clusters[1]) == "second", "\(clusters[1].drover.log)")
        try network.heal(0)
        let haveMoved = clusters.allSatisfy { $0.drover.logContains("result=moved", within: 60) }
        #expect(haveMoved, "\(clusters[0].drover.log)")
        for cluster in clusters { #expect(try get(key, cluster) == "second") }
    }
}
