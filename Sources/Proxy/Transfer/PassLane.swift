internal import Bytes
internal import MemcacheProtocol
internal import ProxyCore
internal import Reactor
internal import Sockets

/// The items of a pass that come from one source: their keys, two connections, and the rate at which that source may
/// be asked.
final class PassLane {
    /// Which steps the keys of a spill are for.
    enum Work { case copy, clean(watermark: UInt64), verify, stray }

    /// One item under way.
    struct Row: BitwiseCopyable {
        var step: ItemStep
        /// As spelled on the wire.
        var key = ByteRun()
        var isBase64 = false
        /// A command has been sent.
        var hasBegun = false
        /// What is awaited.
        var command = ItemCommand.Kind.look
        /// Values that were fetched, with their CR LF; the source's goes on to the target.
        var source = ByteQueue()
        var target = ByteQueue()
        /// Of the source's value.
        var size = 0
        /// What the dump said that it takes.
        var expectedSize = 0
    }

    /// Bytes of values that a pass may have under way, by what the dumps say, before the next item has to wait.
    static let valueLimit = 8 << 20

    /// Nanoseconds between two batches where the rate is the limit: items that begin together share their writes and
    /// reads, and their turns of the loop.
    private static let batchPause: UInt64 = 2_000_000
    /// Who goes more slowly for clients' sake does so by rarer batches rather than by smaller ones, as each of them is in
    /// some request's way; so often is the pause doubled at most, as a longer one than the rate's burst would be lost.
    private static let pauseDoublings: UInt8 = 3

    let order: PassOrder
    /// What is to be known of the target.
    private let facts: NodeFacts
    private let clock: Int64
    private var spills: [(spill: KeySpill, work: Work)]
    let source: ItemLink
    let target: ItemLink
    let queues: ByteQueues
    let rows = Stack<Row>()
    private let free = Stack<UInt32>()
    /// The lane's share.
    private let depth: Int
    private let valueLimit: Int
    private var keys = OpenChunk()
    /// The chunk that values are written into.
    var values = OpenChunk()
    private var expectedBytes = 0
    private var nextBatch: UInt64 = 0
    /// Items that wait before they are looked at again, and their command.
    private var settling = SettlingQueue<(index: UInt32, command: ItemCommand)>()
    var rate: TransferRate
    private(set) var report = TransferReport()
    private(set) var changed = 0
    private(set) var done = 0
    private var failure: PassProblem?

    /// - Parameters:
    ///   - source: by place.
    ///   - facts: of the target.
    ///   - clock: seconds that the target's clock is ahead of the monotonic one.
    ///   - lanes: among which depth and memory are shared.
    ///   - token: of the watch of the source's connection; the target's is the next.
    init(
        from source: Int, _ order: PassOrder, spills: [(spill: KeySpill, work: Work)], facts: NodeFacts, clock: Int64,
        lanes: Int, queues: ByteQueues, token: UInt64, on loop: EventLoop
    ) {
        self.order = order
        self.facts = facts
        self.clock = clock
        self.spills = spills
        self.queues = queues
        let depth = max(1, order.sync.depth / lanes)
        self.depth = depth
        valueLimit = Self.valueLimit / lanes
        rate = TransferRate(order.sync)
        let settings = order.pool.settings
        func link(_ node: Int, _ token: UInt64) -> ItemLink {
            ItemLink(
                to: node, at: order.nodes[node].address, timeout: settings.timeout,
                connectTimeout: settings.connectTimeout, depth: depth, queues: queues, token: token, on: loop)
        }
        self.source = link(source, token)
        target = link(order.target, token + 1)
    }

    func close(on loop: EventLoop) {
        for index in 0..<rows.count { release(UInt32(index)) }
        source.close(on: loop)
        target.close(on: loop)
        queues.close(&keys)
        queues.close(&values)
    }

    var problem: PassProblem? { failure ?? source.problem ?? target.problem }
    var underWay: Int { rows.count - free.count }
    var isEmpty: Bool { spills.isEmpty && underWay == 0 }

    func fail(_ problem: PassProblem) { if failure == nil { failure = problem } }

    /// When `begin` or `expire` have to be called next.
    func wakeup(mayBegin: Bool) -> UInt64 {
        let silence = min(source.deadline, target.deadline, settling.nextTime)
        return mayBegin && hasRoom && !spills.isEmpty ? min(silence, max(rate.nextTime, nextBatch)) : silence
    }

    func expire(now: UInt64) {
        source.expire(now: now)
        target.expire(now: now)
        while problem == nil, let (index, command) = settling.next(now: now) { send(command, of: index, now: now) }
    }

