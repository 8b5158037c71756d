import ArgumentParser
import Glibc
import Logging
import Proxy
import ProxyConfig
import ProxyCore

struct Root: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "drover", subcommands: [Bench.self])
}

// serve -c FILE, until the command line proper is here
guard CommandLine.arguments.count > 3, CommandLine.arguments[1] == "serve" else {
    Root.main()
    exit(0)
}
let config = try ConfigFile.load(CommandLine.arguments[3])
let control = Control(config.settings, logger: Logger(label: "drover") { StreamLogHandler.standardError(label: $0) })
do { try control.start() } catch { print(error); exit(1) }
control.run()
