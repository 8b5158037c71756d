import DroverTesting
import Testing

/// Everything at once. DROVER_CHAOS_SECONDS makes it longer, DROVER_SEED repeats its choices (its timing is the
/// machine's).
@Suite(.serialized)
struct ChaosTests {
    @Test(.timeLimit(.minutes(90)), arguments: [MemcachedServer.Version.newer, .debian])
    func nothingIsLostStaleOrResurrected(version: MemcachedServer.Version) throws {
        try run(version, hasNetworks: false)
    }

    /// Each node in a network of its own, from which each proxy is cut off now and then.
    @Test(
        .enabled(if: NodeNetwork.isAvailable, "networks take root"), .timeLimit(.minutes(90)),
        arguments: [MemcachedServer.Version.newer, .debian])
    func norWhenProxiesAreCutOff(version: MemcachedServer.Version) throws {
        try run(version, hasNetworks: true)
    }

    private func run(_ version: MemcachedServer.Version, hasNetworks: Bool) throws {
        let random = SeededGenerator.fromEnvironment()
        let seconds = environment("DROVER_CHAOS_SECONDS").flatMap { Double($0) } ?? 40
        try ChaosRun(version, hasNetworks: hasNetworks, seed: random.seed).run(seconds: seconds)
    }
}
