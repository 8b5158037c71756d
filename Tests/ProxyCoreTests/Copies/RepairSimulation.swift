import DroverTesting
import MemcacheProtocol
import Telemetry

@testable import ProxyCore

/// Two workers that write few keys to the same fake copies, each message on its own way: delayed, overtaken, lost before
/// or after its effect, or taking effect after it was given up. Copies go down and come back with what they held.
final class RepairSimulation {
    struct Faults {
        /// Of 1000 messages.
        var lost = 0
        /// Of 1000 steps.
        var goingDown = 0
        /// Of 1000 steps: a copy drops a key that nobody has told it to drop.
        var evicted = 0
        var writesAtOnce = 4
    }

    struct Worker {
        let queue: RepairQueue
        var stats = RepairStats()
    }

    private struct Write {
        var worker: Int
        var key: Int
        var pending: Int
        var missed: UInt8 = 0
        /// It says what the item is, whatever was there, and no other write of its key was under way at any time.
        var isLast: Bool
    }

    private struct Running {
        var worker: Int
        var key: Int
        var ticket: Repair
        var order: CopyOrder
        var repair: FakeRepair
        var hasStarted = false
    }

    struct Message {
        enum Owner { case write(Int), repair(Int), fill(Int) }
        var owner: Owner
        var copy: Int
        var command: RepairCommand?
        var line: String
        var body: [UInt8]
        var reply: FakeCopy.Reply?
    }

    private static let millisecond: UInt64 = 1_000_000
    /// How long a copy may still carry out what it did not answer.
    static let ghostLife = 24 * millisecond
    /// Two keys share a slot.
    static let keys = ["one", "two", "three", "AAECAw=="]

    var copies: [FakeCopy]
    private(set) var isUp: [Bool]
    let table: WriteTable
    private(set) var workers: [Worker]
    private var writes: [Int: Write] = [:]
    private var repairs: [Int: Running] = [:]
    var messages: [Message] = []
    var fills: [Int: FakeFill] = [:]
    /// What set or deleted each key, in the order in which it began.
    private(set) var history: [[Change]] = keys.map { _ in [] }
    /// Given up, and yet to be carried out.
    private var ghosts: [(message: Message, due: UInt64)] = []
    var nextNumber = 0
    private(set) var now: UInt64 = 0
    private let faults: Faults
    private var isResting = false
    var generator: SeededGenerator
    private(set) var steps = 0
    private(set) var overlaps = 0
    private(set) var rewritten = 0
    /// Writes that met no other of their key, and were not on all copies when they were answered.
    private(set) var undone = 0
    /// Copies that got a key back, and those that gave it back.
    var filled = 0
    var takenBack = 0
    var stats: [RepairStats] { workers.map(\.stats) }

    /// - Parameter slots: of the table of writes: with two, keys share a slot.
    init(copies count: Int, faults: Faults, slots: Int = 2, generator: SeededGenerator) {
        let table = WriteTable(slots: slots)
        self.table = table
        copies = (0..<count).map { _ in FakeCopy() }
        isUp = copies.map { _ in true }
        self.faults = faults
        self.generator = generator
        workers = (0..<2).map {
            Worker(
                queue: RepairQueue(
                    entries: 16, settlingTime: Self.ghostLife, seed: generator.seed &+ UInt64($0), writes: table))
        }
    }

    var unixTime: Int64 { 1_800_000_000 + Int64(now / 1_000_000_000) }
    private var live: UInt8 { isUp.indices.reduce(0) { isUp[$1] ? $0 | 1 << UInt8($1) : $0 } }

    /// Writes for so many steps, then lets everything come to rest. False if it does not.
    func run(steps: Int) -> Bool {
        for _ in 0..<steps { step(writing: true) }
        isResting = true
        for copy in isUp.indices { comeBack(copy) }
        for _ in 0..<200_000 {
            if messages.isEmpty, ghosts.isEmpty, repairs.isEmpty, fills.isEmpty,
                workers.allSatisfy({ $0.queue.isEmpty })
            {
                return true
            }
            if messages.isEmpty, ghosts.isEmpty, let due = workers.compactMap(\.queue.nextDue).min() {
                now = max(now, due)
            }
            step(writing: false)
        }
        return false
    }

