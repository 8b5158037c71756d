internal import Archive
internal import Bytes
internal import MemcacheProtocol
internal import ProxyCore
internal import Reactor

/// Writes a pool's items to a folder: the dumps of all full nodes first, then part after part of the keys, each from
/// the node that has its first full copy. When a part is on the disk the manifest says so, and a later run leaves it out.
final class BackupRunner: TransferWork {
    /// A backup has so many; each is a class of the spill.
    private static let parts = Recency.count - 1
    private static let memory = 4 << 20

    private struct Row {
        var step = SaveStep()
        var node = 0
        var kind = ItemCommand.Kind.fetch
        var key: [UInt8] = []
        var value: [UInt8] = []
        var expectedSize = 0
    }

    let order: ArchiveOrder
    let serial: UInt64
    private let queues: ByteQueues
    private let copies: FullCopies
    private let depth: Int
    private var folder: ArchiveFolder?
    private var manifest: ArchiveManifest?

    private enum Stage { case opening, listing, working }
    private var stage = Stage.opening
    private var unasked: [Int] = []
    private var dump: KeyDump?
    private var spill = KeySpill(keepsItem: false, memory: BackupRunner.memory)
    private var known = 0

    private var links: NodeLinks
    private var rows = ItemRows<Row>()
    private var expectedBytes = 0
    /// A key of a later part than the one that is being written.
    private var held: (part: Int, row: Row)?
    private var part = 0
    private var file: (writer: ArchiveWriter, name: String)?
    private var builder: BlockBuilder

    private var rate: TransferRate
    private var report = TransferReport()
    private var done = 0
    private var isPaused = false
    private var isCancelled = false
    private var nextProgress: UInt64 = 0
    private(set) var end: PassEnd?

    init(_ order: ArchiveOrder, serial: UInt64, queues: ByteQueues, pace: TransferRate) {
        (self.order, self.serial, self.queues) = (order, serial, queues)
        copies = FullCopies(of: order.pool, isFull: order.nodes.map(\.isFull))
        let sync = order.pool.settings.sync
        depth = max(1, sync.depth)
        rate = TransferRate(sync)
        rate.keepPace(with: pace)
        links = NodeLinks(count: order.nodes.count)
        builder = BlockBuilder(backup: order.backup)
    }

    var id: UInt64 { order.id }
    var isDumping: Bool { dump != nil }
    func cancel() { isCancelled = true }
    func setPaused(_ isPaused: Bool) { self.isPaused = isPaused }
    func keepPace(with pace: TransferRate) { rate.keepPace(with: pace) }

    private var unixTime: Int64 { order.unixTime(EventLoop.monotonicNow()) }
    private var hasRoom: Bool { rows.count < depth && expectedBytes < PassLane.valueLimit }

    var wakeup: UInt64 {
        guard end == nil else { return .max }
        var time = min(nextProgress, dump?.wakeup ?? .max, links.deadline)
        if stage == .working, !isPaused, hasRoom { time = min(time, rate.nextTime) }
        return time
    }

    func takeProgress(now: UInt64) -> PassProgress? {
        guard end == nil, now >= nextProgress else { return nil }
        nextProgress = now.addingSaturated(500_000_000)
        return PassProgress(
            id: id, stage: isPaused ? .paused : stage == .working ? .working : dump?.progress ?? .listing, known: known,
            done: done, halvings: Int(rate.halvings), report: report)
    }

    // MARK: Turns

    func ready(_ token: UInt64, _ what: Readiness, on loop: EventLoop) {
        if token < KeyDump.tokens {
            dump?.ready(token, what, on: loop) { item, key in take(item, key) }
            return
        }
        guard let link = links.readable(token - KeyDump.tokens, what, on: loop) else { return }
        link.readReplies(
            on: loop, kind: { rows[Int($0)].kind },
            value: { index, bytes in
                unsafe bytes.withUnsafeBytes { unsafe rows[Int(index)].value.append(contentsOf: $0) }
            },
            reply: { index, reply in received(reply, index, now: loop.now) })
    }

    func turn(with vector: borrowing SendVector, mayDump: Bool, on loop: EventLoop) {
        guard end == nil else { return }
        do throws(ArchiveError) {
            if stage == .opening { try open() }
            if stage == .listing { try list(mayDump: mayDump, on: loop) }
            if stage == .working, end == nil { try work(on: loop) }
        } catch {
            finish(.archive(error.description), on: loop)
        }
        if let problem = links.turn(with: vector, on: loop) { finish(problem, on: loop) }
    }

    private func open() throws(ArchiveError) {
        let folder = try ArchiveFolder(order.path, makes: true)
        let pool = order.pool.settings.name
        let manifest =
            try folder.resume(pool: pool)
            ?? ArchiveManifest(pool: pool, backup: order.backup, created: unixTime, parts: Self.parts)
        guard manifest.parts <= Self.parts else { throw ArchiveError("\(order.path) has \(manifest.parts) parts") }
        try folder.write(manifest)
        (self.folder, self.manifest) = (folder, manifest)
        unasked = order.nodes.indices.filter { order.nodes[$0].isFull }.reversed()
        stage = .listing
    }

    private func list(mayDump: Bool, on loop: EventLoop) throws(ArchiveError) {
        if isCancelled { return finish(.cancelled, on: loop) }
        if let dump {
            dump.turn(on: loop)
            guard dump.isOver else { return }
            if let problem = dump.problem { return finish(problem, on: loop) }
            self.dump = nil
        } else if !mayDump {
            return
        }
        if let code = spill.failure { return finish(.spill(code), on: loop) }
        if let node = unasked.popLast() {
            dump = KeyDump(
                of: node, at: order.nodes[node].address, servesReads: true, settings: order.pool.settings,
                token: serial, on: loop)
            if dump?.isOver == true { try list(mayDump: true, on: loop) }
            return
        }
        links.open(order, depth: depth, queues: queues, token: serial + KeyDump.tokens, on: loop)
        stage = .working
        try begin(part: 0)
    }

