/// The nodes that hold a key, best first, each once: its primary, the replicas on the same ring, and last the one on
/// the standby, if there is one. A plain value of three words; nothing is allocated for it.
public struct Copies: Sendable, BitwiseCopyable {
    /// How many copies a key may have.
    public static let capacity = 8

    /// Positions of 16 bits, four in each, the first in the lowest bits.
    private var low: UInt64
    private var high: UInt64
    /// The number of the node at position 0.
    private let first: UInt32
    private var size: UInt32

    /// None yet.
    /// - Parameter first: the number of the node at position 0.
    public init(first: UInt32) {
        self.first = first
        low = 0
        high = 0
        size = 0
    }

    /// One, on this node.
    public init(of node: UInt32) {
        self.init(first: node, low: 0, high: 0, count: 1)
    }

    /// Two, on these nodes.
    public init(of node: UInt32, and other: UInt32) {
        self.init(first: min(node, other))
        append(position: UInt16(node - first))
        append(position: UInt16(other - first))
    }

    /// Those at `count` positions, as `low` and `high` hold them.
    @inline(__always)
    init(first: UInt32, low: UInt64, high: UInt64, count: Int) {
        self.first = first
        self.low = low
        self.high = high
        size = UInt32(truncatingIfNeeded: count)
    }

    /// 0 to 8.
    public var count: Int { Int(size) }
    public var isEmpty: Bool { size == 0 }
    public var indices: Range<Int> { 0..<Int(size) }

    /// The number of the node that holds the copy at `index`; 0 is the primary.
    public subscript(index: Int) -> UInt32 {
        precondition(index >= 0 && index < Int(size))
        return first &+ UInt32(position(index))
    }

    /// The primary. There must be one.
    public var primary: UInt32 { self[0] }

    /// Which copy a node holds; nil if none.
    public func index(of node: UInt32) -> Int? {
        for index in indices where self[index] == node { return index }
        return nil
    }

    /// Those of them, in their order.
    public func filter(_ isIncluded: (UInt32) -> Bool) -> Copies {
        var some = Copies(first: first)
        for index in indices where isIncluded(self[index]) { some.append(position: position(index)) }
        return some
    }

    /// Those of them that have a rank below `count`, by that, and in their order within one.
    public func arranged(_ count: Int, by rank: (UInt32) -> Int?) -> Copies {
        var some = Copies(first: first)
        for wanted in 0..<count {
            for index in indices where rank(self[index]) == wanted { some.append(position: position(index)) }
        }
        return some
    }

    /// Adds the node at a position as the last copy. There must be room.
    @inline(__always)
    mutating func append(position: UInt16) {
        precondition(size < UInt32(Self.capacity))
        let shift = UInt64(size & 3) &* 16
        if size < 4 { low |= UInt64(position) &<< shift } else { high |= UInt64(position) &<< shift }
        size &+= 1
    }

    func contains(position: UInt16) -> Bool { indices.contains { self.position($0) == position } }

    @inline(__always)
    func position(_ index: Int) -> UInt16 {
        let word = index < 4 ? low : high
        return UInt16(truncatingIfNeeded: word &>> (UInt64(truncatingIfNeeded: index & 3) &* 16))
    }

    @inline(__always)
    var words: (low: UInt64, high: UInt64) { (low, high) }
}

extension Copies: Equatable {
    /// The same nodes in the same order.
    public static func == (left: Copies, right: Copies) -> Bool {
        left.size == right.size && left.indices.allSatisfy { left[$0] == right[$0] }
    }
}

extension Copies: CustomStringConvertible {
    public var description: String { "\(indices.map { self[$0] })" }
}
