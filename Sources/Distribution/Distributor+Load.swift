extension Distributor {
    /// With `least-loaded`, the first member in ketama's order that has less under way than 5/4 of its share of all that
    /// is, the request in question included. Any other kind does not look at loads, and `random` draws from the hash.
    ///
    /// - Parameter loads: requests under way, for each member.
    public func pick(_ hash: UInt64, loads: Span<Int32>) -> Int {
        guard kind == .leastLoaded else { return pick(hash, random: mixed(hash)) }
        precondition(loads.count == count)
        var total = 1
        for member in 0..<count { total &+= load(of: member, loads) }
        let allowed = 5 &* total
        let sum = 4 &* slots.count

        var index = ring.index(of: hash)
        let own = ring.member(at: index)
        var last = -1
        for _ in 0..<ring.count {
            let member = ring.member(at: index)
            if member != last, load(of: member, loads) &* sum < allowed &* weights[member] { return member }
            last = member
            index = index &+ 1 < ring.count ? index &+ 1 : 0
        }
        // Only members too light to have a point on the ring have room.
        return own
    }

    /// A load between 0 and 2^24. Sums over 2^16 members and products with weights below 2^17 and with their sum, below
    /// 2^33, then stay below 2^63.
    @inline(__always)
    private func load(of member: Int, _ loads: Span<Int32>) -> Int {
        Int(min(max(loads[member], 0), 1 << 24))
    }
}
