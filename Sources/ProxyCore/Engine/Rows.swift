internal import Bytes
internal import Distribution
internal import MemcacheProtocol

/// The number of no row.
let none = UInt32.max

/// A client connection. Its requests form a list in the order in which they must be answered.
struct Client: BitwiseCopyable {
    struct Flags: OptionSet, BitwiseCopyable {
        let rawValue: UInt16
        /// In use.
        static let open = Flags(rawValue: 1 << 0)
        /// On the list of clients that have bytes to send.
        static let dirty = Flags(rawValue: 1 << 1)
        /// Bytes are waiting that may not be looked at yet: see `mayProceed`.
        static let waiting = Flags(rawValue: 1 << 2)
        /// Nothing more is read; it is closed once everything asked before is answered and sent.
        static let ending = Flags(rawValue: 1 << 3)
        /// Its end of input came; what came before it still counts.
        static let inputEnded = Flags(rawValue: 1 << 8)
        /// What is queued cannot be completed (a value was cut off): close without answering the rest.
        static let broken = Flags(rawValue: 1 << 4)
        /// A streamed set is under way; nothing behind it is looked at until it is answered.
        static let exclusive = Flags(rawValue: 1 << 5)
        /// The data block that is arriving does not end in CR LF.
        static let badChunk = Flags(rawValue: 1 << 6)
        /// On the list of clients that may be fed again.
        static let resuming = Flags(rawValue: 1 << 7)
        /// Its pool keeps more than one copy of a key.
        static let copies = Flags(rawValue: 1 << 9)
        /// And reads may go to other copies than the primary.
        static let readsElsewhere = Flags(rawValue: 1 << 10)
        /// Its pool keeps one copy of a key, and CAS numbers name their nodes all the same.
        static let tagged = Flags(rawValue: 1 << 12)
        /// Its pool's nodes are about to change: see `Engine+Moves`.
        static let held = Flags(rawValue: 1 << 11)
    }

    /// Of its pool. (In a row that is free, other things stand in its place, and in no other's.)
    var pipelineLimit: UInt32
    /// Empty where the row is free.
    var flags: Flags
    var pool: UInt16
    /// Requests not yet answered.
    var depth: UInt32 = 0
    var first = none
    var last = none
    /// Where the list begins once the client is broken.
    var abandoned = none
    /// Calls on connections that carry nothing new until a large value has passed; see `Engine+Large`.
    var blockers: UInt32 = 0
    /// The call whose data block is arriving, or none: with `bodyLeft` > 0 and none, the block is thrown away.
    var collecting = none
    /// The request that is answered when its data block has been thrown away, or none.
    var swallowing = none
    /// Bytes of the data block, its CR LF counted, that have not arrived yet.
    var bodyLeft: UInt64 = 0
    var output = ByteQueue()
    var scan = LineScan()
}

/// One thing that a client asked for: the place in line that its reply will take.
struct Request: BitwiseCopyable {
    struct Flags: OptionSet, BitwiseCopyable {
        let rawValue: UInt16
        static let done = Flags(rawValue: 1 << 0)
        /// `noreply` or `q`: some or all replies are kept from the client.
        static let quiet = Flags(rawValue: 1 << 1)
        /// Put together from pieces: a get of several keys, or a command that went to every node.
        static let pieced = Flags(rawValue: 1 << 2)
        /// Answered with an error, or cut off.
        static let failed = Flags(rawValue: 1 << 3)
        /// A write to the copies of a key that is not over: see `Fan`.
        static let fanned = Flags(rawValue: 1 << 4)
        /// A repair: see `RepairRun`.
        static let repairing = Flags(rawValue: 1 << 5)
        /// A back-fill: see `Fill`.
        static let filling = Flags(rawValue: 1 << 6)
        /// A read that another copy has answered first.
        static let dropped = Flags(rawValue: 1 << 7)
        /// Asks other copies for keys of a slow line: see `LineHedge`.
        static let hedging = Flags(rawValue: 1 << 8)
        /// Whose answers are not passed on as they come.
        static let inner: Flags = [.fanned, .repairing, .filling, .dropped, .hedging]
    }

