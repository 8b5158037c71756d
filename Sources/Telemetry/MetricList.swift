/// One metric, by Prometheus' conventions: base units, `_total` for what only grows.
public struct Metric: Sendable, Equatable {
    public enum Kind: String, Sendable { case counter, gauge, histogram }
    public enum Unit: String, Sendable { case none, seconds, bytes }

    public let name: String
    public let kind: Kind
    public let unit: Unit
    public let help: String

    init(_ name: String, _ kind: Kind, _ unit: Unit, _ help: String) {
        self.name = "drover_" + name
        self.kind = kind
        self.unit = unit
        self.help = help
    }
}

/// The one table of metrics: what is not here is not shown.
public enum MetricList {
    // The process.
    static let buildInfo = Metric("build_info", .gauge, .none, "Always 1; the version is in the label.")
    static let startTime = Metric("start_time_seconds", .gauge, .seconds, "Unix time of the start.")
    static let uptime = Metric("uptime_seconds", .gauge, .seconds, "Time since the start.")
    static let workers = Metric("workers", .gauge, .none, "Event loops, each on a thread of its own.")
    static let resident = Metric("resident_memory_bytes", .gauge, .bytes, "Memory of the process that is in RAM.")
    static let buffers = Metric("buffer_bytes", .gauge, .bytes, "Bytes of buffer in use, of all workers.")
    static let bufferLimit = Metric(
        "buffer_limit_bytes", .gauge, .bytes, "Bytes of buffer that all workers together may use.")
    static let turns = Metric("loop_turns_total", .counter, .none, "Turns of the event loops.")
    static let reads = Metric("reads_total", .counter, .none, "Calls that read from a socket.")
    static let writes = Metric("writes_total", .counter, .none, "Calls that write to a socket.")

    // Pools.
    static let requests = Metric("requests_total", .counter, .none, "Requests of clients, by command.")
    static let hits = Metric("hits_total", .counter, .none, "Keys found, by command.")
    static let misses = Metric("misses_total", .counter, .none, "Keys not found, by command.")
    static let errors = Metric(
        "errors_total", .counter, .none, "Requests, and clients, that failed or were refused or held back, by cause.")
    static let retries = Metric("retries_total", .counter, .none, "Requests sent again on another connection.")
    static let copiesWritten = Metric("copies_written_total", .counter, .none, "Copies that answered a write.")
    static let copiesFailed = Metric(
        "copies_failed_total", .counter, .none, "Copies that were asked to write and did not answer, by cause.")
    static let copiesRepaired = Metric("copies_repaired_total", .counter, .none, "Copies that a repair has changed.")
    static let acknowledged = Metric(
        "writes_acknowledged_total", .counter, .none,
        "Writes whose client was answered, by how many copies had answered by then.")
    static let failovers = Metric(
        "failovers_total", .counter, .none,
        "Keys asked of another copy because the one before did not answer or is down, by cause.")
    static let duration = Metric(
        "request_duration_seconds", .histogram, .seconds, "From a request read to its reply queued.")
    static let received = Metric("client_received_bytes_total", .counter, .bytes, "Bytes read from clients.")
    static let sent = Metric("client_sent_bytes_total", .counter, .bytes, "Bytes written to clients.")
    static let connections = Metric("client_connections", .gauge, .none, "Clients connected now.")
    static let accepted = Metric("client_connections_total", .counter, .none, "Clients accepted.")
    static let refused = Metric(
        "client_connections_refused_total", .counter, .none, "Clients turned away because there were too many.")
    static let hedges = Metric(
        "hedges_total", .counter, .none, "Reads that asked a second copy because the first was slow.")
    static let hedgesWon = Metric(
        "hedges_won_total", .counter, .none, "Reads that the second copy answered first.")
    static let backFills = Metric(
        "back_fills_total", .counter, .none, "Copies that lacked a key and got it back from another.")
    static let backFillsUndone = Metric(
        "back_fills_undone_total", .counter, .none, "Copies that gave such a key back because it was being written.")
    static let unprovenReads = Metric(
        "pool_unproven_reads_total", .counter, .none,
        "Keys read from a copy that may have missed writes, because no copy is known to be whole.")
    static let repairsQueued = Metric(
        "repairs_queued_total", .counter, .none, "Keys queued for repair of their copies, by reason.")
    static let repairsDropped = Metric(
        "repairs_dropped_total", .counter, .none, "Keys not queued for repair because the queue was full, by reason.")
    static let repairsDone = Metric(
        "repairs_done_total", .counter, .none, "Keys whose copies were found or made equal, by reason.")
    static let repairsAbandoned = Metric(
        "repairs_abandoned_total", .counter, .none, "Keys whose repair was given up after too many tries.")
    static let repairRetries = Metric("repair_retries_total", .counter, .none, "Repairs that were put off.")
    static let repairsWaiting = Metric(
        "repairs_waiting", .gauge, .none, "Keys that wait for their repair, or are being repaired.")
    static let available = Metric(
        "pool_availability_ratio", .gauge, .none, "Share of the keys' copies that are on nodes that are up.")
    static let readable = Metric(
        "pool_readable_ratio", .gauge, .none, "Share of the keys that have a copy on a node that is up.")
    static let writable = Metric(
        "pool_writable_ratio", .gauge, .none, "Share of the keys that have min_live copies on nodes that are up.")
    static let checks = Metric(
        "consistency_checks_total", .counter, .none, "Keys whose live copies were compared, by result.")
    static let consistency = Metric(
        "pool_consistency_ratio", .gauge, .none, "Share of the latest checks whose live copies agreed.")

