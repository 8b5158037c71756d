import Benchmark
import Subjects

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.instructions, .wallClock, .throughput], scalingFactor: .kilo, maxDuration: .seconds(1))
    for subject in subjects {
        Benchmark(subject.name) { blackHole(subject.run($0.scaledIterations.count)) }
    }
}
