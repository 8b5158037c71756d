internal import Distribution

extension NodeSettings {
    /// The node as the ring knows it.
    var member: Member { Member(key: ringName, weight: weight, zone: zone) }
}
