internal import ArgumentParser
internal import Telemetry

/// `drover drain POOL NODE`
struct Drain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Move a node's keys to the others, and have it leave its pool.",
        discussion: """
            For a pool with copies, as a reload without the node does it: writes go to the old and the new owners of \
            each key until these are filled and verified; then reads move. After that the node may be switched off.

            The config still names the node: take it out there too, or the next reload brings it back. Other proxies \
            of the same nodes have to be told the same at the same time.

            EXAMPLE:
              drover drain main node2
            """)

    @Argument(help: ArgumentHelp("The pool's name.", valueName: "pool"))
    var pool: String

    @Argument(help: ArgumentHelp("The node's name, or its address if it has none.", valueName: "node"))
    var node: String

    @OptionGroup var admin: AdminOption
    @OptionGroup var job: JobOptions

    func run() throws {
        let path = "/api/pools/\(PercentCoding.encode(pool))/nodes/\(PercentCoding.encode(node))/drain"
        throw try job.follow(path, of: admin)
    }
}
