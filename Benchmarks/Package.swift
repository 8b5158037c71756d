// swift-tools-version: 6.1
import PackageDescription

// Micro-benchmarks of the parsers, hashes and rings: by time with `swift package benchmark` in this folder, by
// instructions with the script `instructions`. The load scripts compare, gate and profile need none of this.
let package = Package(
    name: "drover-benchmarks",
    dependencies: [
        .package(name: "drover", path: ".."),
        // Without traits: no jemalloc. The gate counts allocations.
        .package(url: "https://github.com/ordo-one/benchmark", exact: "1.38.1", traits: []),
    ],
    targets: [
        .target(
            name: "Subjects", dependencies: [.product(name: "Measured", package: "drover")],
            path: "Benchmarks/Subjects"),
        .executableTarget(
            name: "Timed", dependencies: ["Subjects", .product(name: "Benchmark", package: "benchmark")],
            path: "Benchmarks/Timed", plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
        .executableTarget(name: "Counted", dependencies: ["Subjects"], path: "Benchmarks/Counted"),
    ]
)
