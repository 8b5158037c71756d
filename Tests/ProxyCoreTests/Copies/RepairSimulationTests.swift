import DroverTesting
import Telemetry
import Testing

@testable import ProxyCore

/// When writers have stopped and the queues are empty, all copies agree.
struct RepairSimulationTests {
    @Test(arguments: [2, 3], [(0, 0), (100, 0), (60, 4)])
    func copiesAgreeAtRest(copies: Int, faults: (lost: Int, goingDown: Int)) {
        var seeds = SeededGenerator.fromEnvironment()
        let rounds = max(3, (environment("DROVER_ROUNDS").flatMap(Int.init) ?? 2000) / 133)
        var (overlaps, rewritten, checked) = (0, 0, 0)
        for round in 0..<rounds {
            let name = "DROVER_SEED=\(seeds.seed), round \(round)"
            let simulation = RepairSimulation(
                copies: copies, faults: .init(lost: faults.lost, goingDown: faults.goingDown),
                generator: SeededGenerator(seed: seeds.next()))
            #expect(simulation.run(steps: 1500), "\(name): comes to no rest")
            let abandoned = simulation.stats.reduce(0) { $0 + $1.abandoned }
            // What was given up for good is counted, and may disagree.
            if abandoned == 0 {
                #expect(simulation.disagreements().isEmpty, "\(name)")
                checked += 1
            }
            if faults.lost == 0 { #expect(abandoned == 0, "\(name)") }
            for stats in simulation.stats {
                let queued = RepairReason.allCases.reduce(0) { $0 + stats.queued[$1] }
                let done = RepairReason.allCases.reduce(0) { $0 + stats.done[$1] }
                #expect(queued == done + stats.abandoned && stats.waiting == 0, "\(name)")
            }
            #expect(simulation.undone == 0, "\(name): a repair put an old item over one that was acknowledged")
            overlaps += simulation.overlaps
            rewritten += simulation.rewritten
        }
        #expect(
            checked > rounds / 2 && overlaps > rounds && rewritten > rounds,
            "the simulation has to bring forth what it is for")
    }
}
