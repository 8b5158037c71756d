import DroverTesting
import Telemetry
import Testing

@testable import ProxyCore

/// When writers have stopped and the queues are empty, all copies agree.
struct RepairSimulationTests {
    /// Copies lose keys, and get them back from the others: never what was deleted or replaced.
    @Test(arguments: [2, 3])
    func fillsBringNothingOldBack(copies: Int) {
        var seeds = SeededGenerator.fromEnvironment()
        let rounds = max(3, (environment("DROVER_ROUNDS").flatMap(Int.init) ?? 2000) / 50)
        var (filled, undone) = (0, 0)
        for round in 0..<rounds {
            let name = "DROVER_SEED=\(seeds.seed), round \(round)"
            let simulation = RepairSimulation(
                copies: copies, faults: .init(evicted: 80, writesAtOnce: 1 + round % 2), slots: 64,
                generator: SeededGenerator(seed: seeds.next()))
            #expect(simulation.run(steps: 1500), "\(name): comes to no rest")
            let old = simulation.resurrections()
            #expect(old.isEmpty, "\(name): \(old)")
            filled += simulation.filled
            undone += simulation.takenBack
        }
        #expect(filled > rounds && undone > 0, "\(filled) filled, \(undone) undone")
    }

    /// And whatever is lost on the way, they agree on what they have.
    @Test func fillsUnderFaults() {
        var seeds = SeededGenerator.fromEnvironment()
        let rounds = max(3, (environment("DROVER_ROUNDS").flatMap(Int.init) ?? 2000) / 133)
        for round in 0..<rounds {
            let simulation = RepairSimulation(
                copies: 3, faults: .init(lost: 60, goingDown: 4, evicted: 40, writesAtOnce: 2), slots: 64,
                generator: SeededGenerator(seed: seeds.next()))
            #expect(simulation.run(steps: 1500), "DROVER_SEED=\(seeds.seed), round \(round): comes to no rest")
        }
    }

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
