import DroverTesting
import Testing

@testable import ProxyCore

struct SimulationTests {
    /// Three thousand schedules, the same in every run; DROVER_SEED begins at another, and DROVER_ROUNDS changes their
    /// number. A failing seed is printed with what went before, and `DROVER_SEED=… DROVER_ROUNDS=1` plays it again.
    @Test(arguments: 0..<6) func noScheduleBreaksAPromise(part: UInt64) {
        let rounds = environment("DROVER_ROUNDS").flatMap(UInt64.init) ?? 3000
        let first = environment("DROVER_SEED").flatMap(UInt64.init) ?? 1
        var (played, fillings, reads, acknowledged) = (0, 0, 0, 0)
        for seed in stride(from: first &+ part, to: first &+ rounds, by: 6) {
            let simulation = Simulation(seed: seed)
            if let complaint = simulation.play() {
                Issue.record("\(complaint)\n\(Self.story(of: seed))")
                return
            }
            played += 1
            fillings += simulation.fillings
            reads += simulation.reads
            acknowledged += simulation.acknowledged
        }
        print("\(played) schedules: \(fillings) fillings, \(reads) reads, \(acknowledged) writes")
        // Else nothing was tried.
        #expect(fillings >= played && reads >= 100 * played && acknowledged >= 100 * played)
    }

    @Test func whatANodeMissedDoesNotStayThere() {
        var fillings = 0
        for seed in 1...UInt64(300) {
            let simulation = Simulation(seed: seed)
            if let complaint = simulation.playMissedWrites() {
                Issue.record("\(complaint)")
                return
            }
            fillings += simulation.fillings
        }
        #expect(fillings >= 900, "\(fillings) fillings")
    }

    /// At once and later, one after the other, while clients write.
    @Test func noFlushOfAllTakesANodeAway() {
        for seed in 1...UInt64(20) {
            let simulation = Simulation(seed: seed)
            simulation.startClients()
            simulation.run(until: simulation.now + 3_000 * Simulation.millisecond)
            for turn in 1...600 {
                simulation.run(until: simulation.now + 50 * Simulation.millisecond)
                if simulation.generator.once(in: 8) {
                    simulation.whenWritesAreOver {
                        let proxy = simulation.generator.random(below: simulation.proxies.count)
                        if turn % 3 == 0 { simulation.flushLater() } else { simulation.flush(through: proxy) }
                    }
                }
                for proxy in simulation.proxies {
                    let access = proxy.access(Array(simulation.nodes.indices))
                    guard access.allSatisfy({ $0 == .full }) else {
                        Issue.record("seed \(seed), turn \(turn): \(access) for proxy \(proxy.index)")
                        return
                    }
                }
            }
            #expect(simulation.complaint == nil)
            #expect(simulation.flushes > 5 && simulation.fillings == 0, "\(simulation.flushes) flushes")
        }
    }

    @Test func aSeedPlaysTheSameAgain() {
        let seed = SeededGenerator.fromEnvironment().seed
        let (one, two) = (Simulation(seed: seed), Simulation(seed: seed))
        for simulation in [one, two] {
            simulation.isLogging = true
            _ = simulation.play()
        }
        #expect(one.log == two.log && one.complaint == two.complaint && one.log.count > 100)
    }

    /// What happened in a run, its last lines, and what each proxy knows in the end.
    private static func story(of seed: UInt64) -> String {
        let simulation = Simulation(seed: seed)
        simulation.isLogging = true
        _ = simulation.play()
        var lines = Array(simulation.log.suffix(60))
        for proxy in simulation.proxies where proxy.isAlive {
            for (node, known) in proxy.markers.nodes.enumerated() {
                let access = proxy.markers.access(node, now: simulation.now)
                lines.append("proxy \(proxy.index), node \(node): \(access) \(known)")
            }
        }
        return lines.joined(separator: "\n")
    }
}
