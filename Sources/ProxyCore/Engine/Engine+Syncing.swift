internal import Bytes
internal import Distribution
internal import MemcacheProtocol

/// Writes of a key with copies that are not full.
///
///     full copies          as if there were no others: all at once, or the acting primary and then its effect
///     doubted copies       together with those, and decide nothing
///       │ all have answered or failed
///     syncing copies       a set as a set, if a full copy has stored it; else a delete of the key
///
/// Survivors first, so that whoever fills the others, and looks at the survivor once more after each item, sees every
/// change; a miss there, never a wrong value. `Tests/SimulationTests/WritePlan.swift` has the same rules for proxies in
/// simulated time. A doubted copy is one that only this worker does not read for now: a delete there would be a loss
/// as soon as it is proven anew.
/// A copy that has missed something and lets requests' time run out is left out while it does: it is revoked once more
/// for each write, as one that failed it, and so cannot be full by then; but nobody waits for that to happen again.
/// Where no copy is full, those that are doubted decide, and where there are none, all, the one that was whole last before
/// the others. One that follows, as where a key's only copy is on its way, decides nothing in any case.
extension Engine {
    /// All copies take writes and decide: nearly always.
    @inline(__always)
    func areFull(_ all: Copies) -> Bool {
        for index in all.indices where !nodes[all[index]].isFull { return false }
        return true
    }

    /// The copies that take writes, by rank, how many of them decide, and how many are asked together with those.
    func arranged(_ all: Copies) -> (copies: Copies, survivors: Int, together: Int) {
        var best = UInt64.max
        for index in all.indices where nodes[all[index]].mayLead { best = min(best, guessRank(all[index])) }
        let hasBetter = all.indices.contains { nodes[all[$0]].isFull || nodes[all[$0]].isDoubted }
        let live = all.arranged(6) { node in
            let row = nodes[node]
            if row.isFull { return 0 }
            if row.isDoubted { return 1 }
            guard row.isReachable, !row.isSilent || !hasBetter else { return nil }
            guard row.mayLead else { return 5 }
            if !row.verdict.hasContents { return 4 }
            return guessRank(node) == best ? 2 : 3
        }
        let full = live.indices.count { nodes[live[$0]].isFull }
        let doubted = live.indices.count { nodes[live[$0]].isDoubted }
        if full > 0 { return (live, full, full + doubted) }
        let leading = live.indices.count { nodes[live[$0]].mayLead }
        let survivors = doubted > 0 ? doubted : leading
        return (leading > 0 ? live : live.filter { nodes[$0].mayLead }, survivors, survivors)
    }

    /// The copies that decide have answered or failed: those that are being filled are told.
    func askLate(_ fan: UInt32) {
        let (own, row) = (fans[fan].own, fans[fan])
        guard row.isTaken || row.progress.isLost else {
            // Nothing was changed.
            fans[fan].progress.dismissLate()
            return
        }
        fans.update(fan) {
            ($0.goesToAll, $0.isDeciding) = (false, false)
            if $0.hasStored, $0.head.goesToAllCopies, $0.head.verb.carriesBody {
                $0.effect = .sameValue
            } else {
                $0.isDeleting = true
            }
            $0.progress.askLate(from: Int(row.together))
        }
        for rank in Int(row.together)..<row.nodes.count where requests[own].fan == fan {
            if isWritable(node: row.nodes[rank]) {
                send(to: rank, of: fan)
            } else {
                fans.update(fan) {
                    $0.progress.fail(rank)
                    $0.unsent |= 1 << UInt8(truncatingIfNeeded: rank)
                }
            }
        }
    }

    /// The copies, of all, that decided nothing and are full now: what came to them after they were may have come in
    /// another order than to the others, and a delete is one that nobody makes good.
    func overtaken(by fan: Fan, _ all: Copies) -> UInt8 {
        var mask: UInt8 = 0
        for index in all.indices {
            guard let rank = fan.nodes.index(of: all[index]), fan.progress.late & 1 << UInt8(rank) != 0 else {
                continue
            }
            if nodes[all[index]].isFull { mask |= 1 << UInt8(index) }
        }
        return mask
    }
}
