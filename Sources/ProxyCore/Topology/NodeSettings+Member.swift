internal import Distribution

extension NodeSettings {
    /// The node as the ring knows it.
    var member: Member { Member(key: ringName, weight: weight, zone: zone) }
}

extension Placement {
    /// Over both farms of a pool; its first node is known by this number.
    convenience init(_ pool: PoolSettings, firstNode: Int) {
        self.init(
            kind: pool.distribution, members: pool.nodes.map(\.member), standby: pool.standby.map(\.member),
            replicas: pool.replicas, first: UInt32(firstNode))
    }
}
