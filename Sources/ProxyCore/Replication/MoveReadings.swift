/// What one node answered to the question whether keys move, where no markers are kept: see `MarkerItem`.
public struct MoveReading: Equatable, Sendable {
    public var moving: Token?
    public var moved: Token?
    public var hasObjection = false

    public init() {}

    public init(moving: Token?, moved: Token?, hasObjection: Bool) {
        (self.moving, self.moved, self.hasObjection) = (moving, moved, hasObjection)
    }

    /// What a proxy says on the node in return, and to which places it refers.
    ///
    /// - Parameter settings: that the proxy works by.
    public func answer(of settings: PoolSettings) -> (item: MarkerItem, places: Token)? {
        let own = settings.placesToken
        if let moving, moving != own { return (.objection, moving) }
        return settings.moving.map { ($0.hasMoved ? .moved : .moving, own) }
    }
}

/// The last such answer of each node of a pool with one copy of each key.
public struct MoveReadings: Sendable {
    private var nodes: [MoveReading?]
    private var isKnown: [Bool]

    public init(nodes count: Int) {
        nodes = Array(repeating: nil, count: count)
        isKnown = Array(repeating: false, count: count)
    }

    public mutating func read(_ node: Int, _ reading: MoveReading) { (nodes[node], isKnown[node]) = (reading, true) }

    public mutating func lost(_ node: Int) { (nodes[node], isKnown[node]) = (nil, true) }

    /// All nodes have answered or failed once.
    public var isInformed: Bool { isKnown.allSatisfy(\.self) }

    public var isOpposed: Bool { nodes.contains { $0?.hasObjection == true } }

    /// Some proxy reads keys where they were that are to be there; or that is not known yet.
    public func isMoving(to places: Token) -> Bool { !isInformed || nodes.contains { $0?.moving == places } }

    /// Some proxy reads them where they are to be already.
    public func hasMoved(to places: Token) -> Bool { nodes.contains { $0?.moved == places } }
}
