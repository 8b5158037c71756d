import Benchmark
import Bytes
import Distribution

private let members = (0..<10).map { Member(key: "10.0.0.\($0):11211", weight: 1) }

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.instructions, .cpuUser, .throughput], scalingFactor: .kilo, maxDuration: .seconds(1))

    for hash in [KeyHash.fnv1a64, .oneAtATime, .md5, .crc32, .murmur, .jenkins, .xxh3] {
        Benchmark("hash: \(hash.rawValue), 12 bytes") { benchmark in
            let key = Array("key:00001234".utf8)
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations {
                blackHole(hash.hash(key.span.bytes, from: 0, count: key.count))
            }
        }
    }
    for kind in DistributionKind.allCases where kind != .leastLoaded {
        Benchmark("pick: \(kind.rawValue), 10 nodes") { benchmark in
            let distributor = Distributor(kind: kind, members: members)
            var hash: UInt64 = 1
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations {
                hash = hash &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                blackHole(distributor.pick(hash, random: hash))
            }
        }
    }
    Benchmark("make: ketama, 10 nodes", configuration: .init(scalingFactor: .one)) { benchmark in
        for _ in benchmark.scaledIterations { blackHole(Distributor(kind: .ketama, members: members)) }
    }
}
