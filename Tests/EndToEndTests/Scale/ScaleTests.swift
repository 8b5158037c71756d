import DroverTesting
import Testing

/// Pools with copies that get other nodes while clients write and read, on real servers.
@Suite(.serialized)
struct ScaleTests {
    private let keys = (0..<1500).map { "\($0 * 7919)-scale" }

    private func fill(_ scale: ScaleCluster) throws {
        let client = try scale.cluster.client()
        for key in keys { #expect(try client.roundTrip("set \(key) 5 0 5\r\nvalue\r\n") == "STORED\r\n") }
    }

    private func clients(_ scale: ScaleCluster, _ count: Int = 3) -> [CheckingClient] {
        let seed = SeededGenerator.fromEnvironment().seed
        return (0..<count).map { CheckingClient(scale.cluster.address, number: $0, seed: seed) }
    }

    /// What the clients know is there, and what was there before they came.
    private func expectAll(_ scale: ScaleCluster, _ known: [String: String], _ members: [Int]) throws {
        let client = try scale.cluster.client()
        for key in keys {
            #expect(
                try client.roundTrip("get \(key)\r\n", through: "END\r\n") == "VALUE \(key) 5 5\r\nvalue\r\nEND\r\n")
        }
        for (key, value) in known {
            let answer = try client.roundTrip("get \(key)\r\n", through: "END\r\n")
            #expect(answer == "VALUE \(key) 7 \(value.count)\r\n\(value)\r\nEND\r\n", "\(key)")
        }
        try scale.expectPlaces(keys + known.keys.sorted(), members)
        let verified = try scale.run(["verify", "main"])
        #expect(verified.code == 0, "\(verified)")
    }

    @Test(.timeLimit(.minutes(10)), arguments: [("primary", MemcachedServer.Version.newer), ("spread", .debian)])
    func noKeyIsMissedWhenNodesComeAndGo(read: String, version: MemcachedServer.Version) throws {
        let scale = try ScaleCluster(4, first: [0, 1, 2], read: read, version: version)
        try fill(scale)
        let clients = clients(scale)
        try scale.change(to: [0, 1, 2, 3])
        try scale.change(to: [1, 2, 3])
        // What it still has it must not serve when it is back.
        try scale.change(to: [1, 0, 2, 3])
        var known: [String: String] = [:]
        for client in clients { known.merge(try client.finish()) { one, _ in one } }
        try expectAll(scale, known, [1, 0, 2, 3])
        #expect(try scale.cluster.metric("drover_node_state{pool=\"main\",node=\"n3\",state=\"up\"}") == 1)
    }

    @Test(.timeLimit(.minutes(20))) func aNodeIsDrainedByCommand() throws {
        let scale = try ScaleCluster(3, first: [0, 1, 2])
        try fill(scale)
        let clients = clients(scale, 2)
        let drained = try scale.run(["drain", "main", "n1"])
        #expect(drained.code == 0 && drained.output.contains("moved"), "\(drained)")
        scale.servers[1].kill()
        var known: [String: String] = [:]
        for client in clients { known.merge(try client.finish()) { one, _ in one } }
        try expectAll(scale, known, [0, 2])
        let refused = try scale.run(["drain", "main", "n0"])
        #expect(refused.code == 1 && refused.error.contains("too few nodes"), "\(refused)")
    }

