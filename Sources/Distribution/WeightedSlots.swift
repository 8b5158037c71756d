/// Members side by side, each as many slots wide as its weight: what `modula`, `random` and `jump` choose from.
struct WeightedSlots: Sendable {
    /// How many slots there are.
    let count: Int
    /// Where each member's slots end; empty when every member has one slot.
    private let ends: [Int]

    init(_ members: [Member]) {
        var sum = 0
        let ends = members.map { member in
            sum += member.weight
            return sum
        }
        count = sum
        self.ends = sum == members.count ? [] : ends
    }

    /// The member that has the slot, which is below `count`.
    @inline(__always)
    func member(of slot: Int) -> Int {
        if ends.isEmpty { return slot }
        var low = 0
        var high = ends.count &- 1
        while low < high {
            let middle = (low &+ high) &>> 1
            if ends[middle] <= slot { low = middle &+ 1 } else { high = middle }
        }
        return low
    }
}
