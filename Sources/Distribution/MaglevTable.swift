/// "Maglev: A Fast and Reliable Software Network Load Balancer", Daniel Eisenbud and others, Google, 2016: members take
/// turns to claim slots of a table, each in its own permutation of them. A member's weight is how often its turn comes.
///
/// Lookup is one load. Adding or removing one of N moves its share and, with this size, about a hundredth more.
struct MaglevTable: Sendable {
    /// A prime well above a hundred times the members that one expects.
    static let size = 65_537

    private let slots: [UInt16]

    init(_ members: [Member]) {
        if members.isEmpty {
            slots = []
            return
        }
        let greatest = members.reduce(1) { max($0, $1.weight) }
        var claims = members.map { Claim(XXH3.hash($0.key)) }
        var credits = [Int](repeating: 0, count: members.count)
        let free = UInt16.max
        var slots = [UInt16](repeating: free, count: Self.size)
        var left = Self.size
        while left > 0 {
            for index in members.indices {
                credits[index] += members[index].weight
                guard credits[index] >= greatest, left > 0 else { continue }
                credits[index] -= greatest
                while slots[claims[index].slot] != free { claims[index].advance() }
                slots[claims[index].slot] = UInt16(index)
                left -= 1
            }
        }
        self.slots = slots
    }

    /// Where a member is in its permutation.
    private struct Claim {
        var slot: Int
        let skip: Int

        /// Two independent halves of the key's hash say where to begin and how far to go.
        init(_ hash: UInt64) {
            slot = Int(hash & 0xffff_ffff) % MaglevTable.size
            skip = Int(hash >> 32) % (MaglevTable.size - 1) + 1
        }

        mutating func advance() {
            slot += skip
            if slot >= MaglevTable.size { slot -= MaglevTable.size }
        }
    }

    @inline(__always)
    func index(of hash: UInt64) -> Int {
        Int(UInt32(truncatingIfNeeded: hash) % UInt32(truncatingIfNeeded: Self.size))
    }

    /// The member at `index`, below `size`.
    @inline(__always)
    func member(at index: Int) -> Int {
        Int(slots[index])
    }

    /// All slots in an order that is random and never changes: copies are looked for in it. Neighbours in the table are
    /// no chance: members claim slots at fixed steps, so some are next to each other far more often than others.
    static let walk: [UInt32] = (0..<UInt32(size)).sorted { mixed(UInt64($0)) < mixed(UInt64($1)) }
    /// Where each slot is in `walk`.
    static let rank: [UInt32] = {
        var rank = [UInt32](repeating: 0, count: size)
        for (place, slot) in walk.enumerated() { rank[Int(slot)] = UInt32(place) }
        return rank
    }()
}
