internal import ProxyCore
internal import Sockets

/// A pass over many items, as the control thread orders it.
struct PassOrder: Sendable {
    struct Node: Sendable {
        /// Nil: its name is not resolved, and a pass that needs it fails.
        var address: SocketAddress?
        /// It has all copies that it ought to have.
        var isFull: Bool
    }

    /// Of `verify: sample`.
    static let sampleInterval = 16

    /// The control thread's number for it, never used again.
    var id: UInt64
    var pass: FillingPlan.Pass
    /// Where copies belong.
    var pool: Pool
    /// By place in the pool, as all nodes here.
    var target: Int
    var nodes: [Node]
    /// Rate, bandwidth, depth, order, and how much is verified.
    var sync: SyncSettings
    /// Nanoseconds before a second look: where the target is read, writes come to the nodes in any order, and a look is
    /// of use when those under way are over.
    var settling: UInt64 = 0
    /// Of a clean pass: it is for the items that belong to other nodes, and drops them all.
    var dropsStrays = false
    /// What differs is counted and stays.
    var reportsOnly = false
    /// A copy pass leaves its list of all items to the verification that follows it, and has this, too, if only few of
    /// them are to be copied.
    var sharesList = false
    /// One key in so many is verified, after so many that are not.
    var sample = 1
    var sampleStart = 0

    init(id: UInt64, pass: FillingPlan.Pass, pool: Pool, target: Int, nodes: [Node]) {
        self.id = id
        self.pass = pass
        self.pool = pool
        self.target = target
        self.nodes = nodes
        sync = pool.settings.sync
        if sync.verify == .sample { sample = Self.sampleInterval }
    }
}

/// From the control thread to the transfer thread.
enum ToTransfer: Sendable {
    case start(PassOrder)
    case archive(ArchiveOrder)
    /// Begins nothing more, and ends as soon as what is under way has.
    case cancel(UInt64)
    case pause(UInt64)
    case resume(UInt64)
    /// Clients suffer, or do not: some times a second while passes run.
    case look(isStrained: Bool)
    /// Cancels all and ends the thread.
    case stop
}

/// From the transfer thread.
enum FromTransfer: Sendable {
    /// Twice a second.
    case progress(PassProgress)
    case ended(PassEnd)
}

struct PassProgress: Sendable {
    var id: UInt64
    var stage: Stage
    /// Items that the dumps have brought so far, and those that are done with.
    var known: Int
    var done: Int
    /// So often is the rate halved.
    var halvings: Int
    var report: TransferReport

    /// Waiting: another dump of a node has to end first.
    enum Stage: Sendable, Equatable { case waiting, listing, working, paused }
}

struct PassEnd: Sendable {
    var id: UInt64
    /// For `FillingPlan.passed`.
    var changed: Int
    /// Items that the dumps have brought.
    var total: Int
    var isWhole: Bool { problem == nil }
    var report: TransferReport
    /// Why it is not whole.
    var problem: PassProblem?
    /// It came further than to list its items.
    var hasWorked = true
    /// What an operator should read of: the damage of a backup, place by place.
    var notes: [String] = []
}

/// Why a pass did not come to its end.
enum PassProblem: Sendable, Equatable {
    case cancelled
    /// By place.
    case unreachable(Int)
    case lost(Int)
    /// It was silent for longer than the pool's timeout.
    case silent(Int)
    /// What it answered is no answer, or an error.
    case refused(Int)
    /// Before 1.6.10.
    case tooOld(Int)
    case withoutCAS(Int)
    /// Another dump has kept it busy for too long.
    case busy(Int)
    /// -X.
    case dumpNotAllowed(Int)
    /// Its crawler is off and stays so.
    case crawlerDisabled(Int)
    /// The dump has stood still.
    case dumpStalled(Int)
    /// An errno, of the temporary file.
    case spill(Int32)
    /// What is wrong with a backup's folder or file.
    case archive(String)
    /// Values under way have filled the memory for them.
    case memory

    /// It will be no better the next time.
    var isLasting: Bool {
        switch self {
        case .tooOld, .withoutCAS, .dumpNotAllowed, .crawlerDisabled: true
        default: false
        }
    }

    /// For a log line.
    ///
    /// - Parameter label: of a node by its place.
    func text(label: (Int) -> String) -> String {
        switch self {
        case .cancelled: "cancelled"
        case .unreachable(let node): "\(label(node)) cannot be reached"
        case .lost(let node): "the connection to \(label(node)) was lost"
        case .silent(let node): "\(label(node)) did not answer in time"
        case .refused(let node): "\(label(node)) answered with an error"
        case .tooOld(let node): "\(label(node)) is older than memcached 1.6.10"
        case .withoutCAS(let node): "\(label(node)) keeps no CAS numbers (-C)"
        case .busy(let node): "\(label(node)) is busy with another dump"
        case .dumpNotAllowed(let node): "\(label(node)) does not allow dumps (-X)"
        case .crawlerDisabled(let node): "the LRU crawler of \(label(node)) cannot be turned on"
        case .dumpStalled(let node): "the dump of \(label(node)) stood still"
        case .spill(let code): "the temporary file for keys: \(errorText(code))"
        case .archive(let what): what
        case .memory: "no memory for values"
        }
    }
}
