internal import Distribution

extension PoolSettings {
    /// How many of a write's live copies must have answered before the client hears of it.
    public enum Acks: String, Sendable, CaseIterable {
        case all, quorum, one

        /// How many that is. A quorum is more than half of all copies, or all that live.
        ///
        /// - Parameters:
        ///   - copies: that the key has, 1 to 8.
        ///   - live: those of them that the write goes to, 1 or more.
        public func needed(copies: Int, live: Int) -> Int {
            switch self {
            case .all: live
            case .quorum: min(live, copies / 2 + 1)
            case .one: 1
            }
        }
    }

    /// Which live copy a read goes to.
    public enum Read: String, Sendable, CaseIterable {
        /// The first.
        case primary
        /// Of two drawn by chance, the one with less under way.
        case spread
        /// The first of those in the proxy's own zone, else the first.
        case nearest
        /// The first, and a second one too where the first is slow.
        case fastest
    }

    /// What becomes of a read that finds nothing.
    public enum OnMiss: String, Sendable, CaseIterable {
        /// It is a miss.
        case miss
        /// The next copy is asked, and what it has is written back.
        case next
    }

    /// Who uses the nodes, where those stand in for each other.
    public enum Proxies: String, Sendable, CaseIterable {
        /// One: what it does it does at once.
        case one
        /// Several: each waits until the others know what it does.
        case several
    }

    /// One read in 20.
    public static let defaultHedge = 500

    /// Keys a second.
    public static let defaultChecks = 10

    /// Copies of each key on both farms, 1 to 8.
    public var copies: Int { replicas + (standby.isEmpty ? 0 : 1) }

    /// Whether a key has more than one copy.
    public var hasCopies: Bool { copies > 1 }

    /// Others stand in for a node that is down, and its keys are brought home when it is back. Where load or chance decide,
    /// too, a key has no home; and a lone node has nobody to stand in for it.
    public var bringsHome: Bool { !hasCopies && whenDown == .rehash && nodes.count > 1 && hasHomes }

    /// Each key has a node of its own: load and chance decide nothing.
    public var hasHomes: Bool { hasCopies || distribution != .random && distribution != .leastLoaded }

    /// Its nodes are read by their markers. While single copies move, a key is read where it was or where it is to be, and
    /// no other copy could stand for that one.
    public var keepsMarkers: Bool { hasCopies && moving?.isSingle != true }

    /// The nodes of both farms, in the order in which a topology has them.
    public var allNodes: [NodeSettings] { nodes + standby }
}

/// Which of a pool's two sets of nodes one belongs to.
public enum Farm: String, Sendable {
    case nodes, standby
}