    // Nodes.
    static let nodeState = Metric("node_state", .gauge, .none, "1 for the state that the node is in, 0 for the others.")
    static let nodeRequests = Metric("node_requests_total", .counter, .none, "Requests sent to the node.")
    static let nodeErrors = Metric(
        "node_errors_total", .counter, .none, "Failures of the node, by cause: of connections and of replies.")
    static let nodeInFlight = Metric(
        "node_in_flight_requests", .gauge, .none, "Requests that wait for the node's reply.")
    static let nodeConnections = Metric("node_connections", .gauge, .none, "Connections to the node, open now.")
    static let nodeConnects = Metric("node_connects_total", .counter, .none, "Connections to the node that were made.")
    static let nodeRetries = Metric(
        "node_retries_total", .counter, .none, "Requests sent again after their connection died.")
    static let nodeReceived = Metric("node_received_bytes_total", .counter, .bytes, "Bytes read from the node.")
    static let nodeSent = Metric("node_sent_bytes_total", .counter, .bytes, "Bytes written to the node.")
    static let nodeDuration = Metric(
        "node_request_duration_seconds", .histogram, .seconds, "From a request queued to the node's whole reply.")

    // Jobs.
    static let jobRunning = Metric("job_running", .gauge, .none, "1 while the job runs, 0 while it is paused.")
    static let jobItemsDone = Metric("job_items_done", .gauge, .none, "Items of the pass under way that are done.")
    static let jobItemsKnown = Metric("job_items_known", .gauge, .none, "Items of the pass under way, as far as known.")

    /// In the order in which they are shown.
    public static let all: [Metric] = [
        buildInfo, startTime, uptime, workers, resident, buffers, bufferLimit, turns, reads, writes,
        requests, hits, misses, errors, retries, copiesWritten, copiesFailed, copiesRepaired, acknowledged,
        failovers, hedges, hedgesWon, backFills, backFillsUndone, unprovenReads, duration, received, sent,
        connections, accepted, refused,
        repairsQueued, repairsDropped, repairsDone, repairsAbandoned, repairRetries, repairsWaiting,
        available, readable, writable, checks, consistency,
        nodeState, nodeRequests, nodeErrors, nodeInFlight, nodeConnections, nodeConnects, nodeRetries, nodeReceived,
        nodeSent, nodeDuration, jobRunning, jobItemsDone, jobItemsKnown,
    ]
}
