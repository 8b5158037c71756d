public struct Member: Sendable {
    public var key: String; public var weight: Int
    public init(key: String, weight: Int) { self.key = key; self.weight = weight }
}
public struct Distributor: Sendable {
    let count: Int
    public init(kind: DistributionKind, members: [Member]) { count = members.count }
    public func pick(_ hash: UInt64, random: UInt64) -> Int { Int(hash % UInt64(count)) }
    public func pick(_ hash: UInt64, loads: Span<Int32>) -> Int { Int(hash % UInt64(count)) }
}
extension KeyHash {
    public func hash(_ bytes: RawSpan, from: Int, count: Int) -> UInt64 {
        var h: UInt64 = 0xcbf29ce484222325
        for i in from..<(from + count) {
            h = (h ^ UInt64(unsafe bytes.unsafeLoad(fromByteOffset: i, as: UInt8.self))) &* 0x100000001b3
        }
        return h
    }
}
extension HashTag {
    public func range(in bytes: RawSpan, from: Int, count: Int) -> Range<Int> { from..<(from + count) }
}
