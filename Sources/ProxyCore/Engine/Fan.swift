internal import Bytes
internal import Distribution
internal import MemcacheProtocol
internal import Telemetry

/// A write to all copies of a key that take writes.
///
/// Set and delete go to all at once. A command whose result depends on what is stored goes to the acting primary, the
/// first of the copies, which decides; then its effect goes to the others. Its request outlives the answer to the
/// client until all copies have answered.
struct Fan: BitwiseCopyable {
    /// The request that the calls belong to.
    let request: UInt32
    /// The nodes of the copies that take writes, by rank.
    var nodes: Copies
    var progress: CopyProgress
    var pool: UInt16
    /// No copy of the key is left out because its node takes no writes.
    let asksAll: Bool
    /// The command goes to the copies as it is: its result does not depend on what is stored.
    let goesToAll: Bool
    /// The acting primary has not decided yet.
    var isDeciding: Bool
    var isAnswered = false
    /// The copies may differ when it is over.
    var needsRepair = false
    /// Calls that the client waits for before it goes on; see `Client.blockers`.
    var blockers: UInt8 = 0
    var hash: UInt64
    /// The command as its client spelled it: the line, and the data block, which is only kept where it may be needed.
    var head: RequestHead
    var line = ByteRun()
    var block = ByteQueue()
    /// What the acting primary has answered, and what the others get for that.
    var decided = CopyReply(.error)
    var effect = CopyEffect.sameCommand(compare: false)
    /// The answer of the lowest rank that has answered, or begun to, what it says, and which rank that is. Empty where
    /// it is nothing but `code.line`.
    var answer = ByteQueue()
    var code = ReplyCode.error
    var held: UInt8 = .max
    /// Why the last copy failed.
    var cause = ErrorCause.nodeDown
}
