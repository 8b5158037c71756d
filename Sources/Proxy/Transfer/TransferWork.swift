internal import Bytes
internal import MemcacheProtocol
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
}

extension ItemLink {
    /// Reads what the node has sent.
    ///
    /// - Parameters:
    ///   - kind: of the command that the item awaits an answer to.
    ///   - value: gets the bytes of a value as they come, with the CR LF behind them.
    ///   - reply: gets the answer when it is whole, the value's last byte included.
    func readReplies(
        on loop: EventLoop, kind: (UInt32) -> ItemCommand.Kind, value: (UInt32, RawSpan) -> Void,
        reply: (UInt32, ItemReply) -> Void
    ) {
        guard problem == nil, receive(on: loop) else { return }
        received.offer { bytes in
            var start = 0
            while start < bytes.byteCount, problem == nil {
                let rest = bytes.extracting(start..<bytes.byteCount)
                let length = valueLeft > 0 ? readValue(rest, value, reply) : readReply(rest, kind, reply)
                if length == 0 { break }
                start += length
            }
            return start
        }
        heard(now: loop.now)
    }

    private func readReply(
        _ bytes: RawSpan, _ kind: (UInt32) -> ItemCommand.Kind, _ reply: (UInt32, ItemReply) -> Void
    ) -> Int {
        guard awaitedCount > 0 else { return refuse() }
        let index = nextItem
        let verb: Verb =
            switch kind(index) {
            case .look, .fetch: .metaGet
            case .add, .put: .metaSet
            case .takeBack, .giveBack: .metaDelete
            }
        switch ReplyParser.parse(bytes, for: verb) {
        case .needMore: return 0
        case .line(let code, let length):
            answered()
            reply(index, ItemReply(code, line: bytes.extracting(0..<length)))
            return length
        case .value(let head):
            let length = Int(head.headerLength)
            guard kind(index) == .fetch,
                case .item(let item) = ItemReply(.value, line: bytes.extracting(0..<length))
            else { return refuse() }
            found = item
            valueLeft = Int(head.dataLength) + 2
            return length
        case .end, .stat, .broken: return refuse()
        }
    }

    private func readValue(
        _ bytes: RawSpan, _ value: (UInt32, RawSpan) -> Void, _ reply: (UInt32, ItemReply) -> Void
    ) -> Int {
        let index = nextItem
        let count = min(valueLeft, bytes.byteCount)
        value(index, bytes.extracting(0..<count))
        valueLeft -= count
        if valueLeft == 0 {
            answered()
            reply(index, .item(found))
        }
        return count
    }

    private func refuse() -> Int {
        fail(.refused(node))
        return 0
    }
}
