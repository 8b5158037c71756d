/// Which member has a key, given the key's hash. Immutable; made anew when members come, go or change.
///
/// Members are known by their position in the list given. To leave one out, as twemproxy does with a server that it
/// ejects, make a distributor of the others: with `ketama`, `rendezvous` and `maglev` the keys of those stay, with
/// `jump` they do when it was the last. `modula` deals nearly all keys anew.
///
/// - `ketama`: see `KetamaRing`; weights, point for point twemproxy's and libmemcached's weighted ketama.
/// - `modula`: hash modulo the sum of weights, each member as many slots wide as its weight, as in twemproxy, which sorts
///   its servers first, shorter keys before longer ones; with weights of 1, libmemcached's, which does not sort.
/// - `random`: any member, in proportion to its weight, whatever the key. (twemproxy's ignores weights.)
/// - `jump`: see `JumpHash`; buckets are slots of weight. Add members at the end only.
/// - `rendezvous`: see `Rendezvous`; the time is proportional to the members.
/// - `maglev`: see `MaglevTable`.
/// - `least-loaded`: ketama's order, passing over members that have more than 5/4 of their share of what is under way:
///   "Consistent Hashing with Bounded Loads", Vahab Mirrokni, Mikkel Thorup and Morteza Zadimoghaddam, 2016.
public final class Distributor: Sendable {
    public let kind: DistributionKind
    /// How many members there are.
    public let count: Int

    @usableFromInline let ring: KetamaRing
    let slots: WeightedSlots
    let rendezvous: Rendezvous
    let maglev: MaglevTable
    let zones: Zones
    let weights: [Int]

    /// - Parameter members: 1 to 65,535 of them, with different keys.
    public init(kind: DistributionKind, members: [Member]) {
        precondition(!members.isEmpty && members.count <= 65_535)
        precondition(members.allSatisfy { (1...100_000).contains($0.weight) })
        self.kind = kind
        count = members.count
        ring = KetamaRing(kind == .ketama || kind == .leastLoaded ? members : [])
        slots = WeightedSlots(members)
        rendezvous = Rendezvous(kind == .rendezvous ? members : [])
        maglev = MaglevTable(kind == .maglev ? members : [])
        zones = Zones(members)
        weights = members.map(\.weight)
    }

    /// The position of the member that has the key of this hash; its primary, if there are copies.
    ///
    /// - Parameters:
    ///   - hash: of the key. The low 32 bits count with `ketama`, `modula`, `maglev` and `least-loaded`.
    ///   - random: a fresh random number, which `random` uses; the others ignore it.
    @inlinable @inline(__always)
    public func pick(_ hash: UInt64, random: UInt64) -> Int {
        // What most pools have is not worth a call.
        if case .ketama = kind { return ring.member(at: ring.index(of: hash)) }
        return pickAny(hash, random: random)
    }

    @usableFromInline
    func pickAny(_ hash: UInt64, random: UInt64) -> Int {
        switch kind {
        case .ketama, .leastLoaded: ring.member(at: ring.index(of: hash))
        case .modula: slots.member(of: Int(UInt32(truncatingIfNeeded: hash)) % slots.count)
        case .random: slots.member(of: Int(random.multipliedFullWidth(by: UInt64(slots.count)).high))
        case .jump: slots.member(of: JumpHash.bucket(hash, of: slots.count))
        case .rendezvous: rendezvous.pick(hash)
        case .maglev: maglev.member(at: maglev.index(of: hash))
        }
    }
}
