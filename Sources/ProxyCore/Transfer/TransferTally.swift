/// What a job's passes have done, told when they begin and end: it adds up what they counted and how long they took, and
/// knows which of them put right what one before has found. It reads no clock; times are nanoseconds.
public struct TransferTally: Sendable {
    private struct Running {
        var pass: FillingPlan.Pass
        var target: Int
        /// Nil once its time is counted.
        var began: UInt64?
        var isRepair: Bool
    }

    /// All passes together, with what is known of the one under way.
    public private(set) var report = TransferReport()
    /// Of those that are over.
    private var past = TransferReport()
    private var running: Running?
    /// The target on which the last verification found something to put right.
    private var flawed: Int?

    public init() {}

    public mutating func began(_ pass: FillingPlan.Pass, on target: Int, now: UInt64) {
        if flawed != target { flawed = nil }
        let isCopy = if case .copy = pass { true } else { false }
        running = Running(pass: pass, target: target, began: now, isRepair: isCopy && flawed != nil)
    }

    /// What the pass under way has done so far.
    public mutating func progressed(_ pass: TransferReport) { report = sum(pass) }

    /// - Parameter changed: items that the pass has added, dropped or missed.
    public mutating func ended(_ pass: TransferReport, changed: Int, isWhole: Bool, now: UInt64) {
        closed(now: now)
        past = sum(pass)
        report = past
        // What follows a pass that was cut short begins anew.
        if !isWhole { flawed = nil }
        if isWhole, let running, running.pass == .verify { flawed = changed > 0 ? running.target : nil }
        running = nil
    }

    /// The job is over, and no pass takes any more of its time; what one still has to tell is counted.
    public mutating func closed(now: UInt64) {
        guard let running, let began = running.began else { return }
        let time = now - min(now, began)
        past.count(running.pass, time: time)
        report.count(running.pass, time: time)
        self.running?.began = nil
    }

    private func sum(_ pass: TransferReport) -> TransferReport {
        var sum = past.adding(pass)
        if running?.isRepair == true { sum.repaired += pass.copied }
        return sum
    }
}
