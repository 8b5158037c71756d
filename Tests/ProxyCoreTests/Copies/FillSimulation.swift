import DroverTesting
import Telemetry

@testable import ProxyCore

/// Back-fills among the writes and repairs.
extension RepairSimulation {
    /// A set or delete.
    struct Change {
        let number: Int
        /// Nil: it deleted.
        let value: [UInt8]?
        let began: Int
        var ended = Int.max
    }

    /// A reader that found a key on one copy and not on others.
    struct FakeFill {
        let worker: Int
        let key: Int
        var plan: FillPlan
        private(set) var value: [UInt8] = []

        init(worker: Int, key: Int, source: Int, targets: UInt8) {
            (self.worker, self.key) = (worker, key)
            plan = FillPlan(source: source, targets: targets)
        }

        mutating func take(_ reply: FakeCopy.Reply, from copy: Int, isDisturbed: Bool) {
            let line = [UInt8](reply.line.utf8)
            let isKept = unsafe plan.received(reply.code, line: line.span.bytes, from: copy, isDisturbed: isDisturbed)
            if isKept { value = reply.value }
        }
    }

    func isDisturbed(fill number: Int) -> Bool { fills[number].map { table.isDisturbed(hash(of: $0.key)) } ?? false }

    func startFill() {
        let key = generator.random(below: Self.keys.count)
        let holders = copies.indices.filter { isUp[$0] && copies[$0].items[Self.keys[key]] != nil }
        let targets = copies.indices.reduce(UInt8(0)) {
            isUp[$1] && copies[$1].items[Self.keys[key]] == nil ? $0 | 1 << UInt8($1) : $0
        }
        guard let source = holders.first, targets != 0, table.beginAlone(hash(of: key), targets: targets) else {
            return
        }
        guard !table.isDisturbed(hash(of: key)) else {
            _ = table.end(hash(of: key))
            return
        }
        nextNumber += 1
        fills[nextNumber] = FakeFill(
            worker: generator.random(below: workers.count), key: key, source: source, targets: targets)
        proceed(fill: nextNumber)
    }

    func proceed(fill number: Int) {
        guard var fill = fills[number] else { return }
        let name = [UInt8](Self.keys[fill.key].utf8)
        while let command = fill.plan.nextCommand() {
            let line = unsafe command.line(
                key: name.span.bytes, isBase64: fill.key == 3, unixTime: unixTime, keepsCAS: false)
            let text = line.withBytes { line in
                String(
                    decoding: (0..<line.byteCount - 2).map {
                        unsafe line.unsafeLoad(fromByteOffset: $0, as: UInt8.self)
                    }, as: UTF8.self)
            }
            messages.append(
                Message(
                    owner: .fill(number), copy: command.copy, command: command, line: text,
                    body: command.carriesValue ? fill.value : []))
        }
        fills[number] = fill
        guard let outcome = fill.plan.outcome else { return }
        fills[number] = nil
        filled += outcome.filled.nonzeroBitCount
        takenBack += outcome.takenBack.nonzeroBitCount
        if outcome.unsure != 0 {
            add(key: fill.key, to: fill.worker, .copyFailed, missed: outcome.unsure)
        }
        _ = table.end(hash(of: fill.key))
    }

    /// Copies that hold what another write had replaced, from its beginning to its end, after it was over.
    func resurrections() -> [String] {
        var found: [String] = []
        for (key, changes) in history.enumerated() {
            for (copy, fake) in copies.enumerated() {
                guard let item = fake.items[Self.keys[key]], !item.value.isEmpty,
                    let write = changes.first(where: { $0.value == item.value })
                else { continue }
                if let later = changes.first(where: { $0.began > write.ended }) {
                    found.append("\(Self.keys[key]) on \(copy) is of write \(write.number), \(later.number) came later")
                }
            }
        }
        return found
    }
}
