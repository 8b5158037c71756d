import DroverTesting

@testable import ProxyCore

/// One connection of a proxy to a node: what is sent arrives in order, some time.
final class SimulatedConnection {
    let owner: SimulatedProxy
    let node: Int
    /// Of the node's process.
    let start: Int
    let opened: UInt64
    var isOpen = true
    /// No message overtakes another.
    var lastToNode: UInt64 = 0
    var lastExecuted: UInt64 = 0
    var lastToProxy: UInt64 = 0
    /// What awaits its reply.
    var handlers: [Int: (NodeReply?) -> Void] = [:]

    init(owner: SimulatedProxy, node: Int, start: Int, now: UInt64) {
        self.owner = owner
        self.node = node
        self.start = start
        opened = now
    }
}

/// The way between a proxy and a node; messages that a cut holds up come through when it heals, as TCP has it.
struct SimulatedLink {
    var isCutToNode = false
    var isCutToProxy = false
    var held: [() -> Void] = []
}

extension Simulation {
    /// Sends a request. The handler gets the reply; or nil, when there is none in time or the connection was closed.
    func send(_ request: NodeRequest, on connection: SimulatedConnection, _ handler: @escaping (NodeReply?) -> Void) {
        guard connection.isOpen else { return handler(nil) }
        nextNumber += 1
        let number = nextNumber
        connection.handlers[number] = handler
        connection.lastToNode = max(connection.lastToNode, now + delay())
        at(connection.lastToNode) { [unowned self] in arrive(request, number, connection) }
        at(now + Self.timeout, of: connection.owner) {
            if connection.isOpen, connection.handlers[number] != nil {
                connection.owner.lose(connection.node, mayBeNew: false)
            }
        }
    }

    private func arrive(_ request: NodeRequest, _ number: Int, _ connection: SimulatedConnection) {
        // Reset: what had not arrived never will. (With a FIN instead the kernel would still deliver it.)
        guard connection.isOpen else { return }
        if links[connection.owner.index][connection.node].isCutToNode {
            links[connection.owner.index][connection.node].held.append { [unowned self] in
                at(now + delay()) { [unowned self] in arrive(request, number, connection) }
            }
            return
        }
        guard nodes[connection.node].isAlive, nodes[connection.node].starts == connection.start else {
            at(now + delay(), of: connection.owner) {
                if connection.isOpen { connection.owner.lose(connection.node, mayBeNew: true) }
            }
            return
        }
        let action = { [unowned self] in execute(request, number, connection) }
        if frozen[connection.node] != nil {
            frozen[connection.node]!.append((connection, action))
        } else if connection.lastExecuted > now {
            at(connection.lastExecuted, action)
        } else {
            action()
        }
    }

    private func execute(_ request: NodeRequest, _ number: Int, _ connection: SimulatedConnection) {
        let node = connection.node
        guard nodes[node].isAlive, nodes[node].starts == connection.start else { return }
        let reply = nodes[node].run(request, second: second) { [unowned self] in generator.once(in: 2) }
        executed(request, reply, at: node, by: connection.owner)
        connection.lastToProxy = max(connection.lastToProxy, now + delay())
        at(connection.lastToProxy) { [unowned self] in answer(reply, number, connection) }
    }

    private func answer(_ reply: NodeReply, _ number: Int, _ connection: SimulatedConnection) {
        if links[connection.owner.index][connection.node].isCutToProxy {
            links[connection.owner.index][connection.node].held.append { [unowned self] in
                at(now + delay()) { [unowned self] in answer(reply, number, connection) }
            }
            return
        }
        at(now, of: connection.owner) {
            if connection.isOpen { connection.handlers.removeValue(forKey: number)?(reply) }
        }
    }

    func delay() -> UInt64 {
        // Mostly half a millisecond, now and then many.
        generator.once(in: 50)
            ? UInt64(generator.random(below: 40)) * Self.millisecond
            : 100_000 + UInt64(generator.random(below: 900_000))
    }

    /// Closes with a reset: what awaits a reply fails.
    func close(_ connection: SimulatedConnection) {
        guard connection.isOpen else { return }
        connection.isOpen = false
        let handlers = connection.handlers.sorted { $0.key < $1.key }
        connection.handlers = [:]
        guard connection.owner.isAlive else { return }
        for handler in handlers { handler.value(nil) }
    }

    // MARK: Faults

    func cut(_ proxy: Int, _ node: Int, toNode: Bool, toProxy: Bool) {
        links[proxy][node].isCutToNode = toNode
        links[proxy][node].isCutToProxy = toProxy
    }

    func heal(_ proxy: Int, _ node: Int) {
        let held = links[proxy][node].held
        links[proxy][node] = SimulatedLink()
        for action in held { action() }
    }

    func freeze(_ node: Int) {
        if frozen[node] == nil, nodes[node].isAlive { frozen[node] = [] }
    }

    /// What the node had received is carried out within some milliseconds, of each connection in order.
    func thaw(_ node: Int) {
        guard let waiting = frozen.removeValue(forKey: node) else { return }
        for (connection, action) in waiting {
            let time = now + UInt64(generator.random(below: 20)) * Self.millisecond
            connection.lastExecuted = max(connection.lastExecuted, time)
            at(connection.lastExecuted, action)
        }
    }

    func kill(_ node: Int) {
        nodes[node].isAlive = false
        frozen[node] = nil
        for proxy in proxies where proxy.isAlive && !links[proxy.index][node].isCutToProxy {
            for connection in proxy.connections(to: node) {
                at(now + delay(), of: proxy) { if connection.isOpen { proxy.lose(node, mayBeNew: true) } }
            }
        }
    }
}
