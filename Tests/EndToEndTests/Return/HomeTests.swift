import DroverTesting
import Testing

/// Pools with one copy of each key whose nodes stand in for each other: nothing old is read when a node is back, nothing
/// old at the outage after, and what was acknowledged meanwhile is there.
@Suite(.serialized)
struct HomeTests {
    enum Fault: String, CaseIterable { case freeze, kill }

    private static let settings = ["timeout: 400ms", "probe: {interval: 100ms, max: 300ms}"]
    private static let keys = (0..<300).map { "\($0 * 7919)-home" }

    private func begin(_ fault: Fault, _ node: MemcachedServer) {
        if fault == .freeze { node.freeze() } else { node.kill() }
    }

    private func end(_ fault: Fault, _ node: MemcachedServer) throws {
        if fault == .freeze { node.thaw() } else { try node.restart() }
    }

    private func set(_ key: String, _ value: String, _ client: RawClient) throws -> Bool {
        try client.roundTrip("set \(key) 0 0 \(value.utf8.count)\r\n\(value)\r\n") == "STORED\r\n"
    }

    /// "-" for a miss. A machine that stands still is asked again.
    private func get(_ key: String, _ client: RawClient) throws -> String {
        var line = ""
        for _ in 0..<10 {
            line = try client.roundTrip("mg \(key) v\r\n")
            if line.hasPrefix("VA ") { return String(try client.readLine().dropLast()) }
            if line != "SERVER_ERROR node timed out\r\n" { break }
        }
        return line == "EN\r\n" ? "-" : line
    }

    /// Those of the keys that the node has.
    private func keys(on node: MemcachedServer) throws -> [String] {
        let direct = try node.client()
        return try Self.keys.filter { try direct.roundTrip("mg \($0)\r\n") == "HD\r\n" }
    }

