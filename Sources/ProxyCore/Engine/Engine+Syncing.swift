internal import Bytes
internal import Distribution
internal import MemcacheProtocol

/// Writes of a key with a copy that is being filled.
///
///     full copies          as if there were no others: all at once, or the acting primary and then its effect
///       │ all have answered or failed
///     syncing copies       a set as a set, if a full copy has stored it; else a delete of the key
///
/// Survivors first, so that whoever fills the others, and looks at the survivor once more after each item, sees every
/// change; a miss there, never a wrong value. `WritePlan` has the same rules, where they are proven.
extension Engine {
    /// The copies that take writes, by rank, and how many of them decide. Where none is full, all do as well as they can.
    @inline(__always)
    func writable(_ all: Copies) -> (copies: Copies, survivors: Int) {
        for index in all.indices where !nodes[all[index]].isFull { return arranged(all) }
        return (all, all.count)
    }

    @inline(never)
    private func arranged(_ all: Copies) -> (copies: Copies, survivors: Int) {
        let survivors = all.indices.count { nodes[all[$0]].isFull || nodes[all[$0]].isFresh }
        let live = all.arranged(3) { node in
            let row = nodes[node]
            // Writes that began before it was full, and come to it last, would come behind what it decides itself.
            if row.isFull || survivors == 0 && row.isReachable { return 0 }
            return row.isFresh ? 1 : row.isReachable ? 2 : nil
        }
        return (live, survivors == 0 ? live.count : survivors)
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
            $0.progress.askLate()
        }
        for rank in Int(row.survivors)..<row.nodes.count where requests[own].fan == fan {
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

    /// The copies, of all, that were filled while the write was under way, and have lost its key to it.
    func wronglyDeleted(by fan: Fan, _ all: Copies) -> UInt8 {
        guard fan.isDeleting else { return 0 }
        var mask: UInt8 = 0
        for index in all.indices {
            guard let rank = fan.nodes.index(of: all[index]), rank >= fan.survivors else { continue }
            if nodes[all[index]].isFresh || nodes[all[index]].isFull { mask |= 1 << UInt8(index) }
        }
        return mask
    }
}
