import Glibc

/// SplitMix64. Its seed comes from DROVER_SEED or from the clock; print it with every failure.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    public let seed: UInt64
    private var state: UInt64

    public init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    /// The seed that DROVER_SEED names, else one that differs from run to run.
    public static func fromEnvironment() -> SeededGenerator {
        SeededGenerator(seed: environment("DROVER_SEED").flatMap(UInt64.init) ?? Deadline.now() % 1_000_000_007)
    }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }

    /// True once in `times`.
    public mutating func once(in times: Int) -> Bool {
        Int.random(in: 0..<times, using: &self) == 0
    }

    /// One of them; the collection is not empty.
    public mutating func pick<Choices: Collection>(_ choices: Choices) -> Choices.Element {
        choices.randomElement(using: &self)!
    }
}

/// An environment variable.
public func environment(_ name: String) -> String? {
    unsafe getenv(name).map { unsafe String(cString: $0) }
}
