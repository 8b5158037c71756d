internal import ProxyCore

/// Who knows of a pool's nodes whether its keys can move: by markers, or where keys have one copy by what follows them.
protocol MoveGround: AnyObject {
    /// The pool's first node among all nodes.
    var first: Int { get }
    /// By the end of which every proxy has said what it writes by, and what was sent before has landed.
    var quietTime: UInt64 { get }
    /// By place: it has all that it ought to have.
    func isFull(_ place: Int) -> Bool
    /// - Parameter moving: the settings while the keys move.
    func situation(of moving: PoolSettings) -> MovePlan.Situation
}

extension PoolKeeper: MoveGround {
    var quietTime: UInt64 { markers.quietTime }

    func situation(of moving: PoolSettings) -> MovePlan.Situation {
        let places = moving.placesToken
        return MovePlan.Situation(
            tokens: tokens(of: moving), isOpposed: markers.isOpposed, isMoving: markers.isMoving(to: places),
            hasMoved: markers.hasMoved(to: places))
    }

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

    func isFull(_ place: Int) -> Bool { leads(place) && control.isUp(first + place) }

    func situation(of moving: PoolSettings) -> MovePlan.Situation {
        let places = moving.placesToken
        let isWhole = settings.servers.indices.allSatisfy { control.isUp(first + $0) }
        return MovePlan.Situation(
            tokens: isWhole ? [misses] : nil, isOpposed: readings.isOpposed, isMoving: readings.isMoving(to: places),
            hasMoved: readings.hasMoved(to: places))
    }
}

extension Control {
    func moveGround(ofPool pool: Int) -> (any MoveGround)? { keepers[pool] ?? movers[pool] }
}
