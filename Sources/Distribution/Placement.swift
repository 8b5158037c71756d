/// Where all copies of a key are. Immutable, and over all nodes whether up or down: a node that is away keeps its place,
/// so its keys are found in it when it is back.
///
/// The first copy is where `Distributor.pick` puts the only one, so a pool that takes up replicas moves no key.
/// `Distributor.order` says which come next. With `ketama`, `maglev` and `modula` every position of the ring has its copies
/// listed beforehand: a lookup is that of the primary and two loads. `jump` computes each copy; `rendezvous` asks every
/// node once a copy. `least-loaded` places copies as `ketama` does: load may say which copy is read, never where it is.
/// `random` has no place for a key; given to this, it draws from the hash.
public final class Placement: Sendable {
    public let ring: Distributor
    /// The second farm's ring; its members come after the ring's.
    public let standby: Distributor?
    /// Copies of each key on the ring.
    public let replicas: Int
    /// Copies of each key, the standby's included.
    public let count: Int

    private let table: CopyTable
    private let isTabled: Bool
    private let first: UInt32
    private let next: NextPlaces?

    /// - Parameters:
    ///   - members: those of the ring, at least as many as `replicas`.
    ///   - standby: those of the second farm, if there is one; it holds one copy of every key. Both together are at most
    ///     65,535.
    ///   - replicas: 1 to 8, or 7 with a standby.
    ///   - first: the number of the first member; the others' follow, the standby's last.
    ///   - next: where each key is to be besides.
    public init(
        kind: DistributionKind, members: [Member], standby: [Member] = [], replicas: Int, first: UInt32 = 0,
        next: NextPlaces? = nil
    ) {
        self.next = next
        let count = replicas + (standby.isEmpty ? 0 : 1)
        precondition(replicas >= 1 && replicas <= members.count && count <= Copies.capacity)
        precondition(members.count + standby.count <= 65_535)
        self.replicas = replicas
        self.count = count
        self.first = first
        ring = Distributor(kind: kind, members: members)
        self.standby = standby.isEmpty ? nil : Distributor(kind: kind, members: standby)
        let sequence = replicas == 1 ? nil : ring.sequence
        isTabled = sequence != nil
        table = CopyTable(
            sequence ?? [], shuffle: ring.shuffle, zones: ring.zones, members: members.count, replicas: replicas)
    }

    /// The copies of the key of this hash, the primary first, the standby's last.
    public func copies(of hash: UInt64) -> Copies {
        var copies = isTabled ? table.copies(at: ring.position(of: hash), first: first) : computed(hash)
        if let standby {
            copies.append(position: UInt16(ring.count &+ standby.pick(hash, random: mixed(hash))))
        }
        if let next { next.add(to: &copies, hash) }
        return copies
    }

    private func computed(_ hash: UInt64) -> Copies {
        var copies = Copies(first: first)
        if replicas == 1 {
            copies.append(position: UInt16(ring.pick(hash, random: mixed(hash))))
            return copies
        }
        var members = InlineArray<8, UInt16>(repeating: 0)
        var span = members.mutableSpan
        let found = ring.order(hash, random: mixed(hash), count: replicas, into: &span)
        for index in 0..<found { copies.append(position: span[index]) }
        return copies
    }
}

/// Where keys are to be that are somewhere else now.
public struct NextPlaces: Sendable {
    private let placement: Placement
    private let homes: [UInt16]
    private let targets: [UInt16]

    /// - Parameters:
    ///   - placement: from number 0 on.
    ///   - homes: by its member: the position, among those of the placement that this is added to, where the member is.
    ///   - targets: likewise, what stands for it where it has no copy of a key so far.
    public init(_ placement: Placement, homes: [UInt16], targets: [UInt16]) {
        (self.placement, self.homes, self.targets) = (placement, homes, targets)
    }

    func add(to copies: inout Copies, _ hash: UInt64) {
        let next = placement.copies(of: hash)
        for index in next.indices {
            let member = Int(next.position(index))
            if !copies.contains(position: homes[member]) { copies.append(position: targets[member]) }
        }
    }
}

extension Distributor {
    /// The member at each position of a walk around the ring, where a key's copies follow from its position; nil where they do not.
    var sequence: [UInt16]? {
        switch kind {
        case .ketama, .leastLoaded: (0..<ring.count).map { UInt16(ring.member(at: $0)) }
        case .maglev: MaglevTable.walk.map { UInt16(maglev.member(at: Int($0))) }
        case .modula: (0..<count).map { UInt16($0) }
        case .jump, .rendezvous, .random: nil
        }
    }

    /// Where the table has each position of `sequence`, if not in its order.
    var shuffle: [UInt32]? { kind == .maglev ? MaglevTable.walk : nil }

    /// A hash's position in the table; the end stands for the start.
    @inline(__always)
    func position(of hash: UInt64) -> Int {
        switch kind {
        case .ketama, .leastLoaded: ring.index(of: hash)
        case .maglev: maglev.index(of: hash)
        case .modula, .jump, .rendezvous, .random: pick(hash, random: 0)
        }
    }
}
