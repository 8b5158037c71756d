// swift-tools-version: 6.1
import PackageDescription

// Micro-benchmarks of the parsers and the rings: `swift package --package-path Benchmarks benchmark`.
// The load scripts beside this file, compare and gate, need none of it.
let package = Package(
    name: "drover-benchmarks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "drover", path: ".."),
        // Without traits: no jemalloc. The gate counts allocations.
        .package(url: "https://github.com/ordo-one/benchmark", exact: "1.38.1", traits: []),
    ],
    targets: [
        .executableTarget(
            name: "CodecBenchmarks",
            dependencies: [
                .product(name: "Measured", package: "drover"), .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Benchmarks/CodecBenchmarks",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
        .executableTarget(
            name: "RingBenchmarks",
            dependencies: [
                .product(name: "Measured", package: "drover"), .product(name: "Benchmark", package: "benchmark"),
            ],
            path: "Benchmarks/RingBenchmarks",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
    ]
)
