/// For every position of a ring, the members that hold the copies of its keys. Few lists are different, so positions
/// name lists.
struct CopyTable: Sendable {
    private let replicas: Int
    /// For each position the number of its list; the first once more at the end.
    private let lists: [UInt32]
    /// The lists, as `Copies` holds positions; `highs` is empty where four are enough.
    private let lows: [UInt64]
    private let highs: [UInt64]

    /// - Parameters:
    ///   - sequence: the member at each position of a walk around the ring.
    ///   - shuffle: where lookups look for each of these positions; nil is where it is.
    ///   - members: how many there are.
    init(_ sequence: [UInt16], shuffle: [UInt32]?, zones: Zones, members: Int, replicas: Int) {
        self.replicas = replicas
        var recency = Recency(members: members, zones: zones)
        var lists = [UInt32](repeating: 0, count: sequence.count)
        var lows: [UInt64] = []
        var highs: [UInt64] = []
        var known: [SIMD2<UInt64>: UInt32] = [:]
        // Backwards and around: what was met last is what follows next. The first round only fills in what follows the
        // end.
        for member in sequence.reversed() { recency.meet(Int(member)) }
        for position in sequence.indices.reversed() {
            recency.meet(Int(sequence[position]))
            let (low, high) = recency.copies(replicas).words
            let both = SIMD2(low, high)
            let list = known[both] ?? UInt32(lows.count)
            if list == lows.count {
                known[both] = list
                lows.append(low)
                if replicas > 4 { highs.append(high) }
            }
            lists[shuffle.map { Int($0[position]) } ?? position] = list
        }
        if let start = lists.first { lists.append(start) }
        self.lists = lists
        self.lows = lows
        self.highs = highs
    }

    @inline(__always)
    func copies(at position: Int, first: UInt32) -> Copies {
        let list = Int(lists[position])
        return Copies(first: first, low: lows[list], high: highs.isEmpty ? 0 : highs[list], count: replicas)
    }
}

/// Members and zones in the order in which a walk from the present position meets them.
private struct Recency {
    private let zones: Zones
    private let memberCount: Int
    private var members: FrontList
    private var zoneOrder: FrontList
    /// The member of each zone that is met first.
    private var latest: [Int]

    init(members: Int, zones: Zones) {
        self.zones = zones
        memberCount = members
        self.members = FrontList(members)
        zoneOrder = FrontList(zones.count)
        latest = [Int](repeating: 0, count: zones.count)
    }

    mutating func meet(_ member: Int) {
        members.bring(member)
        let zone = Int(zones.zone(of: member))
        zoneOrder.bring(zone)
        latest[zone] = member
    }

    /// The same members as `Distributor.order` finds.
    func copies(_ replicas: Int) -> Copies {
        var copies = Copies(first: 0)
        // Where each member has a zone of its own, the second pass does the same.
        if zones.count < memberCount {
            let limit = min(replicas, zones.count)
            var zone = zoneOrder.first
            while copies.count < limit, let next = zone {
                copies.append(position: UInt16(latest[next]))
                zone = zoneOrder.after(next)
            }
            follow(&copies, to: limit, spreads: true)
        }
        var member = members.first
        while copies.count < replicas, let next = member {
            offer(next, &copies, spreads: false)
            member = members.after(next)
        }
        follow(&copies, to: replicas, spreads: false)
        return copies
    }

    /// Members too light to be met: the list decides.
    private func follow(_ copies: inout Copies, to limit: Int, spreads: Bool) {
        let start = Int(copies.primary)
        var follower = start
        while copies.count < limit {
            follower = follower + 1 < memberCount ? follower + 1 : 0
            if follower == start { return }
            offer(follower, &copies, spreads: spreads)
        }
    }

    private func offer(_ member: Int, _ copies: inout Copies, spreads: Bool) {
        for index in copies.indices {
            let other = Int(copies[index])
            if spreads ? zones.zone(of: other) == zones.zone(of: member) : other == member { return }
        }
        copies.append(position: UInt16(member))
    }
}

/// Numbers below a count, the one brought last in front; those never brought are not in it.
private struct FrontList {
    private static let nothing = -1
    private var following: [Int]
    private var preceding: [Int]
    private(set) var first: Int?

    init(_ count: Int) {
        following = [Int](repeating: Self.nothing, count: count)
        preceding = following
    }

    func after(_ number: Int) -> Int? {
        following[number] == Self.nothing ? nil : following[number]
    }

    mutating func bring(_ number: Int) {
        guard number != first else { return }
        let (before, after) = (preceding[number], following[number])
        if before != Self.nothing { following[before] = after }
        if after != Self.nothing { preceding[after] = before }
        preceding[number] = Self.nothing
        following[number] = first ?? Self.nothing
        if let first { preceding[first] = number }
        first = number
    }
}
