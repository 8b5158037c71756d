import Glibc
import MemcacheProtocol
import Testing

/// The parser against real servers: 1.6.38, whose judgement it copies, and 1.6.18, which must answer in one reply
/// whatever passes.
@Suite("Request lines before real servers", .serialized)
struct DifferentialTests {
    static let versions = RealMemcached.Version.allCases.filter { RealMemcached.program($0) != nil }

    @Test("Every line of the tables", arguments: versions)
    func tables(version: RealMemcached.Version) throws {
        let judge = Judge(server: try RealMemcached(version))
        for row in RequestTables.all {
            let said = try judge.disagreement(on: Array(row.line.utf8))
            #expect(said == nil, "\(row.line.debugDescription)")
        }
    }

    @Test("Lines that a seeded mutator makes of them", arguments: versions)
    func mutations(version: RealMemcached.Version) throws {
        let judge = Judge(server: try RealMemcached(version))
        let seed = SplitMix.seed()
        var generator = SplitMix(seed: seed)
        let rounds = unsafe getenv("DROVER_ROUNDS").flatMap { unsafe Int(String(cString: $0)) } ?? 2000
        for round in 0..<rounds {
            let line = LineMutator.mutate(generator.pick(RequestTables.all).line, &generator)
            let said = try judge.disagreement(on: line)
            #expect(said == nil, "\(quoted(line)), seed \(seed), round \(round)")
            if said != nil { return }
        }
    }
}
