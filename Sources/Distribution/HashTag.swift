/// The two bytes that enclose the part of a key that is hashed, twemproxy's `hash_tag`.
public struct HashTag: Sendable, Equatable {
    public var open: UInt8
    public var close: UInt8

    public init(open: UInt8, close: UInt8) {
        self.open = open
        self.close = close
    }
}
