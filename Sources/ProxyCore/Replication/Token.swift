/// A random number that stands for what a node holds, from one filling to the next: its ready marker carries it, and
/// whoever knows that the node missed a write revokes it.
///
/// It is drawn anew for every filling and never used again; so nothing that is known of one filling, however late it
/// is read, is mistaken for another's.
public struct Token: BitwiseCopyable, Hashable, Sendable {
    /// Never 0.
    public let number: UInt64

    /// Nil for 0.
    public init?(_ number: UInt64) {
        guard number != 0 else { return nil }
        self.number = number
    }

    public init(using generator: inout some RandomNumberGenerator) {
        number = UInt64.random(in: 1 ... .max, using: &generator)
    }
}
