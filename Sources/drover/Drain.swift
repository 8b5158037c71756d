internal import ArgumentParser

/// `drover drain POOL NODE`
struct Drain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Move a node's keys to the others, and have it leave its pool.",
        discussion: """
            As a reload without the node does it: writes go to the old and the new owners of each key until these are \
            filled and verified; then reads move. After that the node may be switched off.

            The config still names the node: take it out there too, or the next reload brings it back. Other proxies \
            of the same nodes have to be told the same at the same time.

            EXAMPLE:
              drover drain main node2
            """)

    @OptionGroup var node: NodeArguments
    @OptionGroup var admin: AdminOption
    @OptionGroup var job: JobOptions

    func run() throws {
        throw try job.follow(node.path("drain"), of: admin)
    }
}
