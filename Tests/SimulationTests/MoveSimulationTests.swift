import DroverTesting
import Testing

@testable import ProxyCore

/// Keys that move while nodes, proxies and the network fail, and proxies are told of it at different times.
struct MoveSimulationTests {
    /// As `SimulationTests.noScheduleBreaksAPromise`.
    @Test(arguments: 0..<2) func noScheduleBreaksAPromise(part: UInt64) {
        let rounds = environment("DROVER_ROUNDS").flatMap(UInt64.init) ?? 600
        let first = environment("DROVER_SEED").flatMap(UInt64.init) ?? 1
        var (played, moves, reads, void) = (0, 0, 0, 0)
        for seed in stride(from: first &+ part, to: first &+ rounds, by: 2) {
            let simulation = Simulation(seed: seed, moving: true)
            if let complaint = simulation.playMoves() {
                let again = Simulation(seed: seed, moving: true)
                again.isLogging = true
                _ = again.playMoves()
                // All that is of its key, or of none.
                let key = complaint.split(separator: "key ").last?.prefix { $0.isNumber } ?? ""
                let story = again.log.filter { !$0.contains("key ") || $0.contains("key \(key) ") }
                Issue.record("\(complaint)\n\(story.joined(separator: "\n"))")
                return
            }
            played += 1
            moves += simulation.moves
            reads += simulation.reads
            if simulation.isVoid { void += 1 }
        }
        print("\(played) schedules, \(void) of them ended early: \(moves) moves, \(reads) reads")
        // Else nothing was tried.
        #expect(moves >= played && reads >= 100 * played && void * 10 <= played + 10)
    }
}
