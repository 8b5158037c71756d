/// What a client's flush does to the markers: they are items, and go with all others.
///
/// As long as its connection lasts, a node is the same process. If it was full, and nobody says that it missed a write,
/// and it is not being filled, then what it holds is not stale: it can only have lost something. If all nodes of the pool
/// have lost some, they were flushed, and are what they were: equal. They get their markers back, and nobody stops
/// reading from them meanwhile.
///
/// A node that has lost its markers alone was flushed past the proxies, or evicts: the other copies have what it has
/// lost, so that it is filled. Who finds a loss waits for that long to see which it is: nodes flushed with a delay are
/// a second or more apart.
///
/// One that lacks its ready marker and nothing else had it evicted: it is filled too, unless another node could not
/// take its place. Then it may well be the only one that has missed nothing, and gets its marker back.
///
/// A node whose ready marker is there and that lacks what it keeps about another was not flushed. It gets that back at
/// once: without it, a node that has all its items could not be read as soon as a third one is away. A revocation that
/// was published and evicted within the same poll is published again by whoever knows it, see `missingRevocations`.
extension PoolMarkers {
    static let lossPatience: UInt64 = 3_000_000_000

    /// A reading, and what the node had on it before.
    mutating func withLosses(_ reading: MarkerReading, of node: Int, asked: UInt64, now: UInt64) -> MarkerReading {
        // A filling takes longer than a reading lives: so it would have been seen.
        guard let before = nodes[node].reading, !nodes[node].isSevered,
            asked < nodes[node].asked.addingSaturated(lifetime)
        else {
            nodes[node].lostAt = nil
            return reading
        }
        var whole = reading
        if reading.filling == nil, reading.ready == nil { whole.ready = before.ready }
        for peer in nodes.indices where reading.standings[peer] == nil {
            whole.standings[peer] = before.standings[peer]
        }
        guard whole != reading else {
            nodes[node].lostAt = nil
            return reading
        }
        nodes[node].hasStayedReady = reading.ready != nil
        // Once it has lacked more, what it has again is from after a flush.
        let isWhole = nodes[node].lostAt == nil || nodes[node].lacksReadyOnly
        nodes[node].lacksReadyOnly = isWhole && whole.standings == reading.standings
        let lostAt = nodes[node].lostAt ?? now
        nodes[node].lostAt = lostAt
        let isOver = now >= lostAt.addingSaturated(Self.lossPatience) && !isIrreplaceable(node, now: now)
        nodes[node].lostAt = isOver ? nil : lostAt
        return isOver ? reading : whole
    }

    /// Only its ready marker was evicted, and not all others are known to be whole.
    private func isIrreplaceable(_ node: Int, now: UInt64) -> Bool {
        guard nodes[node].lacksReadyOnly, claim(node) != nil else { return false }
        return nodes.indices.contains { other in
            guard other != node else { return false }
            return nodes[other].lostAt != nil || nodes[other].isSevered || access(other, now: now) != .full
        }
    }

    /// All nodes were just flushed through this proxy. Of what a flush takes some may survive, from 1.6.25 on.
    public mutating func flushed(now: UInt64) { flushedUntil = now.addingSaturated(Self.lossPatience) }

    /// A node has lost markers, and whether all have is to be found out soon.
    public var hasLosses: Bool { nodes.contains { $0.lostAt != nil } }

    /// What a flush of all nodes has taken, or one node has lost about others, to be sent to each node in this order: who
    /// sees a ready marker sees the others. A flush counts as made good.
    public mutating func restoration(now: UInt64) -> [MarkerCommand] {
        let proven = nodes.indices.filter { claim($0) != nil && !nodes[$0].isSevered }
        let isFlush = now < flushedUntil || !proven.isEmpty && proven.allSatisfy { nodes[$0].lostAt != nil }
        var standings: [MarkerCommand] = []
        var ready: [MarkerCommand] = []
        for node in nodes.indices where nodes[node].lostAt != nil && !nodes[node].isSevered {
            let isKept = isFlush || isIrreplaceable(node, now: now)
            guard isKept || nodes[node].hasStayedReady && claim(node) != nil else { continue }
            // Of an eviction the next reading says whether it is made good; until then it may have been a flush after all.
            if isFlush { nodes[node].lostAt = nil }
            for peer in nodes.indices where peer != node {
                guard let standing = nodes[node].reading?.standings[peer] else { continue }
                // A flush leaves all as they were. Else nobody else may say otherwise of a node that counts.
                guard isFlush || standing.isRevoked || standing.token == claim(peer) else { continue }
                standings.append(
                    MarkerCommand(node: node, item: .standing(of: peer), .store(standing.text, .ifMissing)))
            }
            guard isKept, let token = claim(node) else { continue }
            ready.append(MarkerCommand(node: node, item: .ready, .store(MarkerText.token(token), .ifMissing)))
        }
        return standings + ready
    }
}
