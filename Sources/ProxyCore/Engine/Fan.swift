internal import Bytes
internal import Distribution
internal import MemcacheProtocol
internal import Telemetry

/// A write to all copies of a key that take writes.
///
/// Set and delete go to all at once. A command whose result depends on what is stored goes to the acting primary, the
/// first of the copies, which decides; then its effect goes to the others. So does a set while other writes of its key
/// are under way, so that it overtakes none of them.
struct Fan: BitwiseCopyable {
    /// The request of the client, or none when it has its answer.
    var client: UInt32
    /// The piece of that request that the answer is, or none when it is the whole.
    let piece: UInt32
    /// The request that the calls belong to, until the last of them is over: the client's, which outlives its answer for
    /// that; for a piece one of its own.
    let own: UInt32
    /// The nodes of the copies that take writes, by rank: see `Engine+Syncing`.
    let nodes: Copies
    /// How many of them decide, and how many are asked together with those.
    let survivors: UInt8
    let together: UInt8
    var progress: CopyProgress
    let pool: UInt16
    /// No copy of the key is left out because its node takes no writes.
    let asksAll: Bool
    /// All copies are sent the command at once.
    var goesToAll = false
    /// So are they, none is left out, none is being filled, and none has failed: nearly always.
    var isUsual = false
    /// A survivor has changed something, or may have; it has stored the value that the request holds.
    var isTaken = false
    var hasStored = false
    /// The copies asked now get a delete of the key instead of the command.
    var isDeleting = false
    /// The copies, of all, for which it is known that the other nodes are to be told of a miss; for how many of them it
    /// waits; and whether one of the answers was that nobody keeps it.
    var noted: UInt8 = 0
    var waits: UInt8 = 0
    var isUnkept = false
    /// The copies, by rank, that have failed and cannot have got the command.
    var unsent: UInt8 = 0
    /// The acting primary has not decided yet.
    var isDeciding = true
    /// The copies may differ when it is over.
    var needsRepair = false
    let hash: UInt64
    /// Until when other workers may not write the key; and the next write that waits for it, as this one does.
    var hold = Engine.Hold.none
    var next = none
    /// The command as its client spelled it: the line, and the data block, where it may be needed once more.
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