    /// None when the client has gone; the replies are then thrown away.
    var client: UInt32
    var next = none
    var verb: Verb
    var flags: Flags
    /// Which merge of `stats` replies is asked for.
    var report = StatsReport.none
    var pool: UInt16
    /// Calls that are not over.
    var pending: UInt32 = 0
    /// Pieces in the order of the reply; the first that has not been passed on, and the last.
    var firstPiece = none
    var lastPiece = none
    /// Of `fanned`, `repairing`, `filling` and `hedging`: which. None when it is over.
    var fan = none
    var started: UInt64
    var reply = ByteQueue()

    /// Its reply is what one node answers, as it is.
    @inline(__always)
    var isPlain: Bool { flags.isEmpty && report == .none }
}

/// One command sent to one node for a request.
struct Call: BitwiseCopyable {
    struct Flags: OptionSet, BitwiseCopyable {
        let rawValue: UInt16
        /// Changes nothing, so it may be sent once more when its connection dies.
        static let repeatable = Flags(rawValue: 1 << 0)
        static let repeated = Flags(rawValue: 1 << 1)
        /// Some of its reply has arrived.
        static let started = Flags(rawValue: 1 << 2)
        /// Its client waits for it before it goes on; see `Client.blockers`.
        static let blocking = Flags(rawValue: 1 << 3)
        /// Its data block is passed on while it arrives.
        static let streaming = Flags(rawValue: 1 << 4)
        /// Asked quietly, because only the node knows what its quiet answer is; the answer to a `mn` sent behind it
        /// says that there is, or was, none.
        static let fenced = Flags(rawValue: 1 << 7)
        /// A value has come in answer.
        static let hit = Flags(rawValue: 1 << 5)
        /// Its answer shows CAS numbers, which are to name the node that gave them.
        static let tagsCAS = Flags(rawValue: 1 << 8)
        /// To one of the copies of a write: see `Fan`.
        static let toCopy = Flags(rawValue: 1 << 10)
        /// See `RequestOptions.casBehindKey`.
        static let casBehindKey = Flags(rawValue: 1 << 9)
        /// Some of its data block found no memory.
        static let overflowed = Flags(rawValue: 1 << 6)
        /// Of a get of several: other copies are asked for what the node does not have.
        static let asksOnMiss = Flags(rawValue: 1 << 11)
        /// Of a get of several: it asks for keys that other copies lack, and that they are to get back.
        static let fills = Flags(rawValue: 1 << 12)
        /// Another copy is asked too when it becomes slow.
        static let watched = Flags(rawValue: 1 << 13)
        /// It asks because another is slow.
        static let hedge = Flags(rawValue: 1 << 14)
    }

    var request: UInt32
    var next = none
    var link = none
    var node: UInt32
    var verb: Verb
    /// The copies that have answered that they lack the key, as bits.
    var lacked: UInt8 = 0
    var flags: Flags
    /// With `asksOnMiss`: the last piece that the node does not have, the one before it next in the call's order.
    var missed = none
    /// When its time began to run.
    var sent: UInt64
    /// Where the command line is kept while it may be sent again, or its keys compared.
    var commandChunk = none
    var commandOffset: UInt32 = 0
    var commandLength: UInt32 = 0
    /// The bytes, while they cannot go to the connection yet.
    var staged = ByteQueue()
    /// The next piece that a reply of this call can be for.
    var piece = none
    /// The other call for the same read, see `Engine+Hedging`; of a line of keys, its `LineHedge`.
    var other = none
    /// Keys asked for, and values that have come, of a classic get.
    var keys: UInt32 = 1
    var values: UInt32 = 0
    /// See `RequestHead.rawKeyLength`.
    var rawKeyLength: UInt8 = 0
    /// Of the key of a classic get of one key, so that its VALUE need not be searched for where it ends; else 0.
    var keyLength: UInt8 = 0
    /// Which copy of the key its node holds.
    var rank: UInt8 = 0
    /// The copies that have been asked in vain, as bits.
    var tried: UInt8 = 0

    /// Its answer may be read by the short ways of `takeReply`.
    @inline(__always)
    var isUsual: Bool { flags.isDisjoint(with: [.fenced, .tagsCAS, .toCopy]) }

    /// Nothing is to be done at its end but to pass on what was answered.
    @inline(__always)
    var isPlain: Bool { flags.isDisjoint(with: [.fenced, .streaming, .blocking, .watched, .hedge]) }
}

/// A part of a reply that is put together: one key of a multi-key get, or one node's answer.
struct Piece: BitwiseCopyable {
    enum State: UInt8, BitwiseCopyable { case waiting, settled }

