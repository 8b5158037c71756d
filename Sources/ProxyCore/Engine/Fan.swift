internal import Bytes
internal import Distribution
internal import MemcacheProtocol
internal import Telemetry

/// A write to all copies of a key that take writes.
///
/// Set and delete go to all at once. A command whose result depends on what is stored goes to the acting primary, the
/// first of the copies, which decides; then its effect goes to the others. The calls belong to a request of the fan's
/// own, so that those that are still under way do no harm when the client has its answer.
struct Fan: BitwiseCopyable {
    /// The request of the client, or none when it has its answer.
    var client: UInt32
    /// The request that the calls belong to.
    var own: UInt32
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
    /// The copies may differ when it is over.
    var needsRepair = false
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
