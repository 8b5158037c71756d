/// What the tests of copies know the proxy's metrics and errors by.
enum CopiesNames {
    /// A gauge: keys that wait to be repaired, those whose repair is under way included.
    static let repairsWaiting = "drover_repairs_waiting"
    /// What a write is refused with where fewer copies live than `min_live` asks for.
    static let tooFewCopies = "SERVER_ERROR too few live copies\r\n"
    /// What a request may fail with when the nodes of its key do.
    static let nodeErrors = [
        "SERVER_ERROR node timed out", "SERVER_ERROR node is down", "SERVER_ERROR node connection failed",
    ]
}
