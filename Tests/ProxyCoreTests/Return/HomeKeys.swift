import Bytes
import Distribution

@testable import ProxyCore

/// Some keys on the nodes of a pool, and where a topology has each.
struct HomeKeys {
    static let count = 40

    /// By node and key.
    var contents: [[Int: Int]]

    init(nodes: Int) { contents = Array(repeating: [:], count: nodes) }

    static func topology(nodes: Int, _ distribution: DistributionKind) -> Topology {
        let list = (0..<nodes).map {
            NodeSettings(address: .tcp(host: "h", port: UInt16(1 + $0)), weight: 1 + $0 % 3)
        }
        var settings = PoolSettings(name: "p", listen: [], nodes: list)
        settings.distribution = distribution
        settings.hash = .xxh3
        return Topology([settings])
    }

    static func places(_ key: Int, _ topology: Topology) -> [Int] {
        let name = Array("key:\(key)".utf8)
        let pool = topology.pools[0]
        let hash = unsafe pool.hashed(ByteRange(offset: 0, length: name.count), in: name.span.bytes)
        let copies = pool.copies(of: hash)
        return copies.indices.map { Int(copies[$0]) }
    }

    static func access(_ node: Int, _ topology: Topology) -> NodeAccess { topology.nodes[node].verdict.access }

    /// A pass to the node, from those that stand in for it.
    ///
    /// - Parameter drops: what differs is dropped, instead of what is missing added.
    /// - Returns: how many it has changed.
    mutating func fill(_ node: Int, _ topology: Topology, drops: Bool) -> Int {
        var changed = 0
        for key in 0..<Self.count {
            let all = Self.places(key, topology)
            func isSource(_ other: Int) -> Bool { other != node && Self.access(other, topology) == .full }
            guard all.contains(node), let source = all.first(where: isSource) else { continue }
            guard contents[source][key] != contents[node][key] else { continue }
            if drops {
                contents[node][key] = nil
            } else if contents[node][key] == nil {
                contents[node][key] = contents[source][key]
            } else {
                continue
            }
            changed += 1
        }
        return changed
    }

    /// Keys that belong to others.
    mutating func dropStrays(on node: Int, _ topology: Topology) {
        contents[node] = contents[node].filter { Self.places($0.key, topology).contains(node) }
    }
}
