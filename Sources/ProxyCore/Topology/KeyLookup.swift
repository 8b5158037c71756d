internal import Bytes
internal import Distribution

/// Answers which nodes a key goes to without a proxy running, by the same rings that the proxy uses.
public struct KeyLookup {
    private var settings: PoolSettings
    /// The ring of all nodes.
    private let whole: Pool

    public init(_ settings: PoolSettings) {
        self.settings = settings
        // The order of stand-ins is asked for even where the pool would not use them.
        self.settings.whenDown = .rehash
        whole = Pool(self.settings, firstNode: 0, isUp: settings.allNodes.map { _ in true })
    }

    /// Indices in `allNodes` of the nodes that hold the key's copies: its primary first, the standby's last.
    ///
    /// With `distribution: random` a key has no node of its own, and this is one draw.
    public func copies(of key: [UInt8]) -> [Int] {
        let range = ByteRange(offset: 0, length: key.count)
        if !settings.hasCopies { return order(of: key, depth: 1) }
        let copies = unsafe whole.copies(of: whole.hashed(range, in: key.span.bytes))
        return copies.indices.map { Int(copies[$0]) }
    }

    /// Where each key has one copy, indices of nodes: the key's own, then those that would stand in, each with all
    /// before it down.
    ///
    /// With `distribution: random` a key has no node of its own, and this is one draw.
    public func order(of key: [UInt8], depth: Int) -> [Int] {
        precondition(!settings.hasCopies)
        var isUp = settings.nodes.map { _ in true }
        var order: [Int] = []
        while order.count < min(depth, settings.nodes.count) {
            let ring = order.isEmpty ? whole : Pool(settings, firstNode: 0, isUp: isUp)
            let range = ByteRange(offset: 0, length: key.count)
            let node = unsafe Int(ring.copies(of: ring.hashed(range, in: key.span.bytes)).primary)
            order.append(node)
            isUp[node] = false
        }
        return order
    }
}
