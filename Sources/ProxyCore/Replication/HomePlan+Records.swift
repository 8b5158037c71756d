/// What of a plan others have to know, and what it has to know of others.
extension HomePlan {
    /// What the other nodes keep about one, for a proxy that is started when this one is gone.
    public enum Record: Equatable, Sendable {
        /// What it holds is old, what others hold of its keys counts.
        case away
        /// What others hold of its keys is old.
        case home

        public init?(text: [UInt8]) {
            switch text {
            case Array("1 -".utf8): self = .away
            case Array("1 +".utf8): self = .home
            default: return nil
            }
        }

        public var text: [UInt8] { Array((self == .away ? "1 -" : "1 +").utf8) }

        /// Of what two nodes keep: nothing that may be old is read.
        public func joined(_ other: Record) -> Record { self == other ? self : .home }
    }

    /// Nil: there is nothing to be known. It is changed before the node alone is written: in the meantime both are true.
    public func record(of place: Int) -> Record? {
        if place == node, !isAlone {
            switch stage {
            case .leading, .leaving, .drop, .dropPause: return .home
            default: break
            }
        }
        return places[place] == .away || places[place] == .back ? .away : nil
    }

    /// At the start: what was found on the nodes, by the node that it is about.
    public mutating func begin(with records: [Int: Record]) {
        for (place, record) in records where record == .away { places[place] = .back }
        for (place, record) in records where record == .home {
            node = place
            unswept = places.indices.filter { places[$0] == .home && (records.count > 1 || $0 != place) }
        }
    }

    // MARK: Keys that have moved to other nodes

    /// All keys are where they belong, but for those of nodes that are down.
    public var isSettled: Bool {
        stage == nil && unswept.isEmpty && !places.contains { $0 == .back || $0 == .held } && !awaitsSweep
    }

    public mutating func awaitSweep() { awaitsSweep = true }

    public mutating func swept() {
        awaitsSweep = false
        if unswept.isEmpty, stage == nil { releaseHeld() }
    }

    /// What is away from here on is emptied when it is back.
    mutating func releaseHeld() {
        for place in places.indices where places[place] == .held && homes > 0 { places[place] = .away }
    }
}
