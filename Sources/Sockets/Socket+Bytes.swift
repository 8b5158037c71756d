internal import Bytes
internal import CPlatform
internal import Glibc

extension Socket {
    /// One write of bytes that lie in one piece, at least one of them.
    public func send(_ bytes: RawSpan) -> IOResult {
        while true {
            let count = unsafe bytes.withUnsafeBytes { source -> Int in
                guard let base = source.baseAddress else { return 0 }
                return unsafe drover_send(descriptor, base, source.count)
            }
            if count >= 0 { return .bytes(count) }
            if errno == EINTR { continue }
            return Self.classify(errno)
        }
    }
}