    // MARK: Items

    private var hasRoom: Bool { underWay < depth && expectedBytes < valueLimit }

    /// Takes as many items as rate and depth allow.
    func begin(now: UInt64) {
        guard now >= nextBatch else { return }
        defer {
            let pause = Self.batchPause << UInt64(min(rate.halvings, Self.pauseDoublings))
            if rate.nextTime > now { nextBatch = now.addingSaturated(pause) }
        }
        while hasRoom, problem == nil, let (spill, work) = spills.last, rate.nextTime <= now {
            switch spill.take({ record, bytes in makeRow(record, bytes, work, now: now) }) {
            case nil:
                if let code = spill.failure { fail(.spill(code)) }
                spills.removeLast()
            // No command can name the key.
            case .some(nil): done += 1
            case .some(let row?): begin(row, now: now)
            }
        }
    }

    private func begin(_ row: Row, now: UInt64) {
        rate.takeItem(now: now)
        expectedBytes += row.expectedSize
        let index: UInt32
        if let slot = free.pop() {
            rows[Int(slot)] = row
            index = slot
        } else {
            index = UInt32(rows.count)
            rows.push(row)
        }
        advance(index, now: now)
    }

    private func makeRow(_ record: SpillRecord, _ bytes: RawSpan, _ work: Work, now: UInt64) -> Row? {
        let key = bytes.extracting(record.key.start..<record.key.end)
        let step: ItemStep
        switch work {
        case .copy: step = .copy(CopyStep(room: room(keyLength: key.byteCount)))
        case .clean(let watermark):
            step = .clean(CleanStep(target: StoredItem(record.item, unixTime: unixTime(now)), watermark: watermark))
        case .verify: step = .verify(VerifyStep(takesBack: !order.reportsOnly))
        case .stray: step = .stray(VerifyStep(isStray: true, takesBack: !order.reportsOnly))
        }
        var row = Row(step: step)
        row.expectedSize = Int(record.item.size)
        if WireKey.isPlain(key) {
            return queues.keep(key, in: &row.key, through: &keys) ? row : outOfMemory()
        }
        guard Base64.encodedLength(key.byteCount) <= DumpLine.keyLimit else { return nil }
        row.isBase64 = true
        let text = Base64.encode(key)
        return unsafe queues.keep(text.span.bytes, in: &row.key, through: &keys) ? row : outOfMemory()
    }

    private func outOfMemory() -> Row? {
        fail(.memory)
        return nil
    }

    private func room(keyLength: Int) -> Int {
        CopyStep.room(itemSizeMax: itemSizeMax, keyLength: keyLength)
    }

    /// The target's. A value that is larger need not be kept.
    var itemSizeMax: Int { facts.itemSizeMax ?? 1 << 20 }

    /// The target's.
    private func unixTime(_ now: UInt64) -> Int64 { Int64(now / 1_000_000_000) + clock }

    /// Sends the item's next command, or has done with it.
    func advance(_ index: UInt32, now: UInt64) {
        guard let command = rows.update(Int(index), { $0.step.nextCommand() }) else { return finish(index) }
        // Never the first command: a second look.
        if order.settling > 0, command.kind == .look, rows[Int(index)].hasBegun {
            settling.add((index, command), until: now + order.settling)
        } else {
            send(command, of: index, now: now)
        }
    }

    private func send(_ command: ItemCommand, of index: UInt32, now: UInt64) {
        rows[Int(index)].command = command.kind
        rows[Int(index)].hasBegun = true
        let (key, isBase64) = (rows[Int(index)].key, rows[Int(index)].isBase64)
        let line = queues.withBytes(of: key) { command.line(key: $0, isBase64: isBase64, unixTime: unixTime(now)) }
        var body = ByteQueue()
        if command.kind == .add { swap(&body, &rows[Int(index)].source) }
        let link = command.side == .source ? source : target
        line.withBytes { link.add($0, body: &body, of: index, now: now) }
    }

    private func finish(_ index: UInt32) {
        let row = rows[Int(index)]
        if row.step.count(in: &report, bytes: row.size) { changed += 1 }
        done += 1
        expectedBytes -= row.expectedSize
        release(index)
        free.push(index)
    }

    private func release(_ index: UInt32) {
        queues.release(rows[Int(index)].key)
        rows[Int(index)].key = ByteRun()
        queues.clear(&rows[Int(index)].source)
        queues.clear(&rows[Int(index)].target)
    }
}
