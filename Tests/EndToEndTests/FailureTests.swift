import DroverTesting
import Testing

/// Nodes that die, hang and come back: each reply is the right value or a stated error, in time.
@Suite(.serialized)
struct FailureTests {
    private static let errors = [
        "SERVER_ERROR node timed out\r\n", "SERVER_ERROR node is down\r\n", "SERVER_ERROR node connection failed\r\n",
    ]

    private static let quick = ["timeout: 200ms", "fail_after: 3", "probe: {interval: 100ms, max: 300ms}"]

    @Test func aFrozenNodeCostsATimeoutAndDelaysNoOtherNode() throws {
        let cluster = try Cluster(3, pool: Self.quick + ["when_down: error"])
        let keys = try cluster.keyOfEachNode()
        let client = try cluster.client()
        cluster.nodes[0].freeze()
        let other = TestThread {
            let client = try cluster.client()
            var worst = 0.0
            let deadline = Deadline(seconds: 1.5)
            while !deadline.hasPassed {
                let start = Deadline.now()
                guard try client.roundTrip("mg \(keys[1]) v\r\n", through: "x\r\n") == "VA 1\r\nx\r\n" else {
                    throw TestFailure("a wrong value from a node that is well")
                }
                worst = max(worst, Deadline.seconds(since: start))
            }
            return worst
        }
        for _ in 0..<5 {
            let start = Deadline.now()
            let reply = try client.roundTrip("mg \(keys[0]) v\r\n")
            #expect(Self.errors.contains(reply))
            #expect(Deadline.seconds(since: start) < 0.2 + 0.3)
        }
        // It is known to be down by now, so nothing waits for it.
        let start = Deadline.now()
        #expect(try client.roundTrip("mg \(keys[0]) v\r\n") == "SERVER_ERROR node is down\r\n")
        #expect(Deadline.seconds(since: start) < 0.15)
        #expect(try other.join() < 0.15)
        #expect(try cluster.errors("timeout") > 0)
        #expect(try cluster.errors("node_down") > 0)
        let node = "{pool=\"main\",node=\"\(cluster.nodes[0].address)\","
        #expect(try cluster.metric("drover_node_state\(node)state=\"down\"}") == 1)
        #expect(try cluster.metric("drover_node_errors_total\(node)cause=\"timeout\"}") ?? 0 > 0)
        cluster.nodes[0].thaw()
        #expect(try comesBack(client, keys[0], as: "VA 1\r\n"))
        #expect(try client.readLine() == "x\r\n")
        // Of nodes that have no markers nothing is told but that.
        #expect(cluster.drover.log.split(separator: "\n").count { $0.contains(" node=") } == 2, "\(cluster.drover.log)")
    }

