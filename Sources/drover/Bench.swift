internal import ArgumentParser

/// `drover bench`: its options and what it does are `Loadgen`'s.
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Generate load and measure latency.")

    func run() throws {
        Terminal.note("drover: bench is not in this build")
        throw DroverExit.unavailable.code
    }
}