    /// A pause holds each of its steps, and what has gone too far is not taken back by half.
    @Test(.timeLimit(.minutes(20))) func aMoveIsPausedAndNotCancelledTooLate() throws {
        let scale = try ScaleCluster(4, first: [0, 1, 2])
        try fill(scale)
        try scale.drover.reload(scale.config([0, 1, 2, 3]))
        #expect(scale.drover.logContains("keys begin to move", within: 20))
        let move = try scale.job("move")
        #expect(try scale.run(["pause", move]).code == 0)
        #expect(scale.drover.logContains("node is filled", within: 60))
        #expect(!scale.drover.logContains("keys are read where they have moved to", within: 10))
        #expect(try scale.run(["resume", move, "--no-wait"]).code == 0)
        #expect(scale.drover.logContains("keys are read where they have moved to", within: 60))
        #expect(try scale.run(["pause", move]).code == 0)
        let refused = try scale.run(["cancel", move])
        #expect(refused.code == 1, "\(refused)")
        #expect(refused.error.contains("reads have moved") || refused.error.contains("taken over"), "\(refused)")
        let over = try scale.run(["resume", move, "--json"])
        #expect(over.code == 0 && over.output.contains("\"outcome\": \"moved\""), "\(over)")
        #expect(over.output.contains("\"availability_after_ratio\": 1,"), "\(over)")
        try expectAll(scale, [:], [0, 1, 2, 3])
    }

    /// A server that dies while keys move holds the reads back until it is filled again.
    @Test(.timeLimit(.minutes(20))) func aNodeThatDiesMeanwhileIsFilledFirst() throws {
        let scale = try ScaleCluster(4, first: [0, 1, 2, 3])
        try fill(scale)
        try scale.drover.reload(scale.config([0, 1, 2]))
        #expect(scale.drover.logContains("keys begin to move", within: 20))
        try scale.servers[1].restart()
        let client = try scale.cluster.client()
        var reads = 0
        let isMoved = try Deadline(seconds: 100).waits {
            reads += 1
            let key = keys[reads % keys.count]
            let answer = try client.roundTrip("get \(key)\r\n", through: "END\r\n")
            #expect(answer.contains("\r\nvalue\r\n"), "\(key)")
            return scale.drover.log.contains("result=moved")
        }
        #expect(isMoved && scale.drover.log.contains("node is filled"), "\(scale.drover.log)")
        try expectAll(scale, [:], [0, 1, 2])
    }

    /// The old file while keys move takes it all back.
    @Test(.timeLimit(.minutes(20))) func theOldFileTakesItBack() throws {
        let scale = try ScaleCluster(4, first: [0, 1, 2])
        try fill(scale)
        let clients = clients(scale, 2)
        try scale.drover.reload(scale.config([0, 1, 2, 3]))
        #expect(scale.drover.logContains("keys begin to move", within: 20))
        #expect(try scale.run(["verify", "main"]).error.contains("moves the keys"), "no other job meanwhile")
        try scale.drover.reload(scale.config([0, 1, 2]))
        #expect(scale.drover.log.contains("the config has changed once more"))
        var known: [String: String] = [:]
        for client in clients { known.merge(try client.finish()) { one, _ in one } }
        try expectAll(scale, known, [0, 1, 2])
        // And once more, all the way.
        try scale.change(to: [0, 1, 2, 3])
        try expectAll(scale, known, [0, 1, 2, 3])
    }

    /// One proxy hears of the new nodes long before the other: what either acknowledges, both read, at any time.
    @Test(.timeLimit(.minutes(10))) func proxiesMoveTogether() throws {
        let scale = try ScaleCluster(4, first: [0, 1, 2, 3])
        let other = try ScaleCluster(beside: scale, first: [0, 1, 2, 3])
        try fill(scale)
        let seed = SeededGenerator.fromEnvironment().seed
        let addresses = [scale.cluster.address, other.cluster.address]
        // Each through one of them: through another it may see what is older, for a poll and two timeouts.
        let clients = (0..<4).map { CheckingClient(addresses[$0 % 2], number: $0, seed: seed) }
        try scale.drover.reload(scale.config([1, 2, 3]))
        #expect(scale.drover.logContains("another proxy writes by other nodes", within: 60), "\(scale.drover.log)")
        #expect(!scale.drover.log.contains("keys are read where they have moved to"))
        try other.change(to: [1, 2, 3])
        #expect(Deadline(seconds: 60).waits { scale.drover.log.contains("result=moved") }, "\(scale.drover.log)")
        var known: [String: String] = [:]
        for client in clients { known.merge(try client.finish()) { one, _ in one } }
        try expectAll(scale, known, [1, 2, 3])
    }
}
