internal import Bytes
internal import Distribution
internal import MemcacheProtocol
internal import Telemetry

/// A write to all copies of a key that take writes.
///
/// Set and delete go to all at once. A command whose result depends on what is stored goes to the acting primary, the
/// first of the copies, which decides; then its effect goes to the others. So does a set while other writes of its key
/// are under way, so that it overtakes none of them. The calls belong to a request of the fan's
/// own, so that those that are still under way do no harm when the client has its answer.
struct Fan: BitwiseCopyable {
    /// The request of the client, or none when it has its answer.
    var client: UInt32
    /// The piece of that request that the answer is, or none when it is the whole.
    var piece = none
    /// The request that the calls belong to.
    var own: UInt32
    /// The nodes of the copies that take writes, by rank.
    var nodes: Copies
    var progress: CopyProgress
    /// The command as its client spelled it: the line, in one piece, and the data block.
    var head: RequestHead
    var line = ByteQueue()
    var block = ByteQueue()
    var pool: UInt16
    var hash: UInt64
    /// All copies are sent the command at once.
    var goesToAll = false
    /// The acting primary has not decided yet.
    var isDeciding = true
    /// What the acting primary has answered, and what the others get for that.
    var decided = CopyReply(.error)
    var effect = CopyEffect.sameCommand(compare: false)
    /// The copies may differ when it is over.
    var needsRepair = false
    /// The answer of the lowest rank that has answered, or begun to, what it says, and which rank that is.
    var answer = ByteQueue()
    var code = ReplyCode.error
    var held: UInt8 = .max
    /// Why the last copy failed.
    var cause = ErrorCause.nodeDown
}
