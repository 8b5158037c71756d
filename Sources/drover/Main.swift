internal import ArgumentParser

/// The version that `--version` shows.
let droverVersion = "0.1.0"

/// The command line's root: only `--help`, `--version` and the list of commands.
@main
struct Drover: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drover",
        abstract: "One memcached out of many: a sharding proxy.",
        discussion: """
            Applications talk to drover as if it were one memcached; it spreads their keys over many. It speaks \
            memcached's text protocol, classic and meta, over TCP and Unix sockets, and puts keys where libmemcached \
            and twemproxy put them.

            EXAMPLES:
              drover dev
                  try it: three memcacheds and the proxy on 127.0.0.1:11311
              drover check drover.yml
                  is the file right, and what in it will hurt
              drover serve -c drover.yml
                  run it
              drover lookup -c drover.yml main user:42
                  which node has the key
              drover check --from nutcracker.yml > drover.yml
                  come over from twemproxy; no key moves
              drover status
                  how the running proxy and its nodes are
              drover sync main node2
                  fill a node anew from the other copies

            \(DroverExit.help)
            """,
        version: "drover \(droverVersion)",
        subcommands: [Serve.self, Dev.self, Check.self, Lookup.self, Bench.self],
        groupedSubcommands: [
            CommandGroup(
                name: "Running Proxy",
                subcommands: [
                    Status.self, Reload.self, Sync.self, Drain.self, Verify.self, Backup.self, Restore.self, Pause.self,
                    Resume.self,
                    Cancel.self,
                ])
        ])
}
