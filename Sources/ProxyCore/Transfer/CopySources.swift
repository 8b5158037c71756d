internal import Bytes
internal import Distribution

/// Which items of a pool a transfer to one node concerns, and from where each comes.
public struct CopySources: Sendable {
    public enum Source: BitwiseCopyable, Sendable, Equatable {
        /// The node is to have no copy of it, or has the one that counts; or it is one of Drover's own.
        case none
        /// The node is to have a copy, and no other full one is there.
        case unproven
        /// The first full copy on another node, by its place in the pool.
        case node(Int)
    }

    private let pool: Pool
    private let target: Int
    private let isFull: [Bool]
    private let wantsStrays: Bool

    /// - Parameters:
    ///   - target: by place in the pool.
    ///   - wantsStrays: it concerns the items of which the target is to have no copy, and only those; each comes from
    ///     where it is.
    ///   - isFull: likewise: the nodes that have all copies they ought to have. Where the target is one of them, its
    ///     copies are compared, and the first full copy of a key is what counts.
    public init(of pool: Pool, target: Int, isFull: [Bool], wantsStrays: Bool = false) {
        precondition(isFull.count == pool.nodes.count && isFull.indices.contains(target))
        self.wantsStrays = wantsStrays
        self.pool = pool
        self.target = target
        self.isFull = isFull
    }

    /// - Parameter key: as clients know it.
    public func source(of key: RawSpan) -> Source {
        if MarkerItem.isReserved(key) { return .none }
        let copies = pool.copies(of: pool.hashed(ByteRange(offset: 0, length: key.byteCount), in: key))
        if wantsStrays {
            return copies.index(of: UInt32(pool.firstNode + target)) == nil ? .node(target) : .none
        }
        var (isMember, source) = (false, Source.unproven)
        for index in copies.indices {
            let place = Int(copies[index]) - pool.firstNode
            if isTarget(place) {
                if source == .unproven, isFull[place] { return .none }
                isMember = true
            } else if source == .unproven, isFull[place] {
                source = .node(place)
            }
        }
        return isMember ? source : .none
    }

    /// While keys move a server that is filled gets those, too, that come to it: other proxies may read them there
    /// already, by the same marker.
    private func isTarget(_ place: Int) -> Bool {
        place == target || pool.server(of: pool.firstNode + place) == pool.firstNode + target
    }
}

/// Where the full copies of a key are, for a backup, which reads the first, and a restore, which writes all.
public struct FullCopies: Sendable {
    private let pool: Pool
    private let isFull: [Bool]

    /// - Parameter isFull: by place in the pool: the nodes that have all copies they ought to have.
    public init(of pool: Pool, isFull: [Bool]) {
        precondition(isFull.count == pool.nodes.count)
        (self.pool, self.isFull) = (pool, isFull)
    }

    /// By place in the pool, in the ring's order; none of Drover's own keys.
    public func places(of key: RawSpan) -> [Int] {
        if MarkerItem.isReserved(key) { return [] }
        let copies = pool.copies(of: pool.hashed(ByteRange(offset: 0, length: key.byteCount), in: key))
        return copies.indices.map { Int(copies[$0]) - pool.firstNode }.filter { isFull[$0] }
    }

    /// Which of `count` parts of a backup the key belongs to, whatever the pool.
    public static func part(of key: RawSpan, count: Int) -> Int {
        Int(truncatingIfNeeded: KeyHash.xxh3.hash(key) >> 32) % count
    }
}
