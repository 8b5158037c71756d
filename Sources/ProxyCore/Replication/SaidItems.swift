/// What one proxy has said on the nodes of a pool about keys that move: by CAS numbers, so that it can take it
/// back if nobody has said the same since.
public struct SaidItems: Equatable, Sendable {
    private var numbers: [String: [MarkerItem: UInt64]] = [:]

    public init() {}

    /// - Parameter node: its name in the ring.
    public mutating func note(_ item: MarkerItem, _ cas: UInt64, on node: String) {
        guard item == .moving || item == .objection, cas > 0 else { return }
        numbers[node, default: [:]][item] = cas
    }

    public func contains(_ node: String) -> Bool { numbers[node] != nil }

    /// All of the node, which is forgotten.
    public mutating func take(_ node: String) -> [(MarkerItem, cas: UInt64)] {
        (numbers.removeValue(forKey: node) ?? [:]).map { ($0.key, cas: $0.value) }
    }

    /// What stays said, and what is no longer so, when the proxy works by other settings of the pool.
    ///
    /// - That it moves keys, when it has gone back, or elsewhere: it would object to itself. Nobody else has moved reads
    ///   then: it would take the keys back from where they are read. (So it does not withdraw it then, nor while it goes
    ///   on: what others say of the same move is not to be taken for its own.)
    /// - Its objections, when it begins to move keys: who else objects says so again before anybody counts on silence.
    public func next(from before: PoolSettings, to after: PoolSettings) -> (said: SaidItems, outdated: SaidItems) {
        let isElsewhere = after.moving == nil || after.placesToken != before.placesToken
        let isReadThere = before.standing.placesToken == after.standing.placesToken
        let hasTurned = before.moving?.hasMoved == false && isElsewhere && isReadThere
        let begins = after.moving?.hasMoved == false
        var (said, outdated) = (SaidItems(), SaidItems())
        for (node, items) in numbers {
            for (item, cas) in items {
                switch item {
                case .moving where hasTurned, .objection where begins: outdated.note(item, cas, on: node)
                case .objection: said.note(item, cas, on: node)
                default: break
                }
            }
        }
        return (said, outdated)
    }
}
