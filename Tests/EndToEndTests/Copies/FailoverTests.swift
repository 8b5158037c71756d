import DroverTesting
import Testing

/// What clients see of a node that is gone, where keys have copies.
@Suite(.serialized)
struct FailoverTests {
    private let keys = (0..<60).map { "\($0 * 7919)-copied" }

    private func fill(_ cluster: CopiesCluster, flags: String = "0") throws -> RawClient {
        let client = try cluster.client(patience: 5)
        for key in keys {
            try #require(try client.roundTrip("set \(key) \(flags) 0 \(key.utf8.count)\r\n\(key)\r\n") == "STORED\r\n")
        }
        try cluster.awaitRepairs()
        return client
    }

    /// Reads until it is known that one node is down.
    private func findDown(_ cluster: CopiesCluster, _ client: RawClient, _ keys: [String]) throws {
        try #require(!keys.isEmpty)
        for number in 0..<6 { _ = try client.roundTrip("mg \(keys[number % keys.count])\r\n") }
        for key in keys { _ = try client.roundTrip("mg \(key)\r\n") }
        try cluster.awaitNodes(1, "down")
    }

    private var allOfThem: String {
        keys.map { "VALUE \($0) 0 \($0.utf8.count)\r\n\($0)\r\n" }.joined() + "END\r\n"
    }

    /// From the first get on, before anybody knows that the node is down.
    @Test(
        arguments: [CopiesSetting(), CopiesSetting(read: "spread", version: .debian), CopiesSetting(shape: .standby)],
        NodeFault.allCases)
    func aMultiGetLosesNothing(setting: CopiesSetting, fault: NodeFault) throws {
        let cluster = try CopiesCluster(setting, pool: ["timeout: 600ms", "connect_timeout: 600ms", "fail_after: 3"])
        let client = try fill(cluster)
        let request = "get \(keys.joined(separator: " "))\r\n"
        #expect(try client.roundTrip(request, through: "END\r\n") == allOfThem)
        fault.strike(cluster.nodes[0])
        for _ in 0..<20 {
            let start = Deadline.now()
            try #require(try client.roundTrip(request, through: "END\r\n") == allOfThem)
            #expect(Deadline.seconds(since: start) < 0.6 + 0.9)
        }
        try cluster.awaitNodes(1, "down")
        // Nothing waits for it any more.
        let start = Deadline.now()
        #expect(try client.roundTrip(request, through: "END\r\n") == allOfThem)
        #expect(Deadline.seconds(since: start) < 0.5)
    }

