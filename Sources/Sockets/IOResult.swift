/// How a read or a write ended. Nothing is thrown: three of the four are everyday.
public enum IOResult: BitwiseCopyable, Sendable, Equatable {
    /// So many bytes, at least one.
    case bytes(Int)
    /// Nothing now; ask again when the file is ready.
    case wouldBlock
    /// The peer has ended its side.
    case closed
    /// An errno.
    case failed(Int32)
}
