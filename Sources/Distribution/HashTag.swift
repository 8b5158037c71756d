/// The two bytes that enclose the part of a key that is hashed, twemproxy's `hash_tag`.
public struct HashTag: Sendable, Equatable {
    public var open: UInt8
    public var close: UInt8

    public init(open: UInt8, close: UInt8) {
        self.open = open
        self.close = close
    }

    /// The part of the `count` bytes of `bytes` from `start` on that is hashed, as offsets in `bytes`: what lies between
    /// the first `open` and the first `close` after it. The whole key, if either is missing or nothing lies between.
    public func range(in bytes: RawSpan, from start: Int, count: Int) -> Range<Int> {
        let end = start + count
        precondition(start >= 0 && count >= 0 && end <= bytes.byteCount)
        guard let opened = first(open, in: bytes, start, end),
            let closed = first(close, in: bytes, opened + 1, end), closed > opened + 1
        else { return start..<end }
        return (opened + 1)..<closed
    }

    private func first(_ byte: UInt8, in bytes: RawSpan, _ start: Int, _ end: Int) -> Int? {
        var at = start
        while at < end {
            if bytes.byte(at) == byte { return at }
            at &+= 1
        }
        return nil
    }
}
