internal import ArgumentParser
internal import Telemetry

/// Which node of which pool a job is about.
struct NodeArguments: ParsableArguments {
    @Argument(help: ArgumentHelp("The pool's name.", valueName: "pool"))
    var pool: String

    @Argument(help: ArgumentHelp("The node's name, or its address if it has none.", valueName: "node"))
    var node: String

    /// Where the job is asked for.
    func path(_ job: String) -> String {
        "/api/pools/\(PercentCoding.encode(pool))/nodes/\(PercentCoding.encode(node))/\(job)"
    }
}
