/// Follows a job where nobody watches a terminal: says which of its views are worth a line.
public struct JobLog: Sendable {
    /// Seconds between two lines while only numbers change.
    private let interval: Double
    private var last: (line: String, time: Double, state: JobView.State, phase: String)?

    public init(interval: Double = 5) { self.interval = interval }

    /// The job's line if it is due: at first, when it does something else, and now and then if anything has changed.
    /// - Parameter time: seconds of any clock that only goes forward.
    public mutating func line(for job: JobView, at time: Double) -> String? {
        let line = job.line
        if let last, last.state == job.state, last.phase == job.phase {
            guard last.line != line, time - last.time >= interval else { return nil }
        }
        last = (line, time, job.state, job.phase)
        return line
    }
}