    private func take(_ item: DumpedItem, _ key: RawSpan) {
        guard let dump, let manifest, copies.places(of: key).first == dump.node else { return }
        let part = FullCopies.part(of: key, count: manifest.parts)
        guard !manifest.doneParts.contains(part) else { return }
        // No command can name it.
        guard WireKey.isSpellable(key) else {
            return report.count(saved: .skipped(.tooLarge), bytes: 0)
        }
        known += 1
        spill.add(key, item, recency: part)
    }

    // MARK: Items

    private func work(on loop: EventLoop) throws(ArchiveError) {
        guard let manifest else { return }
        while !isPaused, !isCancelled, hasRoom, rate.nextTime <= loop.now {
            guard let (part, row) = held ?? next(of: manifest.parts) else {
                if let code = spill.failure { return finish(.spill(code), on: loop) }
                break
            }
            held = (part, row)
            if part != self.part {
                guard rows.count == 0 else { break }
                while self.part < part { try finishPart() }
            }
            held = nil
            begin(row, now: loop.now)
        }
        if let failure { throw failure }
        if builder.isFull { try writeBlock() }
        if isCancelled {
            if rows.count == 0 { finish(.cancelled, on: loop) }
        } else if held == nil, spill.count == 0, rows.count == 0 {
            while part < manifest.parts { try finishPart() }
            finish(nil, on: loop)
        }
    }

    private func next(of parts: Int) -> (part: Int, row: Row)? {
        let copies = copies
        return spill.take { record, bytes in
            let key = bytes.extracting(record.key.start..<record.key.end)
            var row = Row()
            row.node = copies.places(of: key).first ?? 0
            row.expectedSize = Int(record.item.size)
            row.key = unsafe key.withUnsafeBytes { unsafe Array($0) }
            return (FullCopies.part(of: key, count: parts), row)
        }
    }

    private func begin(_ row: Row, now: UInt64) {
        rate.takeItem(now: now)
        expectedBytes += row.expectedSize
        advance(rows.add(row), now: now)
    }

    private func advance(_ index: UInt32, now: UInt64) {
        guard let command = rows[Int(index)].step.nextCommand() else { return ended(index) }
        rows[Int(index)].kind = command.kind
        var nothing = ByteQueue()
        let spelled = SpelledKey(rows[Int(index)].key)
        let line = unsafe command.line(key: spelled.bytes.span.bytes, isBase64: spelled.isBase64, unixTime: 0)
        line.withBytes { links[rows[Int(index)].node]?.add($0, body: &nothing, of: index, now: now) }
    }

    private func received(_ reply: ItemReply, _ index: UInt32, now: UInt64) {
        rate.takeBytes(rows[Int(index)].value.count, now: now)
        rows[Int(index)].step.received(reply)
        let node = rows[Int(index)].node
        if rows[Int(index)].step.outcome == .failed { links[node]?.fail(.refused(node)) }
        advance(index, now: now)
    }

    private func ended(_ index: UInt32) {
        let row = rows[Int(index)]
        if let outcome = row.step.outcome {
            report.count(saved: outcome, bytes: max(0, row.value.count - 2))
            if case .saved(let item) = outcome { save(row, item) }
        }
        done += 1
        expectedBytes -= row.expectedSize
        rows.remove(index, leaving: Row())
    }

    private func save(_ row: Row, _ item: StoredItem) {
        guard row.value.count == Int(item.size) + 2, row.value.suffix(2) == [0x0d, 0x0a] else {
            links[row.node]?.fail(.refused(row.node))
            return
        }
        if builder.isFull { fullBlocks() }
        unsafe builder.append(
            row.key.span.bytes, flags: item.flags, expiry: item.ttl < 0 ? -1 : unixTime + item.ttl,
            valueLength: Int(item.size)
        ) { $0 += row.value.dropLast(2) }
    }

    // MARK: Files

    /// What went wrong between two turns.
    private var failure: ArchiveError?

    private func fullBlocks() {
        do throws(ArchiveError) { try writeBlock() } catch { failure = error }
    }

    private func begin(part: Int) throws(ArchiveError) {
        self.part = part
        guard let folder, let manifest, part < manifest.parts, !manifest.doneParts.contains(part) else { return }
        let name = ArchiveFolder.name(part: part, node: 0)
        file = (try ArchiveWriter(folder.file(name)), name)
        builder = BlockBuilder(backup: manifest.backup)
    }

    private func writeBlock() throws(ArchiveError) {
        guard let block = builder.takeBlock() else { throw ArchiveError("no memory for a block") }
        try file?.writer.write(block)
    }

    private func finishPart() throws(ArchiveError) {
        if let folder, let (writer, name) = file {
            if !builder.isEmpty { try writeBlock() }
            try writer.write(builder.end())
            try writer.finish()
            let made = ArchiveManifest.File(
                name: name, part: part, records: builder.recordCount, blocks: Int(builder.blockCount),
                bytes: writer.byteCount)
            manifest?.finish(part: part, [made])
            if let manifest { try folder.write(manifest) }
            file = nil
        }
        try begin(part: part + 1)
    }

    private func finish(_ problem: PassProblem?, on loop: EventLoop) {
        guard end == nil else { return }
        dump?.close(on: loop)
        dump = nil
        links.close(on: loop)
        (file, folder) = (nil, nil)
        end = PassEnd(id: id, changed: 0, total: known, report: report, problem: problem)
    }
}

@available(*, unavailable, message: "it never leaves its thread")
extension BackupRunner: Sendable {}
