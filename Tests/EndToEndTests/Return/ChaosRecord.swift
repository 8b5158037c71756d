import DroverTesting

/// What is known of one key, which has one writer at a time: each operation with its times, so that it can be said of
/// every read whether it may show what it shows.
struct KeyRecord: Sendable {
    enum Outcome: Sendable { case pending, acknowledged, unknown }

    struct Operation: Sendable {
        /// What it stores; nil is a delete.
        var value: Int?
        var proxy: Int
        /// Nanoseconds.
        var start: UInt64
        var end: UInt64 = .max
        var outcome = Outcome.pending
    }

    /// The first is the key's absence at the start.
    private(set) var operations: [Operation] = [
        Operation(value: nil, proxy: -1, start: 0, end: 0, outcome: .acknowledged)
    ]
    /// A miss is no fault: the key is changed by commands that invalidate a copy which is being filled.
    var mayMiss = false
    /// All copies of what was acknowledged up to then may be gone.
    var lostBefore: UInt64 = 0

    mutating func begin(_ value: Int?, proxy: Int, at time: UInt64) {
        // What was superseded long ago is of no use.
        if operations.count > 64, let last = operations.lastIndex(where: { $0.isOld(at: time) }), last > 0 {
            operations.removeFirst(last)
        }
        operations.append(Operation(value: value, proxy: proxy, start: time))
    }

    mutating func end(_ outcome: Outcome, at time: UInt64) {
        operations[operations.count - 1].outcome = outcome
        operations[operations.count - 1].end = time
    }

    /// The command changed nothing: it is as if it had not been.
    mutating func withdraw() { operations.removeLast() }

    /// Whether a later operation was acknowledged so long before `time` that this one can no longer be seen there.
    ///
    /// - Parameter bound: how long after that the older value may be seen, by the proxies of the later operation and of
    ///   the read.
    private func isSuperseded(_ index: Int, at time: UInt64, _ proxy: Int, _ bound: (Int, Int) -> UInt64) -> Bool {
        operations[(index + 1)...].contains { later in
            later.outcome == .acknowledged && later.end &+ bound(later.proxy, proxy) < time
        }
    }

    /// Nil, or what is wrong with a read of this value (nil is a miss).
    func complaint(
        _ value: Int?, proxy: Int, from start: UInt64, to end: UInt64, bound: (Int, Int) -> UInt64
    ) -> String? {
        let candidates = operations.indices.filter { operations[$0].value == value && operations[$0].start <= end }
        if candidates.contains(where: { !isSuperseded($0, at: start, proxy, bound) }) { return nil }
        guard let value else {
            if mayMiss { return nil }
            // What was there last may have been lost with its copies.
            let last = operations.last { $0.outcome == .acknowledged && $0.end < start }
            if let last, last.end <= lostBefore { return nil }
            return "P1: a miss, though \(describe(last)) was acknowledged"
        }
        guard let candidate = candidates.last else { return "P4: \(value) was never written" }
        let newer = operations[(candidate + 1)...].last { $0.outcome == .acknowledged && $0.end < start }
        let rule = newer?.value == nil ? "P3" : "P2"
        let age = newer.map { Double(start - $0.end) / 1e9 } ?? 0
        return
            "\(rule): \(value), though \(describe(newer)) was acknowledged \(age) s before by proxy \(newer?.proxy ?? -1)"
    }

    private func describe(_ operation: Operation?) -> String {
        guard let operation else { return "nothing" }
        return operation.value.map { "\($0)" } ?? "a delete"
    }

    /// What copies may hold when all is quiet.
    func allowsAtTheEnd(_ value: Int?) -> Bool {
        let last = operations.lastIndex { $0.outcome == .acknowledged } ?? 0
        if operations[last...].contains(where: { $0.value == value }) { return true }
        return value == nil && (mayMiss || operations[last].end <= lostBefore)
    }
}

extension KeyRecord.Operation {
    fileprivate func isOld(at time: UInt64) -> Bool {
        outcome == .acknowledged && end < time && time - end > 60_000_000_000
    }
}
