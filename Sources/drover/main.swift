import Glibc
import Logging
import Proxy
import ProxyConfig
import ProxyCore

// serve -c FILE, until the command line proper is here
let config = try ConfigFile.load(CommandLine.arguments[3])
let control = Control(config.settings, logger: Logger(label: "drover") { StreamLogHandler.standardError(label: $0) })
do { try control.start() } catch { print(error); exit(1) }
control.run()
