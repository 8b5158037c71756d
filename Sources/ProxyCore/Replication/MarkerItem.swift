internal import Bytes

/// The items that proxies keep on the nodes to agree with each other. Clients may not use their names.
public enum MarkerItem: Hashable, Sendable {
    /// On a node that may be read: the token of its filling.
    case ready
    /// On a node that is being filled: the token that will be its ready one.
    case filling
    /// On a node that is being filled: which proxy does it. It expires unless it is renewed.
    case lease
    /// On every node, about another one, by its place in the pool: which of its tokens counts, and whether it does.
    case standing(of: Int)
    /// On every node of a pool whose keys move: some proxy reads each where it was, and writes it there and where it is to
    /// be, which is what it says. It expires unless it is renewed, as the others of these.
    case moving
    /// On the same nodes: where the keys are read, for who is started now. It stays when the last proxy has died.
    case former
    /// As `moving`, and the proxy reads each where it is to be.
    case moved
    /// Some proxy writes keys elsewhere than the former says.
    case objection
    /// Where keys have one copy: changes with each write that some proxy has missed where its key is to be.
    case missed
    /// Some proxy is about to read keys where they are to be, unless somebody objects: where keys have one copy.
    case offer
    /// On a node that one proxy compares with the others: it expires when the next may.
    case scrub
    /// On every node, about another one whose keys are not where they belong, where keys have one copy: a `HomeRecord`.
    case away(of: Int)
    /// On a node that keeps such: changes with each of them.
    case homes
    /// On a node whose items are being listed: for whom. It expires unless it is renewed.
    case dump
    /// A counter that is only touched to see the node's CAS number.
    case tick

    /// What the names of all of them begin with.
    public static let prefix: StaticString = "__drover:"

    /// A client's key is one of them, or would be.
    public static func isReserved(_ key: RawSpan) -> Bool {
        // Nearly none is, and a dump has millions.
        key.word(at: 0) & 0xffff == 0x5f5f && key.isEqual(to: prefix, at: 0)
    }

    /// - Parameter names: what the pool's nodes are called in the ring.
    /// - Returns: 9 to 250 bytes, none of them a space or a control character.
    public func key(names: [String]) -> [UInt8] {
        switch self {
        case .ready: Array("__drover:ready".utf8)
        case .filling: Array("__drover:filling".utf8)
        case .lease: Array("__drover:lease".utf8)
        case .moving: Array("__drover:moving".utf8)
        case .former: Array("__drover:former".utf8)
        case .moved: Array("__drover:moved".utf8)
        case .objection: Array("__drover:objection".utf8)
        case .missed: Array("__drover:missed".utf8)
        case .offer: Array("__drover:offer".utf8)
        case .scrub: Array("__drover:scrub".utf8)
        case .dump: Array("__drover:dump".utf8)
        case .tick: Array("__drover:tick".utf8)
        case .homes: Array("__drover:homes".utf8)
        case .away(let node): Array("__drover:away:".utf8) + Self.spelling(names[node])
        case .standing(let node): Array("__drover:standing:".utf8) + Self.spelling(names[node])
        }
    }

    /// The name as it is, where a key can hold it; else a number that stands for it.
    private static func spelling(_ name: String) -> [UInt8] {
        let bytes = Array(name.utf8)
        if !bytes.isEmpty, bytes.count <= 200, bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) { return bytes }
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325  // FNV-1a
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        // No name has a space, so none is mistaken for this.
        return Array("#".utf8) + MarkerText.hexadecimal(hash)
    }
}
