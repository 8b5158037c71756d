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

extension RawSpan {
    /// The decimal number that begins at `start`, and where it ends; nil if there is none, or it is beyond 64 bits.
    public func decimal(at start: Int) -> (value: UInt64, end: Int)? {
        var (value, end) = ASCII.digits(word(at: start))
        guard end > 0 else { return nil }
        var count = end
        end &+= start
        while count == 8 {
            let part: UInt64
            (part, count) = ASCII.digits(word(at: end))
            for _ in 0..<count {
                let (product, isTooLarge) = value.multipliedReportingOverflow(by: 10)
                guard !isTooLarge else { return nil }
                value = product
            }
            let (sum, carries) = value.addingReportingOverflow(part)
            guard !carries else { return nil }
            value = sum
            end &+= count
        }
        return (value, end)
    }
}
