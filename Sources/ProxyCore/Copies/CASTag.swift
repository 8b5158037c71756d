public import MemcacheProtocol

/// Which node of a pool gave a CAS number: a part of every such number that a client of a pool with copies is shown.
///
/// A node counts its CAS numbers from 1, so those of two nodes collide all the time; with the tag a number that one node
/// gave never matches on another. A shown number has the node's own in its low 52 bits (a million writes a second
/// fill them in 142 years) and the tag in the eleven above, so that it stays below 2^63, which some clients need.
public struct CASTag: BitwiseCopyable, Hashable, Sendable {
    /// How many nodes can have a tag of their own.
    public static let count = 2047
    /// Of a node beyond that: nothing ever matches.
    public static let none = CASTag(number: 0)

    private static let shift: UInt64 = 52
    private static let mask: UInt64 = 1 << shift - 1

    /// 1 to `count`, 0 for none.
    private let number: UInt16

    private init(number: UInt16) { self.number = number }

    /// The tags of a pool's nodes, in the order of their names in the ring.
    ///
    /// A tag comes from its node's name and not from its place in the list: so proxies that list the nodes differently
    /// read each other's numbers rightly, and so does one that has read a changed file.
    public static func tags(ofNodes names: [String]) -> [CASTag] {
        var tags = [CASTag](repeating: .none, count: names.count)
        var isTaken = [Bool](repeating: false, count: count + 1)
        for index in names.indices.sorted(by: { (names[$0], $0) < (names[$1], $1) }).prefix(count) {
            var hash: UInt64 = 0xcbf2_9ce4_8422_2325  // FNV-1a
            for byte in names[index].utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
            var number = Int(hash % UInt64(count)) + 1
            while isTaken[number] { number = number % count + 1 }
            isTaken[number] = true
            tags[index] = CASTag(number: UInt16(number))
        }
        return tags
    }

    /// What a client is shown for a number of this node.
    ///
    /// 0, which means none, stays so. A number of 2^52 or more, which only a client can have chosen (`E`), leaves no
    /// room for the tag: what is shown then matches nowhere.
    public func shown(_ plain: UInt64) -> UInt64 {
        if plain == 0 { return 0 }
        if plain <= Self.mask { return plain | UInt64(number) << Self.shift }
        return max(plain & Self.mask, 1)
    }

    /// The node's own number, if this node gave what a client holds; nil if it cannot match here. 0 stays 0.
    public func plain(_ shown: UInt64) -> UInt64? {
        if shown == 0 { return 0 }
        let plain = shown & Self.mask
        return number != 0 && shown >> Self.shift == UInt64(number) && plain != 0 ? plain : nil
    }

    /// What this node is asked to compare for a number that a client holds: its own, or one that cannot match, so that
    /// the node itself gives the answer that is right for what it has.
    public func asked(_ shown: UInt64, by verb: Verb, _ options: RequestOptions) -> UInt64 {
        plain(shown) ?? Self.impossible(for: verb, options)
    }

    /// A cas and a ms that sets never match 0. To the others 0 means not to compare, or it may stand on an item; no
    /// item has 2^64 - 1 but one for which a client chose just that.
    static func impossible(for verb: Verb, _ options: RequestOptions) -> UInt64 {
        switch verb {
        case .cas: 0
        case .metaSet where !options.contains(.extends): 0
        default: .max
        }
    }
}
