@testable import ProxyCore

/// All writes of one key, which are made one after the other, and what a read may find by them.
///
/// The promises, numbered as the docs number them:
///
/// - P1 what was acknowledged is not lost while a node lives that holds it;
/// - P2 no value older than the newest acknowledged write: at once through the proxy that acknowledged it, after `bound`
///   through the others;
/// - P3 what was deleted or has expired does not come back;
/// - P4 flags and time to live are those of the write;
/// - P5 in the end all copies that have the key have the same.
struct KeyHistory {
    enum State { case pending, acknowledged, failed, refused }

    struct Write {
        let number: Int
        let operation: SimulatedProxy.Operation
        let proxy: Int
        let started: UInt64
        var ended: UInt64 = .max
        var state = State.pending
        /// What is stored after it; nil is nothing.
        var value: Int?
        var expiry: Int64?
    }

    private(set) var writes: [Write] = []
    /// No node could be relied on for this key: anything may be read until it is written again on sound nodes.
    var isExempt = false
    /// The node that held it alone is gone.
    var mayBeLost = false
    /// Some copy lacks it, which could not tell what has become of it.
    var mayBeMissed = false
    /// Writes before this one say nothing.
    private var first = 0
    private(set) var lastActivity: UInt64 = 0

    var isPending: Bool { writes.last?.state == .pending }

    mutating func begin(_ write: Write, now: UInt64) {
        writes.append(write)
        lastActivity = now
    }

    /// - Parameters:
    ///   - before: what a modify or a touch found.
    ///   - isSound: the whole write went to sound nodes.
    mutating func end(
        number: Int, _ verdict: SimulatedProxy.Verdict, now: UInt64, isSound: Bool, bound: UInt64
    ) -> String? {
        guard let index = writes.lastIndex(where: { $0.number == number }) else { return nil }
        lastActivity = now
        writes[index].ended = now
        var complaint: String?
        switch verdict {
        case .refused: writes[index].state = .refused
        case .failed: writes[index].state = .failed
        case .acknowledged(let before):
            writes[index].state = .acknowledged
            switch (writes[index].operation, before) {
            case (.touch, let before?): writes[index].value = before
            case (.modify, let before?): writes[index].value = modified(before, by: number)
            default: break
            }
            if let before, before != 0 {
                switch writes[index].operation {
                case .modify, .touch:
                    complaint = check(
                        value: before, flags: nil, asked: writes[index].started, proxy: writes[index].proxy,
                        second: nil, bound: bound)
                case .set, .delete: break
                }
            }
            switch writes[index].operation {
            case .set, .delete:
                (mayBeLost, mayBeMissed) = (false, false)
                if isSound {
                    if isExempt { first = index }
                    isExempt = false
                }
            case .modify, .touch: break
            }
        }
        return complaint
    }

    /// The newest write whose acknowledgement binds a read through this proxy that was asked for then.
    private func bindingIndex(asked: UInt64, proxy: Int?, bound: UInt64) -> Int {
        var index = writes.count - 1
        while index > first {
            let write = writes[index]
            if write.state == .acknowledged {
                if write.ended <= asked, write.proxy == proxy { return index }
                if write.ended.addingSaturated(bound) <= asked { return index }
            }
            index -= 1
        }
        return first
    }

    /// What is wrong with a value that was read; nil if nothing is.
    ///
    /// - Parameters:
    ///   - proxy: nil binds by all acknowledgements at once.
    ///   - second: of the earliest moment at which it can have been read.
    func check(
        value: Int, flags: UInt32?, asked: UInt64, proxy: Int?, second: Int64?, bound: UInt64
    ) -> String? {
        // What was asked for while the key was exempt is, too.
        guard !isExempt, first == 0 || writes[first].ended <= asked else { return nil }
        if let flags, flags != UInt32(value & 0xffff) { return "P4: value \(value) has flags \(flags)" }
        let binding = bindingIndex(asked: asked, proxy: proxy, bound: bound)
        guard let found = writes.lastIndex(where: { $0.value == value && $0.state != .refused }) else {
            return "P2: value \(value) was never written"
        }
        guard found >= binding else {
            let newest = writes[binding]
            let name = newest.operation == .delete ? "P3: deleted" : "P2: older"
            return "\(name): value \(value) (write \(found)) after write \(binding) \(newest.operation) "
                + "acknowledged by proxy \(newest.proxy) at \(Simulation.text(newest.ended))"
        }
        if let second {
            let lives = writes[binding...].contains {
                $0.value == value && $0.state != .refused && ($0.expiry ?? .max) + ($0.expiry == nil ? 0 : 2) > second
            }
            if !lives { return "P3: value \(value) has expired" }
        }
        return nil
    }

    /// What is wrong with finding nothing; nil if nothing is.
    func checkMiss(asked: UInt64, second: Int64, bound: UInt64) -> String? {
        guard !isExempt, !mayBeLost, !mayBeMissed, let last = settled, last.value != nil,
            last.ended.addingSaturated(bound) <= asked, (last.expiry ?? .max) > second + 2
        else { return nil }
        return "P1: nothing after write \(writes.count - 1) \(last.operation) acknowledged by proxy \(last.proxy) at "
            + Simulation.text(last.ended)
    }

    /// The write that the key's state follows from, if nothing since is in doubt.
    var settled: Write? {
        guard let last = writes.last(where: { $0.state != .refused }), last.state == .acknowledged else { return nil }
        return last
    }

    /// What a new write of this kind leaves.
    func outcome(of operation: SimulatedProxy.Operation, number: Int) -> (value: Int?, expiry: Int64?) {
        switch operation {
        case .set(let expiry): (number, expiry)
        case .delete: (nil, nil)
        case .modify: (modified(settled?.value ?? 0, by: number), settled?.expiry)
        case .touch(let expiry): (settled?.value, expiry)
        }
    }

    func describe() -> String {
        writes.enumerated().map {
            "  write \($0) \($1.number) \($1.operation) proxy \($1.proxy) \(Simulation.text($1.started))..."
                + "\($1.ended == .max ? "" : Simulation.text($1.ended)) \($1.state)"
        }.joined(separator: "\n")
    }
}
