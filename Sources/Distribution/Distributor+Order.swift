extension Distributor {
    /// The members that hold copies of a key, best first: different members, the first of them `pick`'s, one of each
    /// zone before a second of any. Allocates nothing. It walks the ring; `Placement` has the same at hand.
    ///
    /// What comes after the primary:
    /// - `ketama`, `least-loaded`: the members of the points that follow on the ring (loads do not count here);
    /// - `maglev`: those of the slots that follow in a random order of all, always the same;
    /// - `jump`: what the algorithm says of the hash mixed once more, and so on, so that a member that is down is stood
    ///   in for by all others evenly;
    /// - `rendezvous`: those with the next best scores;
    /// - `modula`, `random`: those that follow in the list, as libmemcached places its replicas.
    ///
    /// Where that does not yield enough, because a member is too light to be met, the list decides.
    ///
    /// - Parameters:
    ///   - wanted: how many; the span has room for them.
    ///   - members: takes the members' positions.
    /// - Returns: how many there are: `wanted`, or all members if they are fewer.
    public func order(
        _ hash: UInt64, random: UInt64, count wanted: Int, into members: inout MutableSpan<UInt16>
    ) -> Int {
        precondition(wanted <= members.count)
        let wanted = min(wanted, count)
        guard wanted > 0 else { return 0 }
        var chosen = 1
        members[0] = UInt16(pick(hash, random: random))
        if wanted == 1 { return 1 }
        // Where each member has a zone of its own, the second pass does the same.
        if zones.count < count {
            extend(&members, &chosen, to: min(wanted, zones.count), hash, spreads: true)
        }
        extend(&members, &chosen, to: wanted, hash, spreads: false)
        return chosen
    }

    /// Adds members, of zones not chosen yet if it `spreads`, until there are `limit`.
    private func extend(
        _ members: inout MutableSpan<UInt16>, _ chosen: inout Int, to limit: Int, _ hash: UInt64, spreads: Bool
    ) {
        switch kind {
        case .ketama, .leastLoaded:
            var index = ring.index(of: hash)
            var steps = 0
            while chosen < limit, steps < ring.count {
                offer(ring.member(at: index), &members, &chosen, spreads)
                index = index &+ 1 < ring.count ? index &+ 1 : 0
                steps &+= 1
            }
        case .maglev:
            var place = Int(MaglevTable.rank[maglev.index(of: hash)])
            var steps = 0
            while chosen < limit, steps < MaglevTable.size {
                offer(maglev.member(at: Int(MaglevTable.walk[place])), &members, &chosen, spreads)
                place = place &+ 1 < MaglevTable.size ? place &+ 1 : 0
                steps &+= 1
            }
        case .jump:
            var state = hash
            var steps = 0
            while chosen < limit, steps < Self.attempts(count) {
                state = mixed(state &+ 0x9e37_79b9_7f4a_7c15)
                offer(slots.member(of: JumpHash.bucket(state, of: slots.count)), &members, &chosen, spreads)
                steps &+= 1
            }
        case .rendezvous:
            while chosen < limit, let member = nextBest(members, chosen, hash, spreads) {
                members[chosen] = UInt16(member)
                chosen &+= 1
            }
        case .modula, .random:
            break
        }
        var follower = Int(members[0])
        while chosen < limit {
            follower = follower &+ 1 < count ? follower &+ 1 : 0
            if follower == Int(members[0]) { break }
            offer(follower, &members, &chosen, spreads)
        }
    }

    /// How long to look for members among many slots: a light one need not turn up.
    private static func attempts(_ count: Int) -> Int { 64 &+ 16 &* count }

    private func nextBest(
        _ members: borrowing MutableSpan<UInt16>, _ chosen: Int, _ hash: UInt64, _ spreads: Bool
    ) -> Int? {
        var best: Int?
        var bestScore = Rendezvous.Score(chance: 0, cost: 0, weight: 0)
        for member in 0..<count where isNew(member, members, chosen, spreads) {
            let score = rendezvous.score(of: member, for: hash)
            if best == nil || score.beats(bestScore) { (best, bestScore) = (member, score) }
        }
        return best
    }

    @inline(__always)
    private func offer(
        _ member: Int, _ members: inout MutableSpan<UInt16>, _ chosen: inout Int, _ spreads: Bool
    ) {
        guard isNew(member, members, chosen, spreads) else { return }
        members[chosen] = UInt16(member)
        chosen &+= 1
    }

    private func isNew(
        _ member: Int, _ members: borrowing MutableSpan<UInt16>, _ chosen: Int, _ spreads: Bool
    ) -> Bool {
        for index in 0..<chosen {
            let other = Int(members[index])
            if spreads ? zones.zone(of: other) == zones.zone(of: member) : other == member { return false }
        }
        return true
    }
}
