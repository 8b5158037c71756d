/// A number's decimal digits, without a `String`.
public struct Decimal: BitwiseCopyable, Sendable {
    /// 2^64 - 1 has twenty.
    private var storage = InlineArray<20, UInt8>(repeating: 0)
    private var start = 20

    public init(_ number: UInt64) {
        var rest = number
        repeat {
            start &-= 1
            storage[start] = ASCII.zero &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest != 0
    }

    /// 1 to 20.
    public var count: Int { 20 &- start }

    public var bytes: RawSpan {
        @_lifetime(borrow self)
        borrowing get { unsafe storage.span.bytes.extracting(start..<20) }
    }
}
