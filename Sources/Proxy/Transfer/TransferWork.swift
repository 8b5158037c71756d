internal import Bytes
internal import ProxyCore
internal import Reactor

/// What the transfer thread runs: a pass, a backup or a restore.
protocol TransferWork: AnyObject {
    var id: UInt64 { get }
    /// The upper bits of its watches' tokens.
    var serial: UInt64 { get }
    var isDumping: Bool { get }
    var wakeup: UInt64 { get }
    var end: PassEnd? { get }

    func cancel()
    func setPaused(_ isPaused: Bool)
    func keepPace(with pace: TransferRate)
    func ready(_ token: UInt64, _ what: Readiness, on loop: EventLoop)
    func turn(with vector: borrowing SendVector, mayDump: Bool, on loop: EventLoop)
    func takeProgress(now: UInt64) -> PassProgress?
    /// At its end: what the verification behind it need not list again.
    func sharedList(now: UInt64) -> SharedList?
}

extension TransferWork {
    func sharedList(now: UInt64) -> SharedList? { nil }
}

/// A backup or a restore, as the control thread orders it.
struct ArchiveOrder: Sendable {
    enum Kind: Sendable, Equatable { case backup, restore(overwrites: Bool) }

    /// The control thread's number for it, as a pass has one.
    var id: UInt64
    var kind: Kind
    var path: String
    var pool: Pool
    /// By place in the pool.
    var nodes: [PassOrder.Node]
    /// Seconds since 1970 less those of the monotonic clock.
    var clock: Int64
    /// A new backup's, drawn at random.
    var backup: UInt64

    /// Seconds since 1970.
    ///
    /// - Parameter now: monotonic nanoseconds.
    func unixTime(_ now: UInt64) -> Int64 { clock + Int64(now / 1_000_000_000) }
}
