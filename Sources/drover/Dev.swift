internal import ArgumentParser

/// `drover dev`
struct Dev: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Try it: start real memcacheds and the proxy in front of them.",
        discussion: """
            Starts memcached children on free ports of 127.0.0.1 and serves them as one. Everything stops with it, \
            and nothing is left behind.

            EXAMPLES:
              drover dev
              drover dev --nodes 5 --port 11400 --memcached /opt/memcached/bin/memcached
            """)

    @Option(help: ArgumentHelp("How many memcacheds, 1 to 64.", valueName: "count"))
    var nodes = 3

    @Option(help: ArgumentHelp("The proxy's port on 127.0.0.1.", valueName: "port"))
    var port: UInt16 = 11311

    @Option(help: ArgumentHelp("Port of the admin HTTP on 127.0.0.1; 0 is none.", valueName: "port"))
    var adminPort: UInt16 = 9411

    @Option(help: ArgumentHelp("The memcached to start; by default the one on PATH.", valueName: "path"))
    var memcached = "memcached"

    @OptionGroup var logs: LogOptions

    func validate() throws {
        guard (1...64).contains(nodes) else { throw ValidationError("--nodes \(nodes): use 1 to 64") }
        guard port > 0 else { throw ValidationError("--port 0: use 1 to 65535") }
    }

    func run() throws {
        Terminal.note("drover: dev is not in this build")
        throw DroverExit.unavailable.code
    }
}
