internal import ProxyCore

/// What a change of a pool's config moves, for people.
enum MovementText {
    /// Flows that are shown one by one.
    private static let shown = 20

    /// - Parameter keys: that the pool has, where that is known.
    static func lines(from before: PoolSettings, to after: PoolSettings, keys: Double? = nil) -> [String] {
        guard let movement = KeyMovement(from: before, to: after) else {
            return ["pool \(before.name): distribution: random gives no key a node of its own"]
        }
        guard movement.moved > 0 || !movement.flows.isEmpty else { return ["pool \(before.name): no key moves"] }
        var lines = ["pool \(before.name): \(share(movement.moved)) of its keys are read from another node"]
        let got = after.hasCopies ? "get a copy on" : "are brought to"
        lines.append(
            areMoved(from: before, to: after)
                ? "  \(share(movement.made)) of its keys \(got) another node\(time(movement, after, keys))"
                : "  these are missed once: with one copy of each key, hash and hash_tag change at once")
        for flow in movement.flows.prefix(shown) { lines.append("  \(flow.from) -> \(flow.to)  \(share(flow.share))") }
        if movement.flows.count > shown { lines.append("  and \(movement.flows.count - shown) more ways") }
        return lines
    }

    /// Else they are read at their new places at once.
    private static func areMoved(from before: PoolSettings, to after: PoolSettings) -> Bool {
        if after.hasCopies { return true }
        guard !before.hasCopies, case .success(let next) = before.next(towards: after) else { return false }
        return next.moving != nil
    }

    private static func time(_ movement: KeyMovement, _ pool: PoolSettings, _ keys: Double?) -> String {
        guard let keys else { return "" }
        let seconds = movement.seconds(keys: keys, rate: pool.sync.rate)
        let span = seconds < 120 ? "\(Int(seconds.rounded(.up))) s" : "\(Int((seconds / 60).rounded(.up))) min"
        return ", \(Int(keys * movement.made)) items: about \(span) at \(pool.sync.rate)/s from each source"
    }

    /// A share in percent, with one digit behind the point; what is there is never 0.0%.
    private static func share(_ share: Double) -> String {
        let tenths = share > 0 ? max(1, Int((share * 1000).rounded())) : 0
        return "\(tenths / 10).\(tenths % 10)%"
    }
}
