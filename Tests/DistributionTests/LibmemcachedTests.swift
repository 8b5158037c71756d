import CLibmemcached
import Distribution
import DroverTesting
import Testing

/// The real libmemcached in this process says where it would send each key.
@Suite struct LibmemcachedTests {
    static let keyCount = 100_000

    static let hashes: [(KeyHash, memcached_hash_t, hashkit_hash_algorithm_t)] = [
        (.oneAtATime, MEMCACHED_HASH_DEFAULT, HASHKIT_HASH_DEFAULT), (.md5, MEMCACHED_HASH_MD5, HASHKIT_HASH_MD5),
        (.crc32, MEMCACHED_HASH_CRC, HASHKIT_HASH_CRC), (.fnv1of64, MEMCACHED_HASH_FNV1_64, HASHKIT_HASH_FNV1_64),
        (.fnv1a64, MEMCACHED_HASH_FNV1A_64, HASHKIT_HASH_FNV1A_64),
        (.fnv1of32, MEMCACHED_HASH_FNV1_32, HASHKIT_HASH_FNV1_32),
        (.fnv1a32, MEMCACHED_HASH_FNV1A_32, HASHKIT_HASH_FNV1A_32),
        (.hsieh, MEMCACHED_HASH_HSIEH, HASHKIT_HASH_HSIEH), (.murmur, MEMCACHED_HASH_MURMUR, HASHKIT_HASH_MURMUR),
        (.jenkins, MEMCACHED_HASH_JENKINS, HASHKIT_HASH_JENKINS),
    ]

    struct Server {
        var host: String
        var port: UInt16 = 11211
        var weight = 1
    }

    static let lists: [[Server]] = [
        [Server(host: "10.0.0.1"), Server(host: "10.0.0.2"), Server(host: "10.0.0.3")],
        [
            Server(host: "cache-a", port: 11311), Server(host: "cache-b", port: 11312), Server(host: "::1"),
            Server(host: "::1", port: 11212),
        ],
        [
            Server(host: "10.0.1.1", port: 11211, weight: 600), Server(host: "10.0.1.2", port: 11211, weight: 300),
            Server(host: "10.0.1.3", port: 11211, weight: 200), Server(host: "10.0.1.4", port: 11212, weight: 350),
            Server(host: "10.0.1.5", port: 11211, weight: 1000), Server(host: "10.0.1.6", port: 4000, weight: 800),
            Server(host: "10.0.1.7", port: 11211, weight: 950), Server(host: "10.0.1.8", port: 11211, weight: 100),
        ],
        [Server(host: "heavy", weight: 1000), Server(host: "light", weight: 30), Server(host: "weightless")],
        [Server(host: "alone", port: 1)],
        (0..<100).map { Server(host: "192.168.7.\($0)", port: UInt16(11211 + $0 % 3), weight: 1 + $0 % 7) },
    ]

    static let seed = SeededGenerator.fromEnvironment().seed

    /// Keys of all printable bytes and many lengths, half of them with bytes above 0x7f.
    static let keys: [[UInt8]] = {
        var random = SeededGenerator(seed: seed)
        return (0..<keyCount).map { number in
            var key = Array("\(number):".utf8)
            var noise = random.next()
            let least: UInt64 = number % 2 == 0 ? 0x21 : 0xa1
            for _ in 0..<(noise >> 59) {
                noise = noise &* 6_364_136_223_846_793_005 &+ 1
                key.append(UInt8(least + (noise >> 40) % 94))
            }
            return key
        }
    }()

    @Test func hashesAreLibhashkits() {
        for (hash, _, algorithm) in Self.hashes {
            // Debian builds the library without some of them; then it answers 1 to all.
            guard libhashkit_has_algorithm(algorithm) else { continue }
            let different = Self.keys.first { key in
                let theirs = unsafe key.withUnsafeBytes {
                    unsafe libhashkit_digest($0.baseAddress!.assumingMemoryBound(to: CChar.self), key.count, algorithm)
                }
                return hash.value(key) != UInt64(theirs)
            }
            #expect(different == nil, "\(hash) with seed \(Self.seed)")
        }
    }

    @Test(arguments: lists.indices, [KeyHash.md5, .fnv1a64])
    func ketamaIsWeightedKetama(_ list: Int, _ hash: KeyHash) throws {
        try unsafe compare(.ketama, hash, Self.lists[list]) { client in
            unsafe memcached_behavior_set(client, MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED, 1)
        }
    }

    @Test(arguments: lists.indices)
    func modulaIsModula(_ list: Int) throws {
        // libmemcached's modula knows no weights.
        let servers = Self.lists[list].map { Server(host: $0.host, port: $0.port) }
        try unsafe compare(.modula, .oneAtATime, servers) { client in
            unsafe memcached_behavior_set_distribution(client, MEMCACHED_DISTRIBUTION_MODULA)
        }
    }

    private func compare(
        _ kind: DistributionKind, _ hash: KeyHash, _ servers: [Server],
        _ setUp: (UnsafeMutablePointer<memcached_st>?) -> memcached_return_t
    ) throws {
        let client = unsafe memcached_create(nil)
        defer { unsafe memcached_free(client) }
        #expect(unsafe setUp(client) == MEMCACHED_SUCCESS)
        let theirHash = try #require(Self.hashes.first { $0.0 == hash }?.1)
        #expect(
            unsafe memcached_behavior_set(client, MEMCACHED_BEHAVIOR_HASH, UInt64(theirHash.rawValue))
                == MEMCACHED_SUCCESS)
        for server in servers {
            let added = unsafe memcached_server_add_with_weight(client, server.host, server.port, UInt32(server.weight))
            #expect(added == MEMCACHED_SUCCESS)
        }
        let distributor = Distributor(
            kind: kind,
            members: servers.map { Member(key: Member.key(host: $0.host, port: $0.port), weight: $0.weight) })

        var counts = [Int](repeating: 0, count: servers.count)
        for key in Self.keys {
            let theirs = unsafe key.withUnsafeBytes {
                unsafe memcached_generate_hash(client, $0.baseAddress!.assumingMemoryBound(to: CChar.self), key.count)
            }
            let ours = distributor.pick(hash.value(key), random: 0)
            counts[ours] += 1
            if ours != Int(theirs) {
                Issue.record("\(quoted(key)): \(ours), not \(theirs); seed \(Self.seed)")
                return
            }
        }
        // The comparison says something only if keys are spread.
        #expect(servers.count == 1 || counts.max()! < Self.keyCount)
    }
}
