import DroverTesting
import Testing

/// Many clients write the same few keys through two workers while a node fails: nobody reads what an acknowledged write
/// has superseded, whichever copy is left.
@Suite(.serialized)
struct CopiesOrderTests {
    /// A set, or a delete where there is no value. Nobody knows when it was done, but that it was between these times.
    private struct Write: Sendable {
        var key: String
        var value: String?
        var start: UInt64
        var end: UInt64 = 0
        var isAcknowledged = false
    }

    private struct Read: Sendable {
        var key: String
        var value: String?
        var start: UInt64
        var end: UInt64
    }

    private struct Known: Sendable {
        var writes: [Write] = []
        var reads: [Read] = []
    }

    @Test(
        .timeLimit(.minutes(20)),
        arguments: [
            CopiesSetting(), CopiesSetting(shape: .standby, version: .debian),
            CopiesSetting(shape: .threeOfThree, acks: "quorum"),
        ], NodeFault.allCases)
    func nothingOlderThanWhatWasAcknowledgedIsRead(setting: CopiesSetting, fault: NodeFault) throws {
        let keys = (0..<4).map { "\($0 * 7919)-shared" }
        let run = try FaultRun(setting, fault, keys: keys)
        let known = try run.underLoad(clients: 8) { client, number, random in
            var random = random
            var known = Known()
            while run.goesOn() {
                let key = random.pick(keys)
                switch random.pick(0..<8) {
                case 0: known.writes.append(try Self.write(nil, key, client))
                case 1..<5: known.writes.append(try Self.write("\(number)-\(known.writes.count)", key, client))
                default:
                    let start = Deadline.now()
                    guard let value = try Self.read(key, client) else { continue }
                    known.reads.append(
                        Read(key: key, value: value.isEmpty ? nil : value, start: start, end: Deadline.now()))
                }
            }
            return known
        }
        try run.cluster.awaitRepairs()
        let survivors = try run.survivors()
        var reads = known.flatMap(\.reads)
        for key in keys {
            for node in run.copies[key]! where node != run.victim {
                let value = try survivors[node]!.stored(key).map { String(decoding: $0.value, as: UTF8.self) }
                reads.append(Read(key: key, value: value, start: Deadline.now(), end: .max))
            }
        }
        let writes = known.flatMap(\.writes)
        let histories = Dictionary(grouping: writes, by: \.key).mapValues(History.init)
        for read in reads {
            try #require(histories[read.key]?.allows(read) ?? (read.value == nil), "\(run.label): \(read)")
        }
        #expect(writes.count { $0.isAcknowledged } > 100, run.label)
        try run.expectAgreementAfterReturn(of: keys)
    }

    /// All writes of a key.
    private struct History {
        private let sets: [String: Write]
        private let deletes: [Write]
        /// Those that were acknowledged, by their ends; and for each the latest start of those so far.
        private let ends: [UInt64]
        private let latestStarts: [UInt64]

        init(_ writes: [Write]) {
            sets = Dictionary(uniqueKeysWithValues: writes.compactMap { write in write.value.map { ($0, write) } })
            deletes = writes.filter { $0.value == nil }
            let over = writes.filter(\.isAcknowledged).sorted { $0.end < $1.end }
            ends = over.map(\.end)
            latestStarts = over.reduce(into: []) { $0.append(max($0.last ?? 0, $1.start)) }
        }

        /// Some write that may be what was read was not followed by another that was over before. (A key that nobody has
        /// written yet is missing.)
        func allows(_ read: Read) -> Bool {
            let count = Self.count(of: ends, below: read.start)
            let latest = count == 0 ? 0 : latestStarts[count - 1]
            if let value = read.value { return sets[value].map { $0.end >= latest } ?? false }
            return latest == 0 || deletes.contains { $0.start <= read.end && $0.end >= latest }
        }

        private static func count(of sorted: [UInt64], below limit: UInt64) -> Int {
            var (low, high) = (0, sorted.count)
            while low < high {
                let middle = (low + high) / 2
                if sorted[middle] < limit { low = middle + 1 } else { high = middle }
            }
            return low
        }
    }

    private static func write(_ value: String?, _ key: String, _ client: RawClient) throws -> Write {
        var write = Write(key: key, value: value, start: Deadline.now())
        let line = value.map { "set \(key) 0 0 \($0.utf8.count)\r\n\($0)\r\n" } ?? "delete \(key)\r\n"
        let reply = try client.roundTrip(line)
        write.end = Deadline.now()
        write.isAcknowledged = ["STORED\r\n", "DELETED\r\n", "NOT_FOUND\r\n"].contains(reply)
        guard write.isAcknowledged || isUnknown(reply) else { throw TestFailure("\(line): \(reply)") }
        return write
    }

    /// Nil where it is not known; nothing where the key is not there.
    private static func read(_ key: String, _ client: RawClient) throws -> String? {
        let line = try client.roundTrip("get \(key)\r\n")
        if line == "END\r\n" { return "" }
        if isUnknown(line) { return nil }
        let value = try client.readLine()
        guard line.hasPrefix("VALUE \(key) 0 "), try client.readLine() == "END\r\n" else {
            throw TestFailure("get: \(line)")
        }
        return String(value.dropLast())  // CR LF is one character
    }
}
