import DroverTesting
import ProxyCore
import Reactor
import Sockets

@testable import Proxy

/// A pass from one scripted node to another.
struct ScriptedPass {
    let thread: TransferThread
    let told = Ear()
    private let nodes: [ScriptedNode]

    /// Begins it.
    init(
        _ pass: FillingPlan.Pass = .copy(number: 1), source: ScriptedNode, target: ScriptedNode? = nil,
        timeout: UInt64 = 5_000_000_000
    ) {
        let mailbox = told.mailbox
        thread = TransferThread { mailbox.send($0) }
        let target = target ?? ScriptedNode(ScriptedNode.facts { $0.hasPrefix("lru") ? "END\r\n" : "HD c9\r\n" })
        nodes = [target, source]
        var settings = PoolSettings(
            name: "main", listen: [], nodes: nodes.map { NodeSettings(address: .unix(path: $0.address.host)) })
        settings.replicas = 2
        (settings.timeout, settings.connectTimeout) = (timeout, 5_000_000_000)
        thread.start(
            PassOrder(
                id: 1, pass: pass, pool: Topology([settings]).pools[0], target: 0,
                nodes: nodes.enumerated().map { PassOrder.Node(address: $1.address, isFull: $0 == 1) }))
    }

    func end() throws -> PassEnd { try TransferFarm.end(of: 1, told, seconds: 60) }
}
