import DroverTesting
import Testing

/// P9: what one memcached answers, Drover answers over three, byte for byte.
@Suite(.serialized)
struct DifferentialTests {
    private let seed = SeededGenerator.fromEnvironment().seed

    /// DROVER_STREAMS asks for a longer run than the tests' own.
    private func count(_ usual: Int) -> Int {
        environment("DROVER_STREAMS").flatMap(Int.init) ?? usual
    }

    private static let options: MemcachedServer.Options = {
        var options = MemcachedServer.Options()
        options.memory = 1024
        // The LRU thread's bumps would make some replies a matter of time.
        options.more = ["-o", "no_lru_maintainer"]
        return options
    }()

    private func server(_ version: MemcachedServer.Version) throws -> MemcachedServer {
        try MemcachedServer(version, options: Self.options)
    }

    private static func newer(_ seed: UInt64) -> Stream {
        var generator = StreamGenerator(seed: seed)
        return generator.stream()
    }

    private static func wellFormed(_ seed: UInt64) -> Stream {
        var generator = StreamGenerator(seed: seed)
        (generator.malformed, generator.newer) = (false, false)
        return generator.stream()
    }

    /// Either what makes items stale or what has copies compared, and all else.
    private static func wellFormedOfCopies(_ seed: UInt64) -> Stream {
        var generator = StreamGenerator(seed: seed)
        (generator.malformed, generator.newer) = (false, false)
        generator.ambiguous = generator.random.once(in: 2)
        generator.invalidates = !generator.ambiguous
        return generator.stream()
    }

    /// For many streams at once: each has keys of its own. So no spoilt commands, whose key may be any word of a command,
    /// the same for all.
    private static func withKeysOfItsOwn(_ seed: UInt64) -> Stream {
        var generator = StreamGenerator(seed: seed)
        generator.flushes = false
        generator.malformed = false
        return generator.stream()
    }

    /// Else a difference would say nothing about Drover.
    @Test func twoMemcachedsAnswerTheStreamsAlike() throws {
        let servers = [try server(.newer), try server(.newer)]
        let differential = Differential(
            reference: servers[0].address, tested: servers[1].address, makeStream: Self.newer,
            isBetweenMemcacheds: true)
        let difference = try differential.differences(seed: seed, streams: count(300))
        #expect(difference == nil, "\(difference ?? "")")
    }

    /// Else the test could not fail.
    @Test func twoVersionsOfMemcachedAreToldApart() throws {
        let servers = [try server(.newer), try server(.debian)]
        let differential = Differential(
            reference: servers[0].address, tested: servers[1].address, makeStream: Self.newer)
        #expect(try differential.differences(seed: seed, streams: 200) != nil)
    }

    @Test func droverAnswersAsTheNewerMemcached() throws {
        let reference = try server(.newer)
        let cluster = try Cluster(nodes: (0..<3).map { _ in try server(.newer) }, pool: ["timeout: 5s"])
        let differential = Differential(
            reference: reference.address, tested: cluster.address, makeStream: Self.newer)
        let difference = try differential.differences(seed: seed, streams: count(2000))
        #expect(difference == nil, "\(difference ?? "")")
    }

    @Test func droverAnswersAsDebiansMemcachedWhatIsWellFormed() throws {
        let reference = try server(.debian)
        let cluster = try Cluster(nodes: (0..<3).map { _ in try server(.debian) }, pool: ["timeout: 5s"])
        let differential = Differential(
            reference: reference.address, tested: cluster.address, makeStream: Self.wellFormed)
        let difference = try differential.differences(seed: seed, streams: count(1000))
        #expect(difference == nil, "\(difference ?? "")")
    }

    // MARK: Keys with copies

    private static let settings = [
        CopiesSetting(), CopiesSetting(shape: .threeOfThree, acks: "quorum"),
        CopiesSetting(shape: .standby, acks: "one"), CopiesSetting(shape: .hybrid),
    ]

    private func copies(_ setting: CopiesSetting, _ version: MemcachedServer.Version) throws -> CopiesCluster {
        var setting = setting
        setting.version = version
        // A check holds the right to replace a stale item for a moment.
        return try CopiesCluster(setting, pool: ["timeout: 10s", "checks: off"], options: Self.options)
    }

    @Test(arguments: settings)
    func copiesAnswerAsTheNewerMemcached(setting: CopiesSetting) throws {
        let reference = try server(.newer)
        let copies = try copies(setting, .newer)
        let differential = Differential(
            reference: reference.address, tested: copies.cluster.address, makeStream: Self.newer)
        let difference = try differential.differences(seed: seed, streams: count(250))
        #expect(difference == nil, "\(difference ?? "")")
    }

    @Test(arguments: settings)
    func copiesAnswerAsDebiansMemcachedWhatIsWellFormed(setting: CopiesSetting) throws {
        let reference = try server(.debian)
        let copies = try copies(setting, .debian)
        let differential = Differential(
            reference: reference.address, tested: copies.cluster.address, makeStream: Self.wellFormedOfCopies)
        let difference = try differential.differences(seed: seed, streams: count(120))
        #expect(difference == nil, "\(difference ?? "")")
    }

    @Test func manyClientsOfCopiesGetTheirOwnReplies() throws {
        let reference = try server(.newer)
        let copies = try copies(CopiesSetting(), .newer)
        try playAtOnce(
            Differential(
                reference: reference.address, tested: copies.cluster.address, makeStream: Self.withKeysOfItsOwn,
                isShared: true), streams: count(40))
    }

    // MARK: Many clients

    /// Replies of many clients share the node connections: none may get another's.
    @Test func manyClientsAtOnceGetTheirOwnReplies() throws {
        let reference = try server(.newer)
        let cluster = try Cluster(nodes: (0..<3).map { _ in try server(.newer) }, pool: ["timeout: 5s"])
        try playAtOnce(
            Differential(
                reference: reference.address, tested: cluster.address, makeStream: Self.withKeysOfItsOwn, isShared: true
            ),
            streams: count(200))
    }

    private func playAtOnce(_ differential: Differential, streams: Int) throws {
        let seed = seed
        let threads = (0..<UInt64(8)).map { number in
            TestThread { try differential.differences(seed: seed &+ number << 32, streams: streams) }
        }
        for thread in threads {
            let difference = try thread.join()
            #expect(difference == nil, "\(difference ?? "")")
        }
    }
}
