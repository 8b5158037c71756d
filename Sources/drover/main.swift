import Glibc
import Logging
import Proxy
import ProxyCore

var nodes: [NodeSettings] = []
for p in CommandLine.arguments.dropFirst(3) { nodes.append(NodeSettings(address: .tcp(host: "127.0.0.1", port: UInt16(p)!))) }
var pool = PoolSettings(name: "main", listen: [.tcp(host: "127.0.0.1", port: UInt16(CommandLine.arguments[1])!)], nodes: nodes)
let control = Control(Settings(workers: Int(CommandLine.arguments[2])!, pools: [pool]), logger: Logger(label: "drover"))
try control.start()
control.run()
