internal import Bytes

/// When the keys of a pool's nodes were last taken to others, or home, in monotonic nanoseconds.
struct KeyMoves: BitwiseCopyable {
    var last: UInt64 = 0
    var before: UInt64 = 0
    /// For so long what was begun under another arrangement may still be sent.
    let patience: UInt64
}

/// Pools whose nodes stand in for each other: where a key belongs changes while they run.
extension Engine {
    /// The pool's keys are in other places from now on, or in two places, or no longer.
    func rearrange(pool: Int) {
        moves.update(pool) {
            if $0.last < now { ($0.before, $0.last) = ($0.last, now) }
        }
        let hasCopies = hasCopies(pool: UInt16(pool))
        for id in 0..<clients.bound where clients[id].flags.contains(.open) && Int(clients[id].pool) == pool {
            if hasCopies { clients[id].flags.insert(.copies) } else { clients[id].flags.remove(.copies) }
        }
    }

    /// The request, whose data block has come slowly, was given a place that is no longer the key's: whoever brings keys
    /// home does not wait for clients. (What came in the very turn of a change may be from before it.)
    func isMisplaced(_ request: UInt32) -> Bool {
        let (row, started) = (moves[Int(requests[request].pool)], requests[request].started)
        return started <= row.before || started <= row.last && now &- row.last > row.patience
    }
}
