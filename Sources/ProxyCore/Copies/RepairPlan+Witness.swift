/// What a check has seen, by which a repair that only it asks for knows that nothing has been written since.
extension RepairPlan {
    /// A digest of the items that the copies were seen to have, in their order; nil where an item has no CAS number, so
    /// that a newer one would look like it, or a copy did not answer.
    ///
    /// CAS numbers are a node's own and change with each write. Two digests that are equal are two looks between which
    /// no copy was written, but by a chance of one in 2^64.
    public var witness: UInt64? {
        var digest: UInt64 = 0
        for index in 0..<count {
            let item = copies[index].item
            guard copies[index].step != .failed, item.kind == .missing || item.cas != 0 else { return nil }
            digest = Self.mix(digest ^ Self.mix(item.cas &+ UInt64(item.kind.rawValue) << 56 &+ UInt64(index)))
        }
        return digest
    }

    /// All have been looked at and nothing is corrected yet: the time to see whether they are what the check saw.
    /// What is not may be a write of another proxy that is not done yet; which of the copies it has reached, and which
    /// are to come, only that proxy knows.
    mutating func compareWithCheck() {
        guard let expected else { return }
        for index in 0..<count where copies[index].step == .look || copies[index].step == .compare { return }
        self.expected = nil
        guard witness != expected else { return }
        hasMoved = true
        for index in 0..<count where copies[index].step == .store { copies[index].step = .settled }
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        var generator = JitterGenerator(state: value)
        return generator.next()
    }
}
