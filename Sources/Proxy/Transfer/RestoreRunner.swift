internal import Archive
internal import Bytes
internal import MemcacheProtocol
internal import ProxyCore
internal import Reactor

/// Puts a backup's items back on all full copies of their keys, block by block. What cannot be read is told and left
/// out.
final class RestoreRunner: TransferWork {
    private static let notesLimit = 1000

    private struct Row {
        var step = RestoreStep(copies: 1)
        var places: [Int] = []
        var kinds: [ItemCommand.Kind] = []
        var key = SpelledKey([])
        var flags: UInt32 = 0
        /// Seconds since 1970; -1 is never. It may wait for long until it is sent.
        var expiry: Int64 = -1
        /// Empty once it is on its way.
        var value: [UInt8] = []
        var size = 0
    }

    let order: ArchiveOrder
    let serial: UInt64
    private let overwrites: Bool
    private let queues: ByteQueues
    private let copies: FullCopies
    private let depth: Int
    private var folder: ArchiveFolder?
    private var files: [ArchiveManifest.File] = []
    private var backup: UInt64 = 0
    private var reader: (reader: ArchiveReader, name: String)?
    /// Items of a block, the next one last.
    private var block: [Row] = []

    private enum Stage { case opening, asking, working }
    private var stage = Stage.opening
    private var unasked: [Int] = []
    private var dump: KeyDump?
    /// The smallest of the nodes'.
    private var itemSizeMax = Int.max
    private var links: NodeLinks
    private var rows = ItemRows<Row>()
    /// Items whose adds are not all answered.
    private var adding = 0
    /// Items that wait for their second look.
    private var settling = SettlingQueue<UInt32>()
    private var values = OpenChunk()

    private var rate: TransferRate
    private var report = TransferReport()
    private var notes: [String] = []
    private var known = 0
    private var done = 0
    private var isPaused = false
    private var isCancelled = false
    private var nextProgress: UInt64 = 0
    private(set) var end: PassEnd?

    init(_ order: ArchiveOrder, serial: UInt64, queues: ByteQueues, pace: TransferRate) {
        (self.order, self.serial, self.queues) = (order, serial, queues)
        overwrites = order.kind == .restore(overwrites: true)
        copies = FullCopies(of: order.pool, isFull: order.nodes.map(\.isFull))
        let sync = order.pool.settings.sync
        depth = max(1, sync.depth)
        rate = TransferRate(sync)
        rate.keepPace(with: pace)
        links = NodeLinks(count: order.nodes.count)
    }

    var id: UInt64 { order.id }
    var isDumping: Bool { dump != nil }
    func cancel() { isCancelled = true }
    func setPaused(_ isPaused: Bool) { self.isPaused = isPaused }
    func keepPace(with pace: TransferRate) { rate.keepPace(with: pace) }

    /// Items that wait for their second look are few beside those of a block; memory is bounded by the rate.
    private var hasRoom: Bool { adding < depth && rows.count < 64 * depth }

    var wakeup: UInt64 {
        guard end == nil else { return .max }
        var time = min(nextProgress, dump?.wakeup ?? .max, links.deadline)
        time = min(time, settling.nextTime)
        if stage == .opening || stage == .working && !isPaused && hasRoom { time = min(time, rate.nextTime) }
        return time
    }

    func takeProgress(now: UInt64) -> PassProgress? {
        guard end == nil, now >= nextProgress else { return nil }
        nextProgress = now.addingSaturated(500_000_000)
        return PassProgress(
            id: id, stage: isPaused ? .paused : stage == .working ? .working : .listing, known: known, done: done,
            halvings: Int(rate.halvings), report: report)
    }

    // MARK: Turns

    func ready(_ token: UInt64, _ what: Readiness, on loop: EventLoop) {
        if token < KeyDump.tokens {
            dump?.ready(token, what, on: loop) { _, _ in }
            return
        }
        guard let link = links.readable(token - KeyDump.tokens, what, on: loop) else { return }
        let node = link.node
        link.readReplies(
            on: loop,
            kind: { index in
                let row = rows[Int(index)]
                return row.kinds[row.places.firstIndex(of: node) ?? 0]
            },
            value: { _, _ in }, reply: { index, reply in received(reply, index, from: node, now: loop.now) })
    }

    func turn(with vector: borrowing SendVector, mayDump: Bool, on loop: EventLoop) {
        guard end == nil else { return }
        do throws(ArchiveError) {
            if stage == .opening { try open() }
            if stage == .asking { ask(mayDump: mayDump, on: loop) }
            if stage == .working, end == nil { try work(on: loop) }
        } catch {
            finish(.archive(error.description), on: loop)
        }
        if let problem = links.turn(with: vector, on: loop) { finish(problem, on: loop) }
    }

    private func open() throws(ArchiveError) {
        let folder = try ArchiveFolder(order.path, makes: false)
        guard let manifest = try folder.manifest() else { throw ArchiveError("\(order.path) holds no backup") }
        if !manifest.isComplete {
            note("the backup is not complete: \(manifest.doneParts.count) of \(manifest.parts) parts are there")
        }
        (self.folder, backup, files) = (folder, manifest.backup, manifest.files.reversed())
        known = manifest.recordCount
        unasked = order.nodes.indices.filter { order.nodes[$0].isFull }.reversed()
        stage = .asking
    }

