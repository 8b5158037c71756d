internal import Bytes
public import Telemetry

/// Keys whose copies are only to be compared, which wait and are run like repairs. They are no repairs, and not counted,
/// until they are found to need one.
///
///     addCheck ── next ──▶ under way ── endCheck ──▶ gone
///        │                     │           └───────▶ a repair, as its copies differ
///        └─────────────────────┴── add ────────────▶ a repair, as a write asked for it
extension RepairQueue {
    /// At once. There is room for repairs first.
    static var checkLimit: Int { 8 }

    /// - Parameters: as with `add`.
    /// - Returns: false if it was not queued: there is no room, or it is to be repaired anyway.
    @discardableResult
    public func addCheck(_ key: RawSpan, isBase64: Bool, hash: UInt64, pool: UInt16, due: UInt64) -> Bool {
        guard key.byteCount > 0, key.byteCount <= RepairEntry.keyLimit, checkCount < Self.checkLimit,
            count < Int(entries.limit) / 2, find(key, isBase64, hash, pool) == Table<RepairEntry>.none
        else { return false }
        let slot = insert(key, isBase64, hash, pool, .check, at: due)
        entries[slot].isCheck = true
        checkCount += 1
        return true
    }

    /// A check is over, or cannot be done now.
    ///
    /// - Parameter suspicion: when its copies, which differ, are to be repaired, and the witness of how they do.
    public func endCheck(
        _ slot: UInt32, suspicion: (due: UInt64, witness: UInt64)?, counted stats: inout RepairStats
    ) {
        if !entries[slot].isCheck {
            // A write asked for its repair meanwhile, and it is counted as queued.
            entries[slot].missed.note(entries[slot].missedMeanwhile)
            setNeedsAllCopies(slot, !entries[slot].missed.isEmpty)
            enqueue(slot, at: entries[slot].due)
        } else if let suspicion {
            becomeRepair(slot, .check, counted: &stats)
            entries[slot].suspicion = suspicion.witness
            enqueue(slot, at: suspicion.due)
        } else {
            checkCount -= 1
            free(slot)
        }
    }

    /// What the check saw is not so any more, or cannot be seen now: the repair is given up, if no write has asked for it
    /// meanwhile. Another check will find what is still wrong.
    public func dropSuspicion(_ slot: UInt32, now: UInt64, counted stats: inout RepairStats) {
        guard entries[slot].isAskedAgain else { return abandon(slot, counted: &stats) }
        finished(slot, now: now, counted: &stats)
    }

    /// What the check saw was so, and is being corrected.
    public func confirmSuspicion(_ slot: UInt32) { entries[slot].suspicion = nil }

    func becomeRepair(_ slot: UInt32, _ reason: RepairReason, counted stats: inout RepairStats) {
        checkCount -= 1
        entries[slot].isCheck = false
        writes?.owesRepair(entries[slot].hash)
        entries[slot].reason = reason
        stats.queued.count(reason)
        stats.waiting += 1
    }
}
