extension AdminView {
    /// Jobs that are not over. Where two have the same labels the newer one counts: a metric has one value.
    func addJobs(to text: inout MetricText) {
        var current: [(labels: MetricText.Labels, job: JobView)] = []
        for job in jobs.reversed() where !job.isOver {
            let isKnown = current.contains {
                $0.job.pool == job.pool && $0.job.node == job.node && $0.job.kind == job.kind
            }
            // A label without a value is one that is not there.
            if !isKnown { current.append(([("pool", job.pool), ("node", job.node ?? ""), ("kind", job.kind)], job)) }
        }
        let values: [(metric: Metric, value: (JobView) -> Int)] = [
            (MetricList.jobRunning, { $0.state == .running ? 1 : 0 }), (MetricList.jobItemsDone, { $0.done }),
            (MetricList.jobItemsKnown, { $0.known }),
        ]
        for (metric, value) in values {
            text.begin(metric)
            for (labels, job) in current.reversed() { text.sample(metric, labels, value(job)) }
        }
    }
}
