internal import Glibc

/// Room for one command line that is made anew; it keeps its memory, so that making one does not allocate.
@safe
public struct LineBuffer: ~Copyable {
    /// The longest line, in bytes: a node hangs up on a longer one.
    public static let capacity = 2048

    private var memory: UnsafeMutableRawPointer
    /// Bytes of the line, 0 to `capacity`.
    public private(set) var count = 0
    /// Something did not fit: what is in here is no whole line.
    public private(set) var hasOverflowed = false

    public init() { unsafe memory = .allocate(byteCount: Self.capacity, alignment: 16) }

    deinit { unsafe memory.deallocate() }

    /// The line so far.
    public var bytes: RawSpan {
        @_lifetime(borrow self)
        borrowing get {
            let span = unsafe RawSpan(_unsafeStart: memory, byteCount: count)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// Shows the line so far to `body`.
    public borrowing func withBytes(_ body: (RawSpan) -> Void) { body(bytes) }

    /// Begins a new line.
    public mutating func clear() {
        count = 0
        hasOverflowed = false
    }

    public mutating func append(_ bytes: RawSpan) {
        guard bytes.byteCount <= Self.capacity - count else {
            hasOverflowed = true
            return
        }
        guard bytes.byteCount > 0 else { return }
        unsafe bytes.withUnsafeBytes { source in
            // Safe: checked above that this many bytes are left; a span of some bytes has an address.
            if let start = source.baseAddress { unsafe memcpy(memory + count, start, source.count) }
        }
        count += bytes.byteCount
    }

    public mutating func append(byte: UInt8) {
        guard count < Self.capacity else {
            hasOverflowed = true
            return
        }
        unsafe memory.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count += 1
    }

    public mutating func append(_ text: StaticString) {
        append(unsafe RawSpan(_unsafeStart: text.utf8Start, byteCount: text.utf8CodeUnitCount))
    }

    public mutating func append(_ number: UInt64) {
        let digits = Decimal(number)
        append(digits.bytes)
    }
}
