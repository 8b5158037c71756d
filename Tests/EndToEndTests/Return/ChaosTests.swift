import DroverTesting
import Testing

/// Everything at once. DROVER_CHAOS_SECONDS makes it longer, DROVER_SEED repeats its choices (its timing is the
/// machine's).
@Suite(.serialized)
struct ChaosTests {
    @Test(.timeLimit(.minutes(90)), arguments: [MemcachedServer.Version.newer, .debian])
    func nothingIsLostStaleOrResurrected(version: MemcachedServer.Version) throws {
        let random = SeededGenerator.fromEnvironment()
        let seconds = environment("DROVER_CHAOS_SECONDS").flatMap { Double($0) } ?? 40
        try ChaosRun(version, seed: random.seed).run(seconds: seconds)
    }
}