    private func step(writing: Bool) {
        steps += 1
        now += UInt64.random(in: 0..<Self.millisecond, using: &generator)
        if !isResting, generator.random(below: 1000) < faults.goingDown {
            let copy = generator.random(below: isUp.count)
            if isUp[copy] { isUp[copy] = false } else { comeBack(copy) }
        }
        if generator.random(below: 1000) < faults.evicted {
            copies[generator.random(below: copies.count)].items[generator.pick(Self.keys)] = nil
        }
        while let index = ghosts.firstIndex(where: { $0.due <= now }) {
            let ghost = ghosts.remove(at: index).message
            _ = copies[ghost.copy].run(ghost.line, body: ghost.body, now: unixTime)
        }
        switch generator.random(below: 8) {
        case 0 where writing && writes.count < faults.writesAtOnce: startWrite()
        case 1: startRepair(of: generator.random(below: workers.count))
        case 2 where writing && faults.evicted > 0: startFill()
        default:
            guard !messages.isEmpty else { return }
            deliver(messages.remove(at: generator.random(below: messages.count)))
        }
    }

    private func comeBack(_ copy: Int) {
        isUp[copy] = true
        for worker in workers { worker.queue.hurry(now: now) }
    }

    // MARK: Writes

    func hash(of key: Int) -> UInt64 { WriteTable.hash(UInt64(key) << 62, pool: 0) }

    private func startWrite() {
        let key = generator.random(below: Self.keys.count)
        let (line, body) = command(on: key)
        table.begin(hash(of: key))
        nextNumber += 1
        let isChange = line.hasPrefix("ms ") || line.hasPrefix("md ") && !line.hasSuffix(" I")
        if isChange {
            history[key].append(Change(number: nextNumber, value: line.hasPrefix("ms ") ? body : nil, began: steps))
        }
        var write = Write(
            worker: generator.random(below: workers.count), key: key, pending: 0, isLast: line.hasPrefix("ms "))
        for (number, other) in writes where other.key == key {
            writes[number]?.isLast = false
            write.isLast = false
        }
        for copy in copies.indices {
            guard isUp[copy] else {
                write.missed |= 1 << UInt8(copy)
                continue
            }
            write.pending += 1
            messages.append(Message(owner: .write(nextNumber), copy: copy, line: line, body: body))
        }
        writes[nextNumber] = write
        if write.pending == 0 { finish(write: nextNumber) }
    }

    private func command(on key: Int) -> (line: String, body: [UInt8]) {
        let name = Self.keys[key]
        let base64 = key == 3 ? " b" : ""
        switch generator.random(below: 12) {
        case 0, 1: return ("md \(name)\(base64)", [])
        case 2: return ("md \(name)\(base64) I", [])
        case 3: return ("mg \(name)\(base64) T\(generator.random(below: 1000) + 500)", [])
        case 4: return ("mg \(name)\(base64) N600", [])
        default:
            // Some larger than is compared.
            // Where it matters which write a value is of, none may look like another.
            let size = generator.pick(faults.evicted > 0 ? [9, 10, 100] : [0, 1, 8, 8, 8, 100])
            let body = (0..<size).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let life = generator.pick([0, 600, 1000, 3_000_000])
            let expiry = life > 2_592_000 ? unixTime + Int64(life) : Int64(life)
            return ("ms \(name) \(size)\(base64) F\(generator.random(below: 3)) T\(expiry)", body)
        }
    }

    private func finish(write number: Int) {
        guard let write = writes.removeValue(forKey: number) else { return }
        if let index = history[write.key].firstIndex(where: { $0.number == number }) {
            history[write.key][index].ended = steps
        }
        let hasOthers = faults.lost > 0 || faults.evicted > 0
        if write.isLast, write.missed == 0, !hasOthers, !disagreements(on: [Self.keys[write.key]]).isEmpty {
            undone += 1
        }
        let (overlapped, doubted) = table.conclude(hash(of: write.key))
        if overlapped {
            overlaps += 1
            add(key: write.key, to: write.worker, .overlap, missed: 0, doubted: doubted)
        }
        if write.missed != 0 { add(key: write.key, to: write.worker, .copyFailed, missed: write.missed) }
    }

    func add(key number: Int, to worker: Int, _ reason: RepairReason, missed: UInt8, doubted: UInt8 = 0) {
        let key = [UInt8](Self.keys[number].utf8)
        let isQueued = unsafe workers[worker].queue.add(
            key.span.bytes, isBase64: number == 3, hash: hash(of: number), pool: 0, reason: reason,
            missed: missed, doubted: doubted, now: now, counted: &workers[worker].stats)
        precondition(isQueued)
    }

    // MARK: Repairs

    private func startRepair(of worker: Int) {
        guard let ticket = workers[worker].queue.next(now: now) else { return }
        let name = workers[worker].queue.withKey(of: ticket.slot) { key in
            String(
                decoding: (0..<key.byteCount).map { unsafe key.unsafeLoad(fromByteOffset: $0, as: UInt8.self) },
                as: UTF8.self)
        }
        guard let key = Self.keys.firstIndex(of: name), live != 0 else {
            return put(ticket, .nodeDown, of: worker)
        }
        nextNumber += 1
        let order = ticket.order(live: live)
        guard table.beginAlone(ticket.hash, targets: order.targets) else { return put(ticket, .busy, of: worker) }
        repairs[nextNumber] = Running(
            worker: worker, key: key, ticket: ticket, order: order,
            repair: FakeRepair(key: name, isBase64: ticket.isBase64, copies: order.count))
        proceed(repair: nextNumber)
    }

