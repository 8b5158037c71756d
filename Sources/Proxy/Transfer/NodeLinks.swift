internal import Bytes
internal import ProxyCore
internal import Reactor

/// Connections to all full nodes of a pool, for work that is no lane from one source to one target. By place in the pool.
struct NodeLinks {
    private var links: [ItemLink?]

    init(count: Int) { links = Array(repeating: nil, count: count) }

    /// - Parameters:
    ///   - depth: commands that may be under way on one of them.
    ///   - token: of the first node's watch; the others' are the next.
    mutating func open(_ order: ArchiveOrder, depth: Int, queues: ByteQueues, token: UInt64, on loop: EventLoop) {
        let settings = order.pool.settings
        for node in order.nodes.indices where order.nodes[node].isFull {
            links[node] = ItemLink(
                to: node, at: order.nodes[node].address, timeout: settings.timeout,
                connectTimeout: settings.connectTimeout, depth: depth, queues: queues, token: token + UInt64(node),
                on: loop)
        }
    }

    subscript(node: Int) -> ItemLink? { links[node] }

    /// When one of them has been silent for too long.
    var deadline: UInt64 { links.reduce(.max) { min($0, $1?.deadline ?? .max) } }

    /// The one whose socket is ready, if there is something to be read.
    ///
    /// - Parameter token: the watch's, less what `open` was given.
    func readable(_ token: UInt64, _ what: Readiness, on loop: EventLoop) -> ItemLink? {
        guard token < UInt64(links.count), let link = links[Int(token)] else { return nil }
        if what.contains(.writable) { link.becomeWritable(on: loop) }
        return what.contains(.readable) ? link : nil
    }

    /// Writes what waits. Nil, or what is wrong with one of them.
    func turn(with vector: borrowing SendVector, on loop: EventLoop) -> PassProblem? {
        for case let link? in links {
            link.expire(now: loop.now)
            link.write(with: vector, on: loop)
            if let problem = link.problem { return problem }
        }
        return nil
    }

    func close(on loop: EventLoop) { for link in links { link?.close(on: loop) } }
}
