/// How well a pool's keys are kept, at one moment. Shares are 0 to 1; nil is not known.
public struct PoolQuality: Equatable, Sendable {
    /// Of the keys whose copies were compared last, those that agreed.
    public var consistency: Double?
    /// Of the copies of all keys, those on nodes that are read.
    public var availability: Double
    /// Of the keys that were there when the last backup was made, those that it has. What was written since is not known.
    public var persistence: Double?
    /// Of that backup, in seconds.
    public var backupAge: Double?

    /// - Parameter backup: the last that was finished.
    public init(consistency: Double?, availability: Double, backup: BackupRecord?, now: UInt64) {
        (self.consistency, self.availability) = (consistency, availability)
        persistence = backup?.share
        backupAge = backup.map { Double(now - min(now, $0.time)) / 1e9 }
    }

    /// A transfer's report tells both; after is nil while it runs.
    public static func figures(before: PoolQuality?, after: PoolQuality?) -> [(name: String, value: Double?)] {
        [
            ("consistency_before_ratio", before?.consistency), ("consistency_after_ratio", after?.consistency),
            ("availability_before_ratio", before?.availability), ("availability_after_ratio", after?.availability),
            ("persistence_before_ratio", before?.persistence), ("persistence_after_ratio", after?.persistence),
            ("backup_age_seconds", (after ?? before)?.backupAge),
        ]
    }
}

/// What is left to know of a backup when it is over.
public struct BackupRecord: Equatable, Sendable {
    /// Of the keys that it found, those that it has.
    public let share: Double
    /// Monotonic nanoseconds.
    public let time: UInt64

    /// Nil where it found no keys. What went while it ran was no longer there to be saved.
    public init?(of report: TransferReport, time: UInt64) {
        let left = SkipReason.allCases.reduce(0) { $0 + report.skipped($1) }
        guard report.copied + left > 0 else { return nil }
        share = Double(report.copied) / Double(report.copied + left)
        self.time = time
    }
}
