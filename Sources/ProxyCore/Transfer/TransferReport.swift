/// What a transfer did, for logs, metrics and `drover status`.
public struct TransferReport: Equatable, Sendable {
    /// Items, and bytes of their values.
    public var copied = 0
    public var copiedBytes = 0
    /// The target had the key already.
    public var present = 0
    /// The source had it no more.
    public var gone = 0
    /// By `SkipReason`.
    public private(set) var skipped = [Int](repeating: 0, count: SkipReason.allCases.count)
    public var takenBack = 0
    /// Of a stale node's items.
    public var kept = 0
    public var dropped = 0
    /// No other full copy could prove them.
    public var unproven = 0
    public var verified = 0
    /// Differed, and were dropped to be copied again.
    public var diverged = 0
    public var absent = 0
    /// Copied again because a verification has found them to differ, or missing.
    public var repaired = 0
    /// Of a backup's items: their time was over. And places of its files that cannot be read.
    public var expired = 0
    public var damaged = 0
    /// Nanoseconds: of the first copy pass of each target, of the later ones, of the verify passes, of everything.
    public var copyTime: UInt64 = 0
    /// Of `copyTime`: until the nodes' items were listed. The pass itself counts it.
    public var listTime: UInt64 = 0
    public var syncTime: UInt64 = 0
    public var verifyTime: UInt64 = 0
    public var totalTime: UInt64 = 0

    public init() {}

    public func skipped(_ reason: SkipReason) -> Int { skipped[Int(reason.rawValue)] }

    /// - Parameter bytes: of the value.
    public mutating func count(_ outcome: CopyStep.Outcome, bytes: Int) {
        switch outcome {
        case .copied:
            copied += 1
            copiedBytes += bytes
        case .present: present += 1
        case .gone: gone += 1
        case .skipped(let reason): skipped[Int(reason.rawValue)] += 1
        case .takenBack: takenBack += 1
        case .failed: break
        }
    }

    public mutating func count(saved outcome: SaveStep.Outcome, bytes: Int) {
        switch outcome {
        case .saved: count(CopyStep.Outcome.copied, bytes: bytes)
        case .gone: gone += 1
        case .skipped(let reason): skipped[Int(reason.rawValue)] += 1
        case .failed: break
        }
    }

    public mutating func count(restored outcome: RestoreStep.Outcome, bytes: Int) {
        switch outcome {
        case .restored: count(CopyStep.Outcome.copied, bytes: bytes)
        case .present: present += 1
        case .skipped(let reason): skipped[Int(reason.rawValue)] += 1
        case .takenBack: takenBack += 1
        case .failed: break
        }
    }

    public mutating func count(_ outcome: CleanStep.Outcome) {
        switch outcome {
        case .kept: kept += 1
        case .dropped: dropped += 1
        case .failed: break
        }
    }

    public mutating func count(_ outcome: VerifyStep.Outcome) {
        if outcome != .failed { verified += 1 }
        switch outcome {
        case .diverged: diverged += 1
        case .absent: absent += 1
        case .agreed, .moved, .failed: break
        }
    }

    /// What a pass of the same transfer did; times are not added, but for what it counts itself.
    public mutating func add(_ pass: TransferReport) {
        copied += pass.copied
        copiedBytes += pass.copiedBytes
        present += pass.present
        gone += pass.gone
        for index in skipped.indices { skipped[index] += pass.skipped[index] }
        takenBack += pass.takenBack
        kept += pass.kept
        dropped += pass.dropped
        unproven += pass.unproven
        verified += pass.verified
        diverged += pass.diverged
        absent += pass.absent
        repaired += pass.repaired
        expired += pass.expired
        damaged += pass.damaged
        listTime &+= pass.listTime
    }

    public func adding(_ pass: TransferReport) -> TransferReport {
        var sum = self
        sum.add(pass)
        return sum
    }

    /// A pass is over that took so long.
    public mutating func count(_ pass: FillingPlan.Pass, time: UInt64) {
        switch pass {
        case .clean: break
        case .copy(let number): if number == 1 { copyTime &+= time } else { syncTime &+= time }
        case .verify: verifyTime &+= time
        }
    }
}