    /// Nodes that hold a value of each key, and nobody else has touched them.
    private func filled(_ version: MemcachedServer.Version, _ more: [String] = []) throws -> (Cluster, own: [String]) {
        let cluster = try Cluster(
            nodes: (0..<3).map { _ in try MemcachedServer(version) }, pool: Self.settings + more)
        let client = try cluster.client()
        for key in Self.keys { #expect(try Deadline(seconds: 10).waits { try set(key, "v1", client) }) }
        let own = try keys(on: cluster.nodes[0])
        #expect(own.count > 30)
        return (cluster, own)
    }

    /// Others stand in.
    private func awaitStandIns(_ key: String, _ client: RawClient) throws {
        #expect(try Deadline(seconds: 20).waits { try set(key, "standing in", client) })
    }

    private func awaitHome(_ count: Int, _ cluster: Cluster, each: () throws -> Void = {}) throws {
        let isHome = try Deadline(seconds: 60).waits {
            try each()
            return countOccurrences(of: "node's keys are home", in: Array(cluster.drover.log.utf8)) == count
        }
        #expect(isHome, "\(cluster.drover.log.suffix(3000))")
    }

    @Test(
        .timeLimit(.minutes(20)),
        arguments: [MemcachedServer.Version.debian, .newer], Fault.allCases)
    func neitherSideIsEverReadStale(_ version: MemcachedServer.Version, _ fault: Fault) throws {
        let (cluster, own) = try filled(version)
        let client = try cluster.client()
        begin(fault, cluster.nodes[0])
        try awaitStandIns(own[0], client)
        // What is neither written nor deleted meanwhile is lost with the node: it may be missed, and nothing else.
        var expected = Dictionary(uniqueKeysWithValues: own.map { ($0, "-") })
        for (index, key) in own.enumerated() where index % 3 < 2 {
            if index % 3 == 0 {
                #expect(try set(key, "v2", client))
                expected[key] = "v2"
            } else {
                #expect(try ["DELETED\r\n", "NOT_FOUND\r\n"].contains(client.roundTrip("delete \(key)\r\n")))
            }
        }
        try end(fault, cluster.nodes[0])
        func check(_ when: String) throws {
            for key in own {
                let value = try get(key, client)
                #expect(value == expected[key], "\(key) \(when): \(value)")
            }
        }
        try awaitHome(1, cluster) { try check("while it comes home") }
        try check("at home")
        // From 1.6.25 on one flush lets through what was used in its second.
        let stats = try cluster.nodes[0].client().roundTrip("stats\r\n", through: "END\r\n")
        #expect(stats.contains("STAT cmd_flush 2\r\n"))
        let written = own.filter { expected[$0] == "v2" }
        #expect(try Set(keys(on: cluster.nodes[0])) == Set(written))
        for node in cluster.nodes.dropFirst() { #expect(try Set(keys(on: node)).isDisjoint(with: own)) }

        for key in own where key.utf8.count % 2 == 0 {
            #expect(try set(key, "v3", client))
        }
        begin(fault, cluster.nodes[0])
        try awaitStandIns(own[0], client)
        for key in own.dropFirst() {
            let value = try get(key, client)
            #expect(value == "-", "\(key) at the next outage: \(value)")
        }
    }

    @Test(.timeLimit(.minutes(20))) func aReturnIsNotCancelled() throws {
        let (cluster, own) = try filled(.newer)
        begin(.kill, cluster.nodes[0])
        try awaitStandIns(own[0], try cluster.client())
        try end(.kill, cluster.nodes[0])
        let isUnderWay = try Deadline(seconds: 20).waits {
            try cluster.http("/api/status").contains("\"kind\": \"return\"")
        }
        #expect(isUnderWay)
        let refused = try ChildProcess.run([DroverProcess.binary, "cancel", "1", "--admin", "\(cluster.admin)"])
        #expect(refused.code == 1 && refused.error.contains("a return cannot be cancelled"), "\(refused)")
        try awaitHome(1, cluster)
        #expect(!cluster.drover.log.contains("not home yet"), "it went on: \(cluster.drover.log)")
        let report = try cluster.http("/api/jobs/1")
        #expect(report.contains("\"outcome\": \"home\"") && !report.contains("\"total_seconds\": 0,"), "\(report)")
        #expect(report.contains("\"availability_after_ratio\": 1"), "\(report)")
    }

    /// Writers go on while a node is away and comes home: each reads what it wrote last.
    @Test(.timeLimit(.minutes(20)), arguments: [Fault.freeze, .kill])
    func writersNoticeNothing(_ fault: Fault) throws {
        let random = SeededGenerator.fromEnvironment()
        let (cluster, own) = try filled(.newer)
        begin(fault, cluster.nodes[0])
        try awaitStandIns(own[0], try cluster.client())
        let isOver = SharedBox(false)
        let writers = (0..<4).map { number in
            TestThread {
                var random = SeededGenerator(seed: random.seed &+ UInt64(number))
                let client = try cluster.client()
                let mine = own.indices.filter { $0 % 4 == number }.map { own[$0] }
                var last: [String: Int] = [:]
                var next = 1_000_000 * (number + 1)
                while !isOver.value {
                    let key = random.pick(mine)
                    next += 10
                    switch random.pick(0..<6) {
                    case 0:
                        guard try client.roundTrip("delete \(key)\r\n").hasSuffix("D\r\n") else {
                            throw TestFailure("delete")
                        }
                        last[key] = 0
                    case 1 where last[key, default: 0] > 0:
                        let line = try client.roundTrip("incr \(key) 1\r\n")
                        last[key]! += 1
                        guard line == "\(last[key]!)\r\n" else {
                            throw TestFailure("incr \(key): \(line), not \(last)")
                        }
                    case 2, 3:
                        guard try set(key, "\(next)", client) else { throw TestFailure("set \(key)") }
                        last[key] = next
                    default:
                        let value = try get(key, client)
                        // Of before the test began nothing is known.
                        guard Self.isRight(value, last[key]) else {
                            throw TestFailure("\(key) is \(value), not \(last[key] ?? 0)")
                        }
                    }
                }
                for key in mine {
                    let value = try get(key, client)
                    guard Self.isRight(value, last[key]) else {
                        throw TestFailure("\(key) is \(value) in the end, not \(last[key] ?? 0)")
                    }
                }
                return last.count
            }
        }
        try end(fault, cluster.nodes[0])
        try awaitHome(1, cluster)
        isOver.withValue { $0 = true }
        for writer in writers {
            do {
                let count = try writer.join()
                #expect(count > 0)
            } catch {
                Issue.record("DROVER_SEED=\(random.seed): \(error); \(cluster.drover.log.suffix(2000))")
            }
        }
    }

    /// - Parameter wanted: 0 is deleted, nil is not known.
    private static func isRight(_ value: String, _ wanted: Int?) -> Bool {
        wanted.map { value == ($0 == 0 ? "-" : "\($0)") } ?? true
    }

    /// A proxy that is started while a node is down knows that others stand in for it.
    @Test(.timeLimit(.minutes(20)))
    func aProxyThatIsStartedMeanwhile() throws {
        let (cluster, own) = try filled(.newer)
        cluster.nodes[0].freeze()
        try awaitStandIns(own[0], try cluster.client())
        #expect(try set(own[1], "v2", try cluster.client()))
        cluster.drover.kill()

        let second = try DroverProcess(config: cluster.config, addresses: [cluster.address])
        let client = try cluster.client()
        #expect(try Deadline(seconds: 20).waits { try get(own[1], client) == "v2" })
        cluster.nodes[0].thaw()
        let isHome = Deadline(seconds: 60).waits { second.log.contains("node's keys are home") }
        #expect(isHome, "\(second.log)")
        #expect(try get(own[1], client) == "v2" && get(own[2], client) == "-")
        #expect(try Set(keys(on: cluster.nodes[0])) == [own[0], own[1]])
    }

    /// What a proxy began that is gone: the next one goes on, whatever has happened meanwhile.
    @Test(
        .timeLimit(.minutes(20)),
        arguments: ["", "copying, pass 1", "copying what was missed", "verifying", "dropping what stood in"])
    func aProxyThatIsKilledMeanwhile(_ phase: String) throws {
        let (cluster, own) = try filled(.newer)
        cluster.nodes[0].freeze()
        var client = try cluster.client()
        try awaitStandIns(own[0], client)
        #expect(try set(own[1], "v2", client))
        #expect(try ["DELETED\r\n", "NOT_FOUND\r\n"].contains(client.roundTrip("delete \(own[2])\r\n")))
        for node in cluster.nodes.dropFirst() {
            let direct = try node.client()
            let isKnown = try Deadline(seconds: 10).waits {
                try direct.roundTrip("mg __drover:away:\(cluster.nodes[0].address)\r\n") == "HD\r\n"
            }
            #expect(isKnown)
        }
        if phase.isEmpty {
            // It comes back while there is nobody to see it.
            cluster.drover.kill()
            cluster.nodes[0].thaw()
        } else {
            cluster.nodes[0].thaw()
            #expect(Deadline(seconds: 60).waits { cluster.drover.log.contains(phase) }, "\(cluster.drover.log)")
            cluster.drover.kill()
        }
        let second = try DroverProcess(config: cluster.config, addresses: [cluster.address])
        client = try cluster.client()
        let isHome = try Deadline(seconds: 60).waits {
            let values = try own[1...3].map { try get($0, client) }
            #expect(values == ["v2", "-", "-"])
            return second.log.contains("node's keys are home")
        }
        #expect(isHome, "\(second.log)")
        let values = try own[1...3].map { try get($0, client) }
        #expect(values == ["v2", "-", "-"])
        #expect(try Set(keys(on: cluster.nodes[0])) == [own[0], own[1]])
        for node in cluster.nodes.dropFirst() {
            #expect(try Set(keys(on: node)).isDisjoint(with: own))
            let isForgotten = try Deadline(seconds: 10).waits {
                try node.client().roundTrip("mg __drover:away:\(cluster.nodes[0].address)\r\n") == "EN\r\n"
            }
            #expect(isForgotten)
        }
    }

    /// With `miss` and `error` nobody has written meanwhile: it is up at once, with all that it had.
    @Test(arguments: ["miss", "error"])
    func whereNobodyStandsInItIsUpAtOnce(_ policy: String) throws {
        let (cluster, own) = try filled(.newer, ["when_down: \(policy)"])
        let client = try cluster.client()
        cluster.nodes[0].freeze()
        let isDown = try Deadline(seconds: 20).waits {
            _ = try get(own[0], client)
            return cluster.drover.log.contains("node is down")
        }
        #expect(isDown)
        cluster.nodes[0].thaw()
        #expect(Deadline(seconds: 20).waits { cluster.drover.log.contains("node is up") })
        #expect(try Deadline(seconds: 20).waits { try get(own[0], client) == "v1" })
        for key in own {
            let value = try get(key, client)
            #expect(value == "v1")
        }
        #expect(!cluster.drover.log.contains("emptying"))
    }
}
