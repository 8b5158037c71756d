internal import ArgumentParser
internal import ProxyCore

/// `drover dev`
struct Dev: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Try it: start real memcacheds and the proxy in front of them.",
        discussion: """
            Starts memcached children on free ports of 127.0.0.1 and serves them as one. Everything stops with it, \
            and nothing is left behind.

            EXAMPLES:
              drover dev
              drover dev --replicas 2
              drover dev --nodes 5 --port 11400 --memcached /opt/memcached/bin/memcached
            """)

    @Option(help: ArgumentHelp("How many memcacheds, 1 to 64.", valueName: "count"))
    var nodes = 3

    @Option(help: ArgumentHelp("Copies of each key, 1 to 8.", valueName: "count"))
    var replicas = 1

    @Option(help: ArgumentHelp("The proxy's port on 127.0.0.1.", valueName: "port"))
    var port: UInt16 = 11311

    @Option(help: ArgumentHelp("Port of the admin HTTP on 127.0.0.1; 0 is none.", valueName: "port"))
    var adminPort: UInt16 = 9411

    @Option(help: ArgumentHelp("The memcached to start; by default the one on PATH.", valueName: "path"))
    var memcached = "memcached"

    @OptionGroup var logs: LogOptions

    func validate() throws {
        guard (1...64).contains(nodes) else { throw ValidationError("--nodes \(nodes): use 1 to 64") }
        guard (1...8).contains(replicas) else { throw ValidationError("--replicas \(replicas): use 1 to 8") }
        guard replicas <= nodes else {
            throw ValidationError("--replicas \(replicas): as many nodes are needed, and --nodes says \(nodes)")
        }
        guard port > 0 else { throw ValidationError("--port 0: use 1 to 65535") }
    }

    func run() throws {
        var settings = Settings(workers: 1)
        if adminPort > 0 { settings.admin = .tcp(host: "127.0.0.1", port: adminPort) }
        let children = try startNodes()
        defer { for child in children { child.stop() } }
        var pool = PoolSettings(
            name: "dev", listen: [.tcp(host: "127.0.0.1", port: port)],
            nodes: children.enumerated().map { NodeSettings(address: $1.address, name: "node\($0 + 1)") })
        pool.replicas = replicas
        settings.pools = [pool]
        let exit = serve(settings: settings, logger: logs.logger(), ready: { Terminal.out(welcome(children)) })
        guard exit == .ok else { throw exit.code }
    }

    private func startNodes() throws -> [MemcachedChild] {
        var children: [MemcachedChild] = []
        for _ in 0..<nodes {
            guard let child = MemcachedChild.start(memcached) else {
                for child in children { child.stop() }
                Terminal.note(
                    "drover: cannot start \(memcached): is it installed? apt-get install memcached, or --memcached PATH"
                )
                throw DroverExit.unavailable.code
            }
            children.append(child)
        }
        return children
    }

    private func welcome(_ children: [MemcachedChild]) -> String {
        var lines = [
            "", "One memcached out of \(nodes)\(replicas > 1 ? ", \(replicas) copies of each key" : ""), until Ctrl-C:",
            "",
        ]
        for (index, child) in children.enumerated() {
            lines.append("  node\(index + 1)   \(child.address)   memcached, process \(child.process)")
        }
        lines.append("  proxy   127.0.0.1:\(port)   point any memcached client here")
        if adminPort > 0 { lines.append("  admin   http://127.0.0.1:\(adminPort)/metrics") }
        lines += [
            "", "Try it, in another terminal (bash):", "",
            "  exec 3<>/dev/tcp/127.0.0.1/\(port); "
                + "printf 'set hello 0 0 5\\r\\nworld\\r\\nget hello\\r\\nstats nodes\\r\\nquit\\r\\n' >&3; cat <&3",
            "",
        ]
        return lines.joined(separator: "\n")
    }
}
