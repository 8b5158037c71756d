internal import ProxyCore

/// Who knows of a pool's nodes whether its keys can move: by markers, or where keys have one copy by what follows them.
protocol MoveGround: AnyObject {
    /// The pool's first node among all nodes.
    var first: Int { get }
    /// By the end of which every proxy has said what it writes by, and what was sent before has landed.
    var quietTime: UInt64 { get }
    /// By place: it has all that it ought to have.
    func isFull(_ place: Int) -> Bool
    var talk: MoveTalk { get }
    /// Some proxy writes keys elsewhere.
    var hasObjection: Bool { get }
    /// By place of the node, what is known there of missed writes; nil where tokens tell of them.
    var missed: [Token?]? { get }
    /// - Parameter moving: the settings while the keys move.
    func situation(of moving: PoolSettings) -> MovePlan.Situation
}

extension PoolKeeper: MoveGround {
    var quietTime: UInt64 { markers.quietTime }

    func situation(of moving: PoolSettings) -> MovePlan.Situation {
        let places = moving.placesToken
        return MovePlan.Situation(
            tokens: tokens(of: moving), isOpposed: markers.isOpposed || now < calmAt,
            isMoving: markers.isMoving(to: places), hasMoved: markers.hasMoved(to: places))
    }

    var hasObjection: Bool { markers.isOpposed }

    var missed: [Token?]? { nil }

    /// Of the servers that the keys go to; nil unless all are full. One that leaves may be gone.
    private func tokens(of moving: PoolSettings) -> [UInt64]? {
        let settled = Set(moving.settled.allNodes.map(\.ringName))
        var tokens: [UInt64] = []
        for (place, node) in settings.servers.enumerated() where settled.contains(node.ringName) {
            let verdict = control.topology.nodes[first + place].verdict
            guard verdict.access == .full else { return nil }
            tokens.append(verdict.token)
        }
        return tokens
    }
}

extension MoveKeeper: MoveGround {
    var quietTime: UInt64 { PoolMarkers.quietTime(poll: settings.poll, timeout: settings.timeout) }

    var hasObjection: Bool { readings.hasObjection }

    var missed: [Token?]? { readings.missed }

    func isFull(_ place: Int) -> Bool { leads(place) && control.isUp(first + place) }

    func situation(of moving: PoolSettings) -> MovePlan.Situation {
        let places = moving.placesToken
        let isWhole = settings.servers.indices.allSatisfy { control.isUp(first + $0) }
        return MovePlan.Situation(
            tokens: isWhole ? [misses] + readings.missed.map { $0?.number ?? 0 } : nil,
            isOpposed: readings.isOpposed(now: now), isMoving: readings.isMoving(to: places),
            hasMoved: readings.hasMoved(to: places))
    }
}

extension Control {
    func moveGround(ofPool pool: Int) -> (any MoveGround)? { keepers[pool] ?? movers[pool] }
}
