/// A node that is not heard for a moment is what it was: one that is slow, or a machine that does something else, here or
/// there, is no reason to stop reading from it. One whose process has ended is nothing at once.
extension PoolMarkers {
    /// The connection to the node is gone.
    ///
    /// - Parameter mayBeNew: the process that answers next may be another, which holds nothing.
    public mutating func lost(_ node: Int, mayBeNew: Bool) {
        nodes[node].isKnown = true
        if mayBeNew {
            nodes[node].emptiness = .all
            forget(node)
            nodes[node].unheard = nil
        } else if nodes[node].reading != nil {
            nodes[node].isSevered = true
        }
    }

    /// Until when a node that was lost, and not heard since, is taken for what it was; before the workers are to trust
    /// nothing any more. `.max` where there is none.
    public var patienceEnds: UInt64 { nodes.indices.map(patienceEnds(of:)).min() ?? .max }

    private func patienceEnds(of node: Int) -> UInt64 {
        nodes[node].isSevered ? nodes[node].asked.addingSaturated(patience) : .max
    }

    /// Gives up those that were not heard again.
    ///
    /// - Returns: whether there were any.
    public mutating func endPatience(now: UInt64) -> Bool {
        let silent = nodes.indices.filter { now >= patienceEnds(of: $0) }
        // By what all of them said last.
        let tokens = silent.map { isConfirmed($0) ? claim($0) : nil }
        for (node, token) in zip(silent, tokens) {
            forget(node)
            nodes[node].unheard = token
        }
        return !silent.isEmpty
    }

    private mutating func forget(_ node: Int) {
        (nodes[node].reading, nodes[node].lostAt, nodes[node].isSevered) = (nil, nil, false)
        findClaims()
    }

    /// It was full when it was last heard, and nobody says that it has missed anything since: if no other copy can be
    /// read, it is the one that most likely is what it was.
    public func isUnheard(_ node: Int) -> Bool { nodes[node].unheard != nil }

    func isUndisputed(_ token: Token, of node: Int) -> Bool {
        guard !nodes[node].revoked.contains(token) else { return false }
        return nodes.allSatisfy { $0.reading?.standings[node]?.confirms(token) != false }
    }
}
