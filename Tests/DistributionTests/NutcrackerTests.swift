import Distribution
import DroverTesting

import Testing

/// A real twemproxy stores keys on real servers, which then say what they hold.
@Suite struct NutcrackerTests {
    static let keyCount = 100_000

    static let pools: [Nutcracker.Pool] = {
        let even = (0..<5).map { _ in (weight: 1, name: String?.none) }
        let weighted = [7, 1, 3, 2, 10].map { (weight: $0, name: String?.none) }
        let named = ["alpha", "beta", "gamma", "delta", "server5"].enumerated().map {
            (weight: 1 + $0.offset % 2, name: Optional($0.element))
        }
        var pools: [Nutcracker.Pool] = []
        for (index, hash) in KeyHash.allCases.filter({ $0 != .xxh3 }).enumerated() {
            // Every hash with both kinds, and the lists of servers in turn.
            let lists = [even, weighted, named]
            pools.append(.init(distribution: "ketama", hash: hash.rawValue, servers: lists[index % 3]))
            pools.append(.init(distribution: "modula", hash: hash.rawValue, servers: lists[(index + 1) % 3]))
        }
        pools.append(.init(distribution: "ketama", hash: "fnv1a_64", hashTag: "{}", servers: weighted))
        pools.append(.init(distribution: "modula", hash: "murmur", hashTag: "$$", servers: named))
        return pools
    }()

    /// All 100,000 keys for the usual hashes; for the others enough to show every mistake.
    private static func count(_ pool: Nutcracker.Pool) -> Int {
        ["fnv1a_64", "md5", "murmur"].contains(pool.hash) ? keyCount : keyCount / 20
    }

    /// Keys that begin with the pool's number; half of them have bytes above 0x7f, some tags, whole or not.
    private static func keys(_ pool: Int, seed: UInt64) -> [[UInt8]] {
        var random = SeededGenerator(seed: seed &+ UInt64(pool))
        let endings = ["", "{tag}", "{}x", "{open", "$a$", "$$", "{a}{b}"].map { Array($0.utf8) }
        return (0..<count(pools[pool])).map { number in
            var key = Array("\(pool):".utf8) + endings[number % endings.count] + Array("\(number):".utf8)
            var noise = random.next()
            let least: UInt64 = number % 2 == 0 ? 0x21 : 0xa1
            for _ in 0..<(noise >> 60) {
                noise = noise &* 6_364_136_223_846_793_005 &+ 1
                key.append(UInt8(least + (noise >> 40) % 94))
            }
            return key
        }
    }

    @Test func everyKeyIsWhereTheRingSays() throws {
        let servers = try (0..<5).map { _ in
            var options = MemcachedServer.Options()
            options.memory = 1024
            return try MemcachedServer(.debian, options: options)
        }
        let proxy = try Nutcracker(Self.pools, over: servers)
        let seed = SeededGenerator.fromEnvironment().seed
        var expected: [[UInt8]: Int] = [:]
        for (number, pool) in Self.pools.enumerated() {
            let keys = Self.keys(number, seed: seed)
            try proxy.store(keys, pool: number)
            let place = try Placement(pool, servers)
            for key in keys { expected[key] = place(key) }
        }
        var wrong: [Int: Int] = [:]
        var seen = 0
        for (server, keys) in try servers.map({ try $0.keys() }).enumerated() {
            for key in keys {
                seen += 1
                if expected[key] != server {
                    let pool = Int(String(decoding: key.prefix { $0 != 0x3a }, as: UTF8.self)) ?? -1
                    if wrong[pool, default: 0] == 0 {
                        let pool = Self.pools[pool]
                        Issue.record(
                            "\(quoted(key)) is on \(server), not \(expected[key] ?? -1): \(pool), seed \(seed)")
                    }
                    wrong[pool, default: 0] += 1
                }
            }
        }
        #expect(wrong.isEmpty, "pools and misplaced keys: \(wrong)")
        #expect(seen == Self.pools.reduce(0) { $0 + Self.count($1) }, "the servers hold other than what was stored")
    }

    /// Where this library puts a key, for a pool of twemproxy's.
    private struct Placement {
        let hash: KeyHash
        let tag: HashTag?
        let distributor: Distributor
        /// Which server each member is.
        let servers: [Int]

        init(_ pool: Nutcracker.Pool, _ servers: [MemcachedServer]) throws {
            hash = try #require(KeyHash(rawValue: pool.hash))
            let bytes = pool.hashTag.map { Array($0.utf8) }
            tag = bytes.map { HashTag(open: $0[0], close: $0[1]) }
            let members = try zip(servers, pool.servers).map { server, entry in
                let port = try #require(server.address.port)
                return Member(key: entry.name ?? Member.key(host: "127.0.0.1", port: port), weight: entry.weight)
            }
            // twemproxy sorts its servers, shorter names first, before modula counts them.
            self.servers = members.indices.sorted {
                let (one, other) = (Array(members[$0].key.utf8), Array(members[$1].key.utf8))
                return one.count != other.count ? one.count < other.count : one.lexicographicallyPrecedes(other)
            }
            distributor = Distributor(
                kind: try #require(DistributionKind(rawValue: pool.distribution)),
                members: self.servers.map { members[$0] })
        }

        func callAsFunction(_ key: [UInt8]) -> Int {
            let part = unsafe tag?.range(in: key.span.bytes, from: 0, count: key.count) ?? 0..<key.count
            let hash = unsafe hash.hash(key.span.bytes, from: part.lowerBound, count: part.count)
            return servers[distributor.pick(hash, random: 0)]
        }
    }
}
