import DroverTesting
import Testing

/// How long a proxy may show what another one, that sees less of the nodes, has superseded.
@Suite(.serialized)
struct StaleWindowTests {
    private static let rounds = 8

    /// Proxy 0 is cut off from a key's primary and writes to the copy that is left; proxy 1 sees both, and goes on
    /// reading the primary until it has read that this was revoked.
    @Test(.enabled(if: NodeNetwork.isAvailable, "networks take root"), .timeLimit(.minutes(10)))
    func afterAPartitionItIsAPollAtMost() throws {
        let farm = try ChaosFarm(.newer, hasNetworks: true)
        let key = "window"
        let home = try farm.copies(of: [key])[key]![0]
        let writer = try farm.client(of: 0)
        var windows: [Double] = []
        for round in 1...Self.rounds {
            try #require(farm.awaitWhole(seconds: 40), "round \(round)")
            #expect(try writer.roundTrip("set \(key) 0 0 1\r\n\(round)\r\n") == "STORED\r\n")
            let reader = try StaleReader(farm, key, old: "\(round)")
            try farm.cut(node: home, from: 0, .both)
            let line = try writer.roundTrip("set \(key) 0 0 3\r\nnew\r\n")
            let acknowledged = Deadline.now()
            #expect(line == "STORED\r\n")
            #expect(try reader.awaitNew())
            windows.append(Double(max(reader.lastOld, acknowledged) - acknowledged) / 1e6)
            try farm.heal(node: home, for: 0)
        }
        windows.sort()
        let (median, most) = (windows[Self.rounds / 2].rounded(), windows[Self.rounds - 1].rounded())
        print("stale window, poll 200 ms, \(Self.rounds) rounds: median \(median) ms, most \(most) ms")
        #expect(most <= Double(ChaosFarm.poll + ChaosFarm.timeout) / 1e6, "\(windows)")
    }

    /// What a restart leaves is nothing, and that is not read.
    @Test(.timeLimit(.minutes(10)))
    func afterARestartThereIsNone() throws {
        let farm = try ChaosFarm(.newer, hasNetworks: false)
        let key = "window"
        let home = try farm.copies(of: [key])[key]![0]
        let writer = try farm.client(of: 0)
        for round in 1...2 {
            try #require(farm.awaitWhole(seconds: 40), "round \(round)")
            #expect(try writer.roundTrip("set \(key) 0 0 1\r\n\(round)\r\n") == "STORED\r\n")
            farm.nodes[home].kill()
            #expect(
                try Deadline(seconds: 5).waits { try writer.roundTrip("set \(key) 0 0 3\r\nnew\r\n") == "STORED\r\n" })
            // Nobody reads the old value from here on, not even a miss.
            let reader = try StaleReader(farm, key, old: "\(round)")
            try farm.nodes[home].restart()
            #expect(farm.awaitWhole(seconds: 40))
            #expect(try reader.awaitNew())
            #expect(reader.lastOld == 0)
            #expect(reader.misses == 0)
        }
    }
}

/// Reads a key through proxy 1 all the time.
private final class StaleReader: Sendable {
    private let thread: TestThread<Void>
    private let isOver: SharedBox<Bool>
    private let seen: SharedBox<(lastOld: UInt64, new: Int, misses: Int)>

    init(_ farm: ChaosFarm, _ key: String, old: String) throws {
        let isOver = SharedBox(false)
        let seen = SharedBox<(lastOld: UInt64, new: Int, misses: Int)>((0, 0, 0))
        (self.isOver, self.seen) = (isOver, seen)
        thread = TestThread {
            let client = try farm.client(of: 1)
            while !isOver.value {
                // Asked no earlier than this: an answer that was under way is not counted as later than it was asked.
                let asked = Deadline.now()
                let answer = (try? client.roundTrip("get \(key)\r\n", through: "END\r\n")) ?? ""
                seen.withValue {
                    if answer.contains("\r\n\(old)\r\n") { $0.lastOld = asked }
                    if answer.contains("\r\nnew\r\n") { $0.new += 1 }
                    if answer == "END\r\n" { $0.misses += 1 }
                }
            }
        }
    }

    var lastOld: UInt64 { seen.value.lastOld }
    var misses: Int { seen.value.misses }

    /// Whether the new value comes to be read, a hundred times: it does not go back then.
    func awaitNew() throws -> Bool {
        let isNew = Deadline(seconds: 10).waits { seen.value.new >= 100 }
        isOver.withValue { $0 = true }
        try thread.join()
        return isNew
    }
}
