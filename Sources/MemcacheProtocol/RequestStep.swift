public import Bytes

/// What one call of the request parser found: at most one message.
public enum RequestStep: Sendable {
    /// No whole command line yet; read more and ask again.
    case needMore
    /// A valid command line. Its data block, if it has one, follows and is the caller's to collect.
    case request(RequestHead)
    /// A line that no node may see: malformed, not served, or answered without a node.
    case refused(Refusal)
}

/// A command that no node sees: memcached's own answer to it, and what memcached does next.
public struct Refusal: BitwiseCopyable, Sendable {
    public enum Aftermath: BitwiseCopyable, Sendable {
        /// Go on with the next line.
        case proceed
        /// The data block of that many bytes (its CR LF counted) is thrown away unseen first.
        case swallow(UInt64)
        /// The connection is closed after the answer.
        case close
    }

    public var reply: ReplyText
    /// Bytes of the input that are used up, the refused line itself.
    public var consumed: UInt32
    public var aftermath: Aftermath
    /// The reply is not sent (memcached swallows it too, for instance after `noreply`).
    public var silent: Bool
    /// The key whose old value memcached drops although it refuses the command: that of a too large `set` or `ms`, so
    /// that no stale value outlives it. Empty otherwise. As spelled in the line.
    public var drops: ByteRange = .empty
    /// `drops` is spelled in base64.
    public var dropsBase64 = false

    public init(reply: ReplyText, consumed: Int, aftermath: Aftermath = .proceed, silent: Bool = false) {
        self.reply = reply
        self.consumed = UInt32(consumed)
        self.aftermath = aftermath
        self.silent = silent
    }
}
