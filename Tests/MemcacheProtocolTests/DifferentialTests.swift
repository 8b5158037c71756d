import DroverTesting
import MemcacheProtocol
import Testing

/// The parser against real servers: 1.6.38, whose judgement it copies, and 1.6.18, which must answer in one reply
/// whatever passes.
@Suite("Request lines before real servers", .serialized)
struct DifferentialTests {
    static let versions = [MemcachedServer.Version.debian, .newer]

    @Test("Every line of the tables", arguments: versions)
    func tables(version: MemcachedServer.Version) throws {
        let judge = try Judge(version)
        for row in RequestTables.all {
            let said = try judge.disagreement(on: Array(row.line.utf8))
            #expect(said == nil, "\(row.line.debugDescription)")
        }
    }

    @Test("Lines that a seeded mutator makes of them", arguments: versions)
    func mutations(version: MemcachedServer.Version) throws {
        let judge = try Judge(version)
        var generator = SeededGenerator.fromEnvironment()
        let rounds = environment("DROVER_ROUNDS").flatMap { Int($0) } ?? 2000
        for round in 0..<rounds {
            let line = LineMutator.mutate(generator.pick(RequestTables.all).line, &generator)
            let said = try judge.disagreement(on: line)
            #expect(said == nil, "\(quoted(line)), DROVER_SEED=\(generator.seed), round \(round)")
            if said != nil { return }
        }
    }

    @Test(
        "A base64 key with a newline, which a node echoes raw or encoded, does not shift the stream",
        arguments: versions)
    func newlineEcho(version: MemcachedServer.Version) throws {
        let judge = try Judge(version)
        let key = RequestTables.newlineKey
        let story = [
            "ms \(key) 1 b k", "mg \(key) b k v", "me \(key) b", "ma \(key) b k v", "mg \(key) b k s v t",
            "append x 0 0 1", "ms \(key) 3 b MA", "mg \(key) b k v", "md \(key) b k", "mg \(key) b k", "me \(key) b",
            "mg \(key) b k N0 v", "mg \(key) s b t k v", "me \(key) b", "md \(key) b k I T30", "mg \(key) b Oo k v q",
        ]
        for line in story {
            let said = try judge.disagreement(on: Array((line + "\r\n").utf8))
            #expect(said == nil, "\(line)")
        }
    }
}
