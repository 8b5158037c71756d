internal import Bytes
internal import CPlatform

extension Socket {
    /// One write of bytes that lie in one piece, at least one of them.
    public func send(_ bytes: RawSpan) -> IOResult {
        let count = unsafe bytes.withUnsafeBytes { source -> Int in
            guard let base = source.baseAddress else { return 0 }
            return unsafe drover_send(descriptor, base, source.count)
        }
        return count >= 0 ? .bytes(count) : Self.classify(Int32(truncatingIfNeeded: -count))
    }
}