    /// In the request's order.
    var next = none
    /// In the call's order.
    var nextOfCall = none
    /// Of the key within its call's command chunk.
    var keyOffset: UInt16 = 0
    var keyLength: UInt8 = 0
    var state = State.waiting
    /// The copies that have been asked in vain, as bits, and those of them that have answered that they lack the key.
    var tried: UInt8 = 0
    var lacked: UInt8 = 0
    /// A reply that came in one piece: a run of a chunk, of which the piece holds one count.
    var chunk = none
    var offset: UInt32 = 0
    var length: UInt32 = 0
    /// A reply that did not.
    var reply = ByteQueue()
}

/// A line of keys that is being written straight into the open chunk of its connection.
struct LineBuild: BitwiseCopyable {
    var call = none
    var chunk = none
    /// Where the next byte goes.
    var position = ByteQueues.chunkSize
    var lastPiece = none
    /// Keys in the line.
    var keys: UInt32 = 0
    /// Keys that could not be asked for have been counted.
    var isLost = false

    /// None is left while there is no line.
    @inline(__always)
    var room: Int { ByteQueues.chunkSize &- position }
}

/// A connection to a node. Its calls form a list in the order in which the node will answer.
struct Link: BitwiseCopyable {
    enum State: UInt8, BitwiseCopyable {
        case closed
        /// Connecting, or connected and asked for its version, and its ready marker: nothing else is sent yet.
        case opening
        case ready
    }

    struct Flags: OptionSet, BitwiseCopyable {
        let rawValue: UInt8
        static let dirty = Flags(rawValue: 1 << 0)
        /// Carries a large value: it takes no new calls until it is empty.
        static let dedicated = Flags(rawValue: 1 << 1)
        /// Not read, because its only call's client does not read.
        static let paused = Flags(rawValue: 1 << 2)
        /// Its socket is connected, and counted.
        static let connected = Flags(rawValue: 1 << 3)
        /// Asked for its node's ready marker: see `Engine+States`.
        static let proving = Flags(rawValue: 1 << 4)
    }

    var state: State
    var flags: Flags = []
    var node: UInt32
    var count: UInt32 = 0
    var first = none
    var last = none
    /// Bytes of a value, its CR LF counted, that have not arrived yet.
    var valueLeft: UInt64 = 0
    /// When the attempt to connect began; later, when the last bytes came.
    var progress: UInt64
    /// How often it was asked for its node's ready marker, and since when.
    var proofs: UInt8 = 0
    var provingSince: UInt64 = 0
    var output = ByteQueue()
    var open = OpenChunk()
}

/// A node as this worker sees it.
struct NodeRow: BitwiseCopyable {
    var pool: UInt16
    /// What may be done with it now: see `Engine+States`.
    var access: NodeAccess
    /// What the control thread says of it.
    var verdict: NodeVerdict
    /// When this worker last saw it fail; 0 is never.
    var distrustedAt: UInt64 = 0
    /// It is known to have missed a write since it was proven.
    var hasMissed = false
    /// No write waits for it where there is a better copy: see `NodeVerdict.isSilent`.
    var isSilent = false
    /// At any time since the start.
    var hasBeenDown = false
    /// A failure was reported and no success since.
    var isSuspect = false
    /// The connection that new calls go to.
    var link = none
    /// A connection that a large value has left, kept for the next.
    var spare = none
    /// The line that keys of the multi-key get being taken apart are added to.
    var building = LineBuild()
    /// Once known.
    var version = ServerVersion.unknown
    var timeout: UInt64
    var connectTimeout: UInt64

    init(_ node: Topology.Node, of pool: PoolSettings) {
        self.pool = UInt16(node.pool)
        (access, verdict, hasBeenDown) = (node.verdict.access, node.verdict, !node.isUp)
        (timeout, connectTimeout) = (pool.timeout, pool.connectTimeout)
    }

    @inline(__always)
    var isFull: Bool { access == .full }
    var isReachable: Bool { access != .none }
    /// It may stand for other copies, if it has to.
    var mayLead: Bool { access != .none && !verdict.follows }
    /// Full, but for this worker's doubts, or that it was not heard for a moment: very likely it is what it was.
    var isDoubted: Bool { access == .syncing && (verdict.access == .full || verdict.isUnheard) && !hasMissed }
}
