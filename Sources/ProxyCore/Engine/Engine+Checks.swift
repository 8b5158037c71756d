internal import Bytes
internal import Distribution
internal import MemcacheProtocol
internal import Telemetry

/// When the next key of a pool is checked, and how the latest checks went.
struct CheckState: BitwiseCopyable {
    var due: UInt64
    var recent = RecentAnswers()
}

/// Now and then the copies of a key that a client asks for are compared: a sample of how well copies agree, which finds
/// what no write has noticed. A pool that nobody asks is not checked.
extension Engine {
    /// For the command that brought the key to be over.
    private static var checkDelay: UInt64 { 20_000_000 }

    /// Some pool is due for a check, whether it is asked or not.
    func planChecks() {
        var next = UInt64.max
        for pool in 0..<checks.count { next = min(next, checks[pool].due) }
        nextCheck = next
    }

    /// Takes a key of the command that the client's bytes begin with, if its pool is due for a check.
    @inline(never)
    func considerCheck(of id: UInt32, _ bytes: RawSpan) {
        let pool = clients[id].pool
        guard now >= checks[Int(pool)].due, clients[id].bodyLeft == 0, clients[id].flags.contains(.copies),
            !clients[id].flags.contains(.held)
        else {
            return
        }
        guard let head = reparse(bytes, pool: pool), head.keyCount > 0, !mayBeStale(head.verb) else { return }
        let key = head.keyCount > 1 ? reparser.key(at: Int((nextRandom() >> 20) % UInt64(head.keyCount))) : head.key
        let hash = hash(ofReparsed: key, head, in: bytes, pool: pool)
        repairs.addCheck(
            bytes.extracting(key.start..<key.end), isBase64: head.options.contains(.base64Key),
            hash: WriteTable.hash(hash, pool: pool),
            pool: pool, due: now &+ Self.checkDelay)
        let interval = unsafe pools[Int(pool)]._withUnsafeGuaranteedRef { $0.checkInterval }
        checks[Int(pool)].due = now &+ interval
        planChecks()
    }

    /// Whether the key may be one that its clients make stale, and replace: a look would take from them the right to.
    private func mayBeStale(_ verb: Verb) -> Bool { verb == .metaGet || verb == .metaDelete }

    /// A check has been done. What a write overlapped says nothing.
    ///
    /// A key that the source does not have is left alone, whatever the others have: nodes evict, and come back empty,
    /// and then a repair would take away what is left. So is one of a node that has been down: it may have missed writes,
    /// and which of the copies is the newest is known to no one but the repairs of those.
    ///
    /// The repair waits for the quiet time, and acts only on what has not changed meanwhile. A write of another proxy that
    /// has reached some of the copies is over by then, or its failure is known here: the copy that it missed is not full.
    func conclude(_ run: RepairRun, _ outcome: RepairPlan.Outcome, overlapped: Bool) {
        let isDifferent = outcome == .differed
        let isAnswer = !overlapped && (isDifferent || outcome == .agreed && run.plan.isFound)
        if isAnswer { count(check: !isDifferent, pool: Int(run.repair.pool)) }
        guard isAnswer, isDifferent, run.plan.isFound, !hasBeenDown(run.copies), let witness = run.plan.witness else {
            return endCheck(run.repair)
        }
        let delay = unsafe pools[Int(run.repair.pool)]._withUnsafeGuaranteedRef { $0.quietTime }
        endCheck(run.repair, suspicion: (now &+ delay, witness))
    }

    func endCheck(_ repair: Repair, suspicion: (due: UInt64, witness: UInt64)? = nil) {
        poolStats.update(Int(repair.pool)) {
            repairs.endCheck(repair.slot, suspicion: suspicion, counted: &$0.repairs)
        }
    }

    func dropSuspicion(_ repair: Repair) {
        poolStats.update(Int(repair.pool)) { repairs.dropSuspicion(repair.slot, now: now, counted: &$0.repairs) }
    }

    /// One of them may have missed writes. Where markers are kept, one that is full has not.
    func hasBeenDown(_ copies: Copies) -> Bool {
        copies.indices.contains {
            let row = nodes[copies[$0]]
            return row.verdict.isMarked ? !row.isFull : row.hasBeenDown
        }
    }

    private func count(check agrees: Bool, pool: Int) {
        checks[pool].recent.add(agrees)
        let recent = checks[pool].recent
        poolStats.update(pool) {
            if agrees { $0.consistency.agreeing &+= 1 } else { $0.consistency.differing &+= 1 }
            $0.consistency.recent = recent.count
            $0.consistency.recentAgreeing = recent.yes
        }
    }
}