    private func ask(mayDump: Bool, on loop: EventLoop) {
        if isCancelled { return finish(.cancelled, on: loop) }
        if let dump {
            dump.turn(on: loop)
            guard dump.isOver else { return }
            if let problem = dump.problem { return finish(problem, on: loop) }
            itemSizeMax = min(itemSizeMax, dump.facts.itemSizeMax ?? 1 << 20)
            self.dump = nil
        } else if !mayDump {
            return
        }
        if let node = unasked.popLast() {
            dump = KeyDump(
                of: node, at: order.nodes[node].address, servesReads: nil, settings: order.pool.settings, token: serial,
                on: loop)
            if dump?.isOver == true { ask(mayDump: true, on: loop) }
            return
        }
        links.open(order, depth: 65 * depth, queues: queues, token: serial + KeyDump.tokens, on: loop)
        stage = .working
    }

    // MARK: Items

    private func work(on loop: EventLoop) throws(ArchiveError) {
        while let index = settling.next(now: loop.now) {
            rows[Int(index)].step.settled()
            advance(index, now: loop.now)
        }
        while !isPaused, !isCancelled, hasRoom, rate.nextTime <= loop.now, try fillBlock() {
            if let row = block.popLast() { begin(row, now: loop.now) }
        }
        guard rows.count == 0 else { return }
        if isCancelled {
            finish(.cancelled, on: loop)
        } else if !isPaused, block.isEmpty, reader == nil, files.isEmpty {
            finish(nil, on: loop)
        }
    }

    private func begin(_ row: Row, now: UInt64) {
        guard row.expiry < 0 || row.expiry > order.unixTime(now) else {
            report.expired += 1
            done += 1
            return
        }
        rate.takeItem(now: now)
        rate.takeBytes(row.size, now: now)
        adding += 1
        advance(rows.add(row), now: now)
    }

    private func advance(_ index: UInt32, now: UInt64) {
        while let command = rows[Int(index)].step.nextCommand() { send(command, of: index, now: now) }
        let row = rows[Int(index)]
        guard let outcome = row.step.outcome else { return }
        report.count(restored: outcome, bytes: row.size)
        done += 1
        rows.remove(index, leaving: Row())
    }

    private func send(_ command: RestoreStep.Command, of index: UInt32, now: UInt64) {
        let row = rows[Int(index)]
        // An add is sent at once when its item is begun: it has not expired.
        let ttl = row.expiry < 0 ? -1 : row.expiry - order.unixTime(now)
        let item = RestoreStep.itemCommand(
            command, flags: row.flags, size: row.size, ttl: ttl, overwrites: overwrites)
        rows[Int(index)].kinds[command.copy] = item.kind
        var body = ByteQueue()
        let place = row.places[command.copy]
        if item.bodyLength > 0 {
            let isKept = unsafe queues.append(row.value.span.bytes, to: &body, through: &values)
            if !isKept { links[place]?.fail(.memory) }
        }
        let line = unsafe item.line(
            key: row.key.bytes.span.bytes, isBase64: row.key.isBase64, unixTime: order.unixTime(now))
        line.withBytes { links[place]?.add($0, body: &body, of: index, now: now) }
    }

    private func received(_ reply: ItemReply, _ index: UInt32, from node: Int, now: UInt64) {
        guard let copy = rows[Int(index)].places.firstIndex(of: node) else { return }
        let wasAdding = !rows[Int(index)].value.isEmpty
        rows[Int(index)].step.received(reply, from: copy)
        if reply == .failed { links[node]?.fail(.refused(node)) }
        let step = rows[Int(index)].step
        if wasAdding, step.isSettling || step.outcome != nil || step.isTakingBack {
            rows[Int(index)].value = []
            adding -= 1
            if step.isSettling {
                settling.add(index, until: now.addingSaturated(order.pool.settings.timeout))
            }
        }
        advance(index, now: now)
    }

    // MARK: Files

    /// False at the end of all files.
    private func fillBlock() throws(ArchiveError) -> Bool {
        while block.isEmpty {
            if let (reader, name) = self.reader {
                switch try reader.next() {
                case .block(let found): take(found)
                case .damage(let damage):
                    report.damaged += 1
                    note("\(name): \(damage.text)")
                case nil: self.reader = nil
                }
                continue
            }
            guard let file = files.popLast(), let folder else { return false }
            do throws(ArchiveError) {
                reader = (try ArchiveReader(folder.file(file.name), backup: backup), file.name)
            } catch {
                report.damaged += 1
                note("\(error.description): \(file.records) items are lost")
            }
        }
        return true
    }

    private func take(_ found: ArchiveBlock) {
        found.forEach { record, bytes in
            let key = bytes.extracting(record.key.start..<record.key.end)
            let places = copies.places(of: key)
            guard !places.isEmpty, WireKey.isSpellable(key),
                record.value.count <= CopyStep.room(itemSizeMax: itemSizeMax, keyLength: key.byteCount)
            else {
                done += 1
                report.count(restored: .skipped(.tooLarge), bytes: 0)
                return
            }
            var row = Row(step: RestoreStep(copies: places.count), places: places)
            row.kinds = places.map { _ in .add }
            row.key = SpelledKey(unsafe key.withUnsafeBytes { unsafe Array($0) })
            (row.flags, row.size, row.expiry) = (record.flags, record.value.count, record.expiry)
            let value = bytes.extracting(record.value.start..<record.value.end)
            row.value = unsafe value.withUnsafeBytes { unsafe Array($0) } + [0x0d, 0x0a]
            block.append(row)
        }
    }

    private func note(_ text: String) { if notes.count < Self.notesLimit { notes.append(text) } }

    private func finish(_ problem: PassProblem?, on loop: EventLoop) {
        guard end == nil else { return }
        dump?.close(on: loop)
        dump = nil
        links.close(on: loop)
        queues.close(&values)
        (reader, folder) = (nil, nil)
        end = PassEnd(id: id, changed: 0, total: known, report: report, problem: problem, notes: notes)
    }
}

@available(*, unavailable, message: "it never leaves its thread")
extension RestoreRunner: Sendable {}