    /// Of every kind that reads and changes nothing.
    @Test(arguments: NodeFault.allCases)
    func aReadAsksTheNextCopyWithinTheSameRequest(fault: NodeFault) throws {
        let cluster = try CopiesCluster(CopiesSetting(), pool: ["timeout: 300ms", "fail_after: 100"])
        let client = try fill(cluster)
        let copies = try cluster.copies(of: keys)
        let key = keys.first { copies[$0]![0] == 1 }!
        let size = key.utf8.count
        fault.strike(cluster.nodes[1])
        #expect(
            try client.roundTrip("get \(key)\r\n", through: "END\r\n") == "VALUE \(key) 0 \(size)\r\n\(key)\r\nEND\r\n")
        #expect(try client.roundTrip("gets \(key)\r\n", through: "END\r\n").hasPrefix("VALUE \(key) 0 \(size) "))
        #expect(
            try client.roundTrip("mg \(key) v s t\r\nmn\r\n", through: "MN\r\n")
                == "VA \(size) s\(size) t-1\r\n\(key)\r\nMN\r\n")
        #expect(try client.roundTrip("mg \(key) k q\r\nmn\r\n", through: "MN\r\n") == "HD k\(key)\r\nMN\r\n")
        #expect(try client.roundTrip("me \(key)\r\n").hasPrefix("ME \(key) "))
    }

    // MARK: A frozen copy

    /// With `acks: all`: by one timeout until it is known to hang, then not at all, and other keys never.
    @Test(arguments: [0, 1]) func aFrozenCopyDelaysWritesOfItsKeysOnly(place: Int) throws {
        let cluster = try CopiesCluster(
            CopiesSetting(),
            pool: ["timeout: 1s", "connect_timeout: 1s", "fail_after: 3", "probe: {interval: 5s, max: 10s}"])
        let client = try fill(cluster)
        let copies = try cluster.copies(of: keys)
        let frozen = keys.filter { copies[$0]![place] == 1 }
        let others = keys.filter { !copies[$0]!.contains(1) }
        #expect(frozen.count > 3 && others.count > 3)
        cluster.nodes[1].freeze()
        let worst = TestThread {
            let client = try cluster.client(patience: 5)
            var worst = 0.0
            let deadline = Deadline(seconds: 4)
            while !deadline.hasPassed {
                for key in others {
                    let start = Deadline.now()
                    guard try client.roundTrip("set \(key) 0 0 1\r\nx\r\n") == "STORED\r\n" else {
                        throw TestFailure("\(key) is not stored, and its copies are well")
                    }
                    worst = max(worst, Deadline.seconds(since: start))
                }
            }
            return worst
        }
        var delayed = 0
        for round in 0..<6 {
            let start = Deadline.now()
            let reply = try client.roundTrip("set \(frozen[round % frozen.count]) 0 0 1\r\nx\r\n")
            let seconds = Deadline.seconds(since: start)
            #expect(reply == "STORED\r\n", "one copy down is a success")
            #expect(seconds < 1 + 0.6)
            if seconds > 0.6 { delayed += 1 }
        }
        #expect((1...2).contains(delayed), "\(delayed) of 6")
        try cluster.awaitNodes(1, "down")
        for key in frozen {
            let start = Deadline.now()
            #expect(try client.roundTrip("set \(key) 0 0 1\r\ny\r\n") == "STORED\r\n")
            #expect(Deadline.seconds(since: start) < 0.6)
        }
        #expect(try worst.join() < 0.6)
        #expect(try cluster.cluster.metric("drover_copies_failed_total") ?? 0 > 0)
    }

    /// With `acks: one` a copy that hangs behind the primary delays nobody, and with `quorum` one of three does not.
    @Test(arguments: [CopiesSetting(acks: "one"), CopiesSetting(shape: .threeOfThree, acks: "quorum")])
    func aCopyThatIsNotNeededIsNotWaitedFor(setting: CopiesSetting) throws {
        let cluster = try CopiesCluster(setting, pool: ["timeout: 3s", "fail_after: 100"])
        let client = try fill(cluster)
        let copies = try cluster.copies(of: keys)
        let second = keys.filter { copies[$0]!.dropFirst().contains(2) }
        try #require(second.count > 5)
        cluster.nodes[2].freeze()
        for (number, key) in second.enumerated() {
            let start = Deadline.now()
            let command = [
                "set \(key) 0 0 1\r\n5\r\n", "ms \(key) 1\r\n5\r\n", "incr \(key) 1\r\n", "delete \(key)\r\n",
                "touch \(key) 100\r\n",
            ][number % 5]
            #expect(!isUnknown(try client.roundTrip(command)))
            #expect(Deadline.seconds(since: start) < 1.5)
        }
        cluster.nodes[2].thaw()
        try cluster.awaitAllUp()
        #expect(try cluster.disagreements(on: keys) == [])
    }

    // MARK: min_live

    /// Nobody knows yet that it hangs.
    @Test(arguments: ["all", "quorum", "one"]) func whatOnlyOneCopyTookIsNoSuccess(acks: String) throws {
        let cluster = try CopiesCluster(
            CopiesSetting(acks: acks, workers: 1), pool: ["timeout: 300ms", "fail_after: 100", "min_live: 2"])
        let client = try fill(cluster)
        let copies = try cluster.copies(of: keys)
        cluster.nodes[1].freeze()
        let behind = keys.filter { copies[$0]![1] == 1 }
        try #require(behind.count > 2)
        // All at once, so that each is sent before the first has failed.
        let commands = [
            "set \(behind[0]) 0 0 1\r\nx\r\n", "append \(behind[1]) 0 0 1\r\nx\r\n", "delete \(behind[2])\r\n",
        ]
        try client.send(commands.joined())
        for command in commands { #expect(try client.readLine() == CopiesNames.tooFewCopies, "\(command)") }
        #expect(try cluster.cluster.errors("too_few_copies") == 3)
        #expect(try cluster.cluster.metric("drover_copies_failed_total") ?? 0 > 0)
        #expect(try client.roundTrip("mg \(behind[0]) v\r\n", through: "\r\nx\r\n") == "VA 1\r\nx\r\n")
        cluster.nodes[1].thaw()
        try cluster.awaitAllUp()
        #expect(try cluster.disagreements(on: keys) == [])
        for key in keys { #expect(try client.roundTrip("set \(key) 0 0 1\r\ny\r\n") == "STORED\r\n") }
    }

    @Test func tooFewLiveCopiesRefuseAWrite() throws {
        let cluster = try CopiesCluster(CopiesSetting(), pool: FaultRun.quick + ["min_live: 2"])
        let client = try fill(cluster)
        let copies = try cluster.copies(of: keys)
        cluster.nodes[0].kill()
        try findDown(cluster, client, keys)
        for place in [0, 1] {
            let key = keys.first { copies[$0]![place] == 0 }!
            for command in [
                "set \(key) 0 0 1\r\nx\r\n", "add \(key) 0 0 1\r\nx\r\n", "append \(key) 0 0 1\r\nx\r\n",
                "delete \(key)\r\n", "touch \(key) 9\r\n", "incr \(key) 1\r\n", "ms \(key) 1\r\nx\r\n", "md \(key)\r\n",
                "ma \(key)\r\n",
            ] {
                #expect(try client.roundTrip(command) == CopiesNames.tooFewCopies, "\(command)")
            }
            #expect(
                try client.roundTrip("get \(key)\r\n", through: "END\r\n")
                    == "VALUE \(key) 0 \(key.utf8.count)\r\n\(key)\r\nEND\r\n")
        }
        #expect(try cluster.cluster.errors("too_few_copies") >= 18)
        let well = keys.first { !copies[$0]!.contains(0) }!
        #expect(try client.roundTrip("set \(well) 0 0 1\r\nx\r\n") == "STORED\r\n")
        try cluster.nodes[0].restart()
        try cluster.awaitAllUp()
        for key in keys { #expect(try client.roundTrip("set \(key) 0 0 1\r\nx\r\n") == "STORED\r\n") }
    }

    // MARK: cas

    /// The other copy may have the very number that the lost one gave out, for another version of the item.
    @Test(arguments: [MemcachedServer.Version.debian, .newer], NodeFault.allCases)
    func aNumberOfTheLostCopyNeverMatches(version: MemcachedServer.Version, fault: NodeFault) throws {
        let cluster = try CopiesCluster(CopiesSetting(shape: .threeOfThree, version: version), pool: FaultRun.quick)
        let client = try cluster.client(patience: 5)
        let copies = try cluster.copies(of: keys)
        let mine = keys.filter { copies[$0]![0] == 0 }
        // The primary is a number ahead: what it gives out before a change, the others have after it.
        let direct = try cluster.nodes[0].client()
        var numbers: [String: String] = [:]
        #expect(try direct.roundTrip("set ahead 0 0 1\r\nx\r\n") == "STORED\r\n")
        #expect(try direct.roundTrip("delete ahead\r\n") == "DELETED\r\n")
        for key in mine {
            #expect(try client.roundTrip("set \(key) 0 0 1\r\na\r\n") == "STORED\r\n")
            let line = try client.roundTrip("gets \(key)\r\n", through: "END\r\n")
            numbers[key] = String(line.prefix { $0 != "\r\n" }.split(separator: " ").last!)
            #expect(try client.roundTrip("set \(key) 0 0 1\r\nb\r\n") == "STORED\r\n")
        }
        fault.strike(cluster.nodes[0])
        try findDown(cluster, client, mine)
        for key in mine {
            let number = numbers[key]!
            #expect(try client.roundTrip("cas \(key) 0 0 1 \(number)\r\nc\r\n") == "EXISTS\r\n")
            #expect(try client.roundTrip("ms \(key) 1 C\(number)\r\nc\r\n") == "EX\r\n")
            #expect(try client.roundTrip("md \(key) C\(number)\r\n") == "EX\r\n")
            #expect(try client.roundTrip("mg \(key) v\r\n", through: "b\r\n") == "VA 1\r\nb\r\n")
            // A number of the copy that acts now is as good as any.
            let line = try client.roundTrip("gets \(key)\r\n", through: "END\r\n")
            let new = line.prefix { $0 != "\r\n" }.split(separator: " ").last!
            #expect(try client.roundTrip("cas \(key) 0 0 1 \(new)\r\nd\r\n") == "STORED\r\n")
        }
    }
}
