// swift-tools-version: 6.3
import PackageDescription

/// Every Swift target is built the same way; the loop at the end of this file applies it.
let settings: [SwiftSetting] = [
    .strictMemorySafety(),
    .treatWarning("StrictMemorySafety", as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// For the request path in release only: the checks that two accesses never overlap cost a fifth of all instructions
/// (`make bench-instructions` measures it). Debug builds, tests and sanitizer runs keep them.
let requestPath: [SwiftSetting] = [
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))
]

/// Simulations play thousands of schedules on these: unoptimized they take six times as long. All that a debug build checks
/// is checked.
let simulated: Set = ["Bytes", "MemcacheProtocol", "Distribution", "Telemetry", "ProxyCore", "SimulationTests"]
let optimized: [SwiftSetting] = [.unsafeFlags(["-O", "-assert-config", "Debug"], .when(configuration: .debug))]

/// In release the program brings Swift's libraries along: less of them is in memory then, and it runs where no Swift is.
/// DROVER_SHARED_RUNTIME is for `Benchmarks/gate`, which puts counters in front of them.
///
/// FoundationEssentials is there for swift-argument-parser and swift-log, and needs the other two. gold, the linker
/// otherwise, warns of a part of it that nobody calls, and maps more of the program.
let whole: [LinkerSetting] =
    Context.environment["DROVER_SHARED_RUNTIME"] != nil
    ? []
    : [
        .unsafeFlags(
            [
                "-static-stdlib", "-use-ld=lld", "-lFoundationEssentials", "-l_FoundationCollections",
                "-l_FoundationCShims",
            ], .when(configuration: .release))
    ]

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

let package = Package(
    name: "drover",
    products: [
        .executable(name: "drover", targets: ["drover"]),
        // For Benchmarks, which is a package of its own so that nobody who builds drover needs its dependencies.
        .library(name: "Measured", targets: ["Bytes", "MemcacheProtocol", "Distribution"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        // Pure and deterministic: no clock, socket, thread, random or log.
        .target(name: "Bytes", swiftSettings: [.enableExperimentalFeature("Lifetimes")]),
        .target(name: "MemcacheProtocol", dependencies: ["Bytes"]),
        .target(name: "Distribution"),
        .target(name: "Telemetry"),
        .target(
            name: "ProxyCore", dependencies: ["Bytes", "MemcacheProtocol", "Distribution", "Telemetry"],
            swiftSettings: requestPath),

        // Touches the world.
        .systemLibrary(name: "CLibevent", pkgConfig: "libevent", providers: [.apt(["libevent-dev"])]),
        .systemLibrary(name: "CYaml", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .target(name: "CPlatform"),
        .target(name: "Reactor", dependencies: ["CLibevent", "CPlatform"], swiftSettings: requestPath),
        .target(name: "Sockets", dependencies: ["CPlatform", "Bytes"]),
        .target(name: "ProxyConfig", dependencies: ["CYaml", "ProxyCore", "Distribution", "MemcacheProtocol"]),
        .target(name: "Archive", dependencies: ["Bytes", "Distribution", "CZstd"]),
        .target(
            name: "Proxy",
            dependencies: [
                "Bytes", "MemcacheProtocol", "Distribution", "Archive", "ProxyCore", "Telemetry", "Reactor", "Sockets",
                logging,
            ], swiftSettings: requestPath),
        .target(name: "Admin", dependencies: ["Proxy", "ProxyCore", "Telemetry", "Reactor", logging]),
        .target(
            name: "Loadgen",
            dependencies: [
                "Reactor", "Sockets", "Bytes", "CPlatform",
                .product(name: "Histogram", package: "hdrhistogram-swift"),
            ]),
        .executableTarget(
            name: "drover",
            dependencies: [
                "Proxy", "ProxyConfig", "ProxyCore", "Distribution", "Telemetry", "Admin", "Loadgen", "Sockets",
                "CPlatform",
                logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], linkerSettings: whole),

        // Tests.
        .target(name: "DroverTesting", dependencies: ["Bytes"], path: "Tests/DroverTesting"),
        .systemLibrary(
            name: "CLibmemcached", path: "Tests/CLibmemcached", pkgConfig: "libmemcached",
            providers: [.apt(["libmemcached-dev"])]),
        .testTarget(name: "BytesTests", dependencies: ["Bytes", "DroverTesting"]),
        .testTarget(name: "MemcacheProtocolTests", dependencies: ["MemcacheProtocol", "Bytes", "DroverTesting"]),
        .testTarget(name: "DistributionTests", dependencies: ["Distribution", "CLibmemcached", "DroverTesting"]),
        .testTarget(
            name: "ProxyCoreTests",
            dependencies: ["ProxyCore", "Bytes", "MemcacheProtocol", "Distribution", "Telemetry", "DroverTesting"]),
        .testTarget(name: "SimulationTests", dependencies: ["ProxyCore", "Bytes", "DroverTesting"]),
        .testTarget(name: "TelemetryTests", dependencies: ["Telemetry"]),
        .testTarget(
            name: "ProxyConfigTests", dependencies: ["ProxyConfig", "ProxyCore", "Distribution", "MemcacheProtocol"]),
        .testTarget(name: "ReactorTests", dependencies: ["Reactor", "CPlatform"]),
        .testTarget(
            name: "ProxyTests",
            dependencies: ["Proxy", "ProxyCore", "Bytes", "MemcacheProtocol", "Reactor", "Sockets", "DroverTesting"]),
        .testTarget(name: "AdminTests", dependencies: ["Admin", "Proxy", "Reactor", "Telemetry", "DroverTesting"]),
        .testTarget(name: "ArchiveTests", dependencies: ["Archive", "Bytes", "DroverTesting"]),
        .testTarget(name: "SocketsTests", dependencies: ["Sockets", "Bytes", "DroverTesting"]),
        .testTarget(
            name: "LoadgenTests",
            dependencies: [
                "Loadgen", "Sockets", "Bytes", "Reactor", .product(name: "Histogram", package: "hdrhistogram-swift"),
            ]),
        .testTarget(name: "HouseTests", dependencies: ["Telemetry"]),
        .testTarget(name: "EndToEndTests", dependencies: ["DroverTesting"], exclude: ["Clients"]),
    ],
    swiftLanguageModes: [.v6]
)

/// `make sanitize` builds what reads hostile bytes and nothing else: all of it would take most of its time.
if Context.environment["DROVER_SANITIZE"] != nil {
    let read: Set = [
        "Bytes", "MemcacheProtocol", "Distribution", "Telemetry", "ProxyCore", "CZstd", "Archive", "DroverTesting",
        "BytesTests", "MemcacheProtocolTests", "ProxyCoreTests", "ArchiveTests",
    ]
    package.targets.removeAll { !read.contains($0.name) }
    package.products = []
    package.dependencies = []
}

for target in package.targets where target.type != .system && target.name != "CPlatform" {
    let speed = simulated.contains(target.name) ? optimized : []
    target.swiftSettings = settings + speed + (target.swiftSettings ?? [])
}