    private func put(_ ticket: Repair, _ obstacle: RepairObstacle, of worker: Int) {
        let isKept = workers[worker].queue.retry(ticket.slot, obstacle, now: now, counted: &workers[worker].stats)
        precondition(isKept || faults.lost + faults.goingDown > 0, "given up without a fault")
    }

    /// Sends what the plan wants sent, or ends it.
    private func proceed(repair number: Int) {
        guard var running = repairs[number] else { return }
        while let command = running.repair.plan.nextCommand() {
            if command.isCorrection, table.isOverlapped(running.ticket.hash) {
                running.repair.plan.overtaken(command.copy)
                continue
            }
            messages.append(
                Message(
                    owner: .repair(number), copy: running.order[command.copy], command: command,
                    line: running.repair.text(command, now: unixTime), body: running.repair.body(command)))
        }
        repairs[number] = running
        guard let outcome = running.repair.plan.outcome else { return }
        repairs[number] = nil
        rewritten += running.repair.plan.written
        let overlapped = table.end(running.ticket.hash)
        switch outcome {
        case .copyFailed: put(running.ticket, .failed, of: running.worker)
        case .moved, .differed: put(running.ticket, .moved, of: running.worker)
        case .agreed where overlapped: put(running.ticket, .busy, of: running.worker)
        case .agreed where running.ticket.needsAllCopies && running.order.count < copies.count:
            put(running.ticket, .nodeDown, of: running.worker)
        case .agreed:
            workers[running.worker].queue.finished(
                running.ticket.slot, now: now, counted: &workers[running.worker].stats)
        }
    }

    // MARK: Messages

    private func deliver(_ message: Message) {
        var message = message
        if let reply = message.reply { return answer(message, reply) }
        let isLost = !isResting && generator.random(below: 1000) < faults.lost || !isUp[message.copy]
        // Lost on the way there, on the way back, or merely late.
        if isLost, generator.once(in: 3) {
            ghosts.append((message, now + UInt64.random(in: 0..<Self.ghostLife, using: &generator)))
            return answer(message, nil)
        }
        if isLost, generator.once(in: 2) { return answer(message, nil) }
        let reply = copies[message.copy].run(message.line, body: message.body, now: unixTime)
        if isLost { return answer(message, nil) }
        message.reply = reply
        messages.append(message)
    }

    private func answer(_ message: Message, _ reply: FakeCopy.Reply?) {
        switch message.owner {
        case .write(let number):
            writes[number]?.pending -= 1
            if reply == nil { writes[number]?.missed |= 1 << UInt8(message.copy) }
            if writes[number]?.pending == 0 { finish(write: number) }
        case .repair(let number):
            guard let command = message.command else { return }
            if let reply {
                repairs[number]?.repair.take(reply, from: command.copy)
            } else {
                repairs[number]?.repair.plan.failed(command.copy)
            }
            proceed(repair: number)
        case .fill(let number):
            guard let command = message.command else { return }
            if let reply {
                let isDisturbed = isDisturbed(fill: number)
                fills[number]?.take(reply, from: command.copy, isDisturbed: isDisturbed)
            } else {
                fills[number]?.plan.failed(command.copy)
            }
            proceed(fill: number)
        }
    }

    /// What the copies disagree on.
    func disagreements(on keys: [String] = RepairSimulation.keys) -> [String] {
        var found: [String] = []
        for key in keys {
            let items = copies.map { copy -> FakeCopy.Item? in
                guard let item = copy.items[key], item.expiry.map({ $0 > unixTime }) ?? true else { return nil }
                return item
            }
            for index in 1..<items.count where !agree(items[0], items[index]) {
                found.append("\(key): \(String(describing: items[0])) and \(String(describing: items[index]))")
            }
        }
        return found
    }

    private func agree(_ one: FakeCopy.Item?, _ other: FakeCopy.Item?) -> Bool {
        guard let one, let other else { return one == nil && other == nil }
        // Looked at in two different seconds, a difference of two seconds may look like one.
        let isTTLEqual = one.expiry.map { expiry in other.expiry.map { abs($0 - expiry) <= 2 } ?? false }
        return one.value == other.value && one.flags == other.flags && one.isStale == other.isStale
            && isTTLEqual ?? (other.expiry == nil)
    }
}

extension SeededGenerator {
    mutating func random(below bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
}
