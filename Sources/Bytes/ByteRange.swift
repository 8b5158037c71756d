/// A run of bytes inside some buffer: what parsers hand out instead of pointers or copies.
///
/// 32-bit on purpose: two of them fill a register pair, and no message window is near 4 GiB.
public struct ByteRange: BitwiseCopyable, Equatable, Sendable {
    public var offset: UInt32
    public var length: UInt32

    @inlinable
    public init(offset: Int, length: Int) {
        self.offset = UInt32(offset)
        self.length = UInt32(length)
    }

    /// - Parameters:
    ///   - start: of a window, below 2^32.
    ///   - end: not before `start`.
    @inlinable
    public init(_ start: Int, upTo end: Int) {
        offset = UInt32(truncatingIfNeeded: start)
        length = UInt32(truncatingIfNeeded: end &- start)
    }

    @inlinable public static var empty: ByteRange { ByteRange(offset: 0, length: 0) }
    @inlinable public var isEmpty: Bool { length == 0 }
    @inlinable public var start: Int { Int(offset) }
    @inlinable public var count: Int { Int(length) }
    @inlinable public var end: Int { Int(offset) + Int(length) }
}
