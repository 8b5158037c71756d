/// What one node answered to the question whether keys move, where no markers are kept: see `MarkerItem`.
public struct MoveReading: Equatable, Sendable {
    public var moving: Token?
    public var moved: Token?
    public var hasObjection = false
    /// Drawn anew for each write that some proxy has missed where its key is to be.
    public var missed: Token?

    public init() {}

    public init(moving: Token?, moved: Token?, hasObjection: Bool, missed: Token? = nil) {
        (self.moving, self.moved, self.hasObjection, self.missed) = (moving, moved, hasObjection, missed)
    }

    /// What a proxy says on the node in return, and to which places it refers.
    ///
    /// - Parameters:
    ///   - settings: that the proxy works by.
    ///   - own: their `placesToken`.
    public func answer(of settings: PoolSettings, at own: Token) -> (item: MarkerItem, places: Token)? {
        if let moving, moving != own { return (.objection, moving) }
        return settings.moving.map { ($0.hasMoved ? .moved : .moving, own) }
    }
}

/// The last such answer of each node of a pool with one copy of each key.
public struct MoveReadings: Sendable {
    private var nodes: [MoveReading?]
    private var isKnown: [Bool]
    /// By node, as it was last heard: whoever was not heard in between may have been told of a missed write.
    public private(set) var missed: [Token?]
    /// For so long after an objection, or a missed write, nothing is begun: by then others that object have said so
    /// again, and what another proxy has missed has landed where it is read.
    private let calm: UInt64
    private var calmAt: UInt64 = 0

    public init(nodes count: Int, calm: UInt64) {
        nodes = Array(repeating: nil, count: count)
        isKnown = Array(repeating: false, count: count)
        missed = Array(repeating: nil, count: count)
        self.calm = calm
    }

    public mutating func read(_ node: Int, _ reading: MoveReading, now: UInt64) {
        if reading.hasObjection || reading.missed != missed[node] { calmAt = now.addingSaturated(calm) }
        (nodes[node], isKnown[node], missed[node]) = (reading, true, reading.missed)
    }

    public mutating func lost(_ node: Int) { (nodes[node], isKnown[node]) = (nil, true) }

    /// All nodes have answered or failed once.
    public var isInformed: Bool { isKnown.allSatisfy(\.self) }

    /// Some proxy writes keys elsewhere.
    public var hasObjection: Bool { nodes.contains { $0?.hasObjection == true } }

    /// So it does, or did just now, or has missed a write where its key is to be.
    public func isOpposed(now: UInt64) -> Bool { hasObjection || now < calmAt }

    /// Some proxy reads keys where they were that are to be there; or that is not known yet.
    public func isMoving(to places: Token) -> Bool { !isInformed || nodes.contains { $0?.moving == places } }

    /// Some proxy reads them where they are to be already.
    public func hasMoved(to places: Token) -> Bool { nodes.contains { $0?.moved == places } }
}