    @Test func aDeadShardLosesItsOwnKeysOnly() throws {
        let cluster = try Cluster(3, pool: Self.quick + ["when_down: miss"])
        let keys = try cluster.keyOfEachNode()
        cluster.nodes[1].kill()
        let client = try cluster.client()
        let expected = "VALUE \(keys[0]) 0 1\r\nx\r\nVALUE \(keys[2]) 0 1\r\nx\r\nEND\r\n"
        let request = "get \(keys.joined(separator: " "))\r\n"
        let isServed = try Deadline(seconds: 10).waits { try client.roundTrip(request, through: "END\r\n") == expected }
        #expect(isServed)
        for _ in 0..<50 { #expect(try client.roundTrip(request, through: "END\r\n") == expected) }
        #expect(try client.roundTrip("mg \(keys[1])\r\n") == "EN\r\n")
    }

    @Test(arguments: ["rehash", "miss", "error"])
    func whatWhenDownSays(policy: String) throws {
        let cluster = try Cluster(3, pool: Self.quick + ["when_down: \(policy)"])
        let key = try cluster.keyOfEachNode()[2]
        cluster.nodes[2].kill()
        let client = try cluster.client()
        let expected = [
            "rehash": "STORED\r\n", "miss": "SERVER_ERROR node is down\r\n", "error": "SERVER_ERROR node is down\r\n",
        ]
        let get = ["rehash": "EN\r\n", "miss": "EN\r\n", "error": "SERVER_ERROR node is down\r\n"]
        #expect(try comesBack(client, key, as: get[policy]!))
        #expect(try client.roundTrip("set \(key) 0 0 1\r\nz\r\n") == expected[policy])
        if policy == "rehash" { #expect(try client.roundTrip("mg \(key) v\r\n", through: "z\r\n") == "VA 1\r\nz\r\n") }
        try cluster.nodes[2].restart()
        let node = try cluster.nodes[2].client()
        // Up again: what is set goes to the node that the ring names.
        let isUp = try Deadline(seconds: 10).waits {
            _ = try client.roundTrip("set \(key) 0 0 1\r\ny\r\n")
            return try node.roundTrip("mg \(key)\r\n") == "HD\r\n"
        }
        #expect(isUp)
    }

    @Test func anIdleConnectionThatDiedCostsNoError() throws {
        let cluster = try Cluster(1, pool: Self.quick)
        let client = try cluster.client()
        #expect(try client.roundTrip("set k 0 0 1\r\nx\r\n") == "STORED\r\n")
        try cluster.nodes[0].restart()
        #expect(try client.roundTrip("get k\r\n", through: "END\r\n") == "END\r\n")
    }

    @Test func aNodeMayBeAName() throws {
        let node = try MemcachedServer()
        let cluster = try Cluster(nodes: [node], nodeLines: ["localhost:\(node.address.port!)"])
        #expect(try cluster.client().roundTrip("set k 0 0 1\r\nx\r\n") == "STORED\r\n")
        #expect(try node.client().roundTrip("mg k\r\n") == "HD\r\n")
    }

    /// Under load, a node is killed, frozen and restarted again and again.
    @Test(.timeLimit(.minutes(20)), arguments: ["rehash", "error"])
    func everyReplyUnderFaultsIsRightOrAStatedError(policy: String) throws {
        let random = SeededGenerator.fromEnvironment()
        let cluster = try Cluster(3, pool: Self.quick + ["when_down: \(policy)"])
        let end = Deadline(seconds: 6)
        let clients = (0..<6).map { number in
            TestThread {
                try Self.load(cluster, number, SeededGenerator(seed: random.seed &+ UInt64(number)), until: end)
            }
        }
        var faults = random
        while !end.hasPassed {
            let node = faults.pick(cluster.nodes)
            switch faults.pick(0..<3) {
            case 0:
                node.freeze()
                usleepMilliseconds(faults.pick(50..<600))
                node.thaw()
            case 1: try node.restart()
            default:
                node.kill()
                usleepMilliseconds(faults.pick(50..<600))
                try node.restart()
            }
            usleepMilliseconds(faults.pick(50..<400))
        }
        for client in clients {
            do {
                let served = try client.join()
                #expect(served > 100, "DROVER_SEED=\(random.seed)")
            } catch {
                Issue.record("DROVER_SEED=\(random.seed): \(error); Drover's log:\n\(cluster.drover.log.suffix(3000))")
            }
        }
        #expect(cluster.drover.isRunning)
        let client = try cluster.client()
        for key in 0..<50 {
            let isServed = try Deadline(seconds: 10).waits {
                try client.roundTrip("set after\(key) 0 0 1\r\nx\r\n") == "STORED\r\n"
            }
            #expect(isServed)
        }
    }

    /// One client's keys are its own, and each value names its key: a value under another key is a lost reply's.
    private static func load(
        _ cluster: Cluster, _ number: Int, _ generator: SeededGenerator, until end: Deadline
    ) throws -> Int {
        var random = generator
        let client = try cluster.client(patience: 5)
        var served = 0
        while !end.hasPassed {
            let key = "load\(number)-\(random.pick(0..<40))"
            if random.once(in: 2) {
                let value = "\(key)=\(served)"
                let reply = try client.roundTrip("set \(key) 0 0 \(value.utf8.count)\r\n\(value)\r\n")
                guard reply == "STORED\r\n" || errors.contains(reply) else { throw TestFailure("set: \(reply)") }
            } else {
                let first = try client.roundTrip("get \(key)\r\n")
                if first.hasPrefix("VALUE \(key) 0 ") {
                    let value = try client.readLine()
                    guard value.hasPrefix("\(key)="), try client.readLine() == "END\r\n" else {
                        throw TestFailure("get: \(value)")
                    }
                } else if first != "END\r\n" && !errors.contains(first) {
                    throw TestFailure("get: \(first)")
                }
            }
            served += 1
        }
        return served
    }

    /// Asks for the key until the reply's first line is that.
    private func comesBack(_ client: RawClient, _ key: String, as reply: String) throws -> Bool {
        try Deadline(seconds: 10).waits { try client.roundTrip("mg \(key) v\r\n") == reply }
    }
}

/// The length of a fault.
private func usleepMilliseconds(_ count: Int) {
    _ = Deadline(seconds: Double(count) / 1000).waits { false }
}
