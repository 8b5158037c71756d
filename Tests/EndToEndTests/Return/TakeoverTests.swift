import DroverTesting
import Glibc
import Testing

/// What a filling depends on goes away: the proxy that does it, the node that it copies from, or the markers.
@Suite(.serialized)
struct TakeoverTests {
    private static let keys = (0..<1500).map { "\($0 * 7919)-takeover" }
    /// Some seconds for what a node holds.
    private static let slow = "{rate: 200/s}"

    private func fill(_ farm: ChaosFarm) throws {
        try #require(farm.awaitWhole(seconds: 40))
        let client = try farm.client(of: 0)
        for key in Self.keys {
            try #require(try client.roundTrip("set \(key) 0 0 5\r\nvalue\r\n") == "STORED\r\n")
        }
    }

    /// The proxy that copies.
    private func filler(_ farm: ChaosFarm, within seconds: Double) -> Int? {
        let deadline = Deadline(seconds: seconds)
        while !deadline.hasPassed {
            if let proxy = (0..<2).first(where: { farm.log(of: $0).contains("copying, pass 1") }) { return proxy }
            _ = Deadline(seconds: 0.05).waits { false }
        }
        return nil
    }

    private func hasAll(_ node: MemcachedServer, _ keys: [String]) throws -> Bool {
        let direct = try node.client()
        return try keys.allSatisfy { try direct.stored($0)?.value == Array("value".utf8) }
    }

    @Test func theOtherProxyGoesOnWithinTheLease() throws {
        let farm = try ChaosFarm(.newer, hasNetworks: false, sync: Self.slow)
        try fill(farm)
        let copies = try farm.copies(of: Self.keys)
        farm.nodes[0].kill()
        try farm.nodes[0].restart()
        let first = try #require(filler(farm, within: 20), "nobody copies")
        farm.kill(proxy: first)
        let other = 1 - first
        // The lease's ten seconds, the quiet time of the next filling, and what a busy machine takes.
        let goesOn = Deadline(seconds: 20).waits { farm.log(of: other).contains("copying, pass 1") }
        #expect(goesOn, "\(farm.log(of: other).suffix(2000))")
        #expect(try Deadline(seconds: 40).waits { try farm.readable(proxy: other).count == 3 })
        #expect(try hasAll(farm.nodes[0], Self.keys.filter { copies[$0]!.contains(0) }))
    }

    @Test func theNextSourceHasWhatTheFirstHad() throws {
        let farm = try ChaosFarm(.newer, hasNetworks: false, replicas: 3, sync: Self.slow)
        try fill(farm)
        farm.nodes[0].kill()
        try farm.nodes[0].restart()
        try #require(filler(farm, within: 20) != nil, "nobody copies")
        farm.nodes[1].kill()
        let isFilled = try Deadline(seconds: 60).waits { try farm.readable(proxy: 0) == [0, 2] }
        #expect(isFilled, "\(farm.log(of: 0).suffix(2000))")
        #expect(try hasAll(farm.nodes[0], Self.keys))
    }

    /// They are as old as the nodes, but read in each poll: memcached drops what is not.
    @Test(arguments: [MemcachedServer.Version.debian, .newer])
    func markersStayWhereOtherItemsAreEvicted(version: MemcachedServer.Version) throws {
        let farm = try ChaosFarm(version, hasNetworks: false, memory: 8)
        try #require(farm.awaitWhole(seconds: 40))
        guard case .unix(let path) = farm.addresses[0] else { return }
        // Sizes about those of the markers, so that they share their slabs.
        for size in [30, 50, 70, 90, 110] {
            let bench = [DroverProcess.binary, "bench", path, "-c", "8", "-p", "16", "--quiet", "--prefix", "\(size):"]
            let load = ["--mix", "0:1", "--no-prefill", "--size", "\(size)", "--keys", "60000", "--requests", "60000"]
            let result = try ChildProcess.run(bench + load)
            #expect(result.code == 0, "\(result.output)\(result.error)")
        }
        for node in farm.nodes {
            let client = try node.client()
            let stats = try client.roundTrip("stats\r\n", through: "END\r\n").split(separator: "\r\n")
            let evictions = stats.first { $0.hasPrefix("STAT evictions ") }.flatMap { Int($0.dropFirst(15)) } ?? 0
            #expect(evictions > 10_000)
            #expect(try client.roundTrip("mg __drover:ready\r\n") == "HD\r\n")
        }
        for proxy in 0..<2 { #expect(!farm.log(of: proxy).contains("not to be read"), "\(farm.log(of: proxy))") }
    }
}
