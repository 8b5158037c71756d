internal import ArgumentParser
internal import Telemetry

/// `drover sync POOL NODE`
struct Sync: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Fill a node anew from the other copies of its keys.",
        discussion: """
            For a node whose contents you do not trust. It is not read until it is filled and verified; writes go to \
            it all the time. A node that was down needs no command: it is filled by itself when it is back.

            The job belongs to the proxy: Ctrl-C leaves it running.

            EXAMPLES:
              drover sync main node2
              drover sync main 10.0.0.2:11211 --no-wait
            """)

    @OptionGroup var node: NodeArguments
    @OptionGroup var admin: AdminOption
    @OptionGroup var job: JobOptions

    func run() throws {
        throw try job.follow(node.path("sync"), of: admin)
    }
}

/// `drover verify POOL`
struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare all copies of a pool's keys.",
        discussion: """
            Tells how many keys' copies differ, while clients go on. With --repair those that differ are made equal. \
            --sample 100 takes one key in a hundred: a hundredth of the work, and a share that is as good.

            The job belongs to the proxy: Ctrl-C leaves it running.

            EXAMPLES:
              drover verify main
              drover verify main --sample 100 --json
              drover verify main --repair
            """)

    @Argument(help: ArgumentHelp("The pool's name.", valueName: "pool"))
    var pool: String

    @Flag(help: "Make copies equal that differ.")
    var repair = false

    @Option(help: ArgumentHelp("Take one key in so many, 1 to 1000000.", valueName: "count"))
    var sample = 1

    @OptionGroup var admin: AdminOption
    @OptionGroup var job: JobOptions

    func validate() throws {
        guard (1...1_000_000).contains(sample) else { throw ValidationError("--sample \(sample): use 1 to 1000000") }
    }

    func run() throws {
        let query = "repair=\(repair ? 1 : 0)&sample=\(sample)"
        throw try job.follow("/api/pools/\(PercentCoding.encode(pool))/verify?\(query)", of: admin)
    }
}
