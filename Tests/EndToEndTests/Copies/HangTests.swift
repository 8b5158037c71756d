import DroverTesting
import Testing

/// What writes through several workers wait for while a node hangs.
@Suite(.serialized)
struct HangTests {
    /// All write one key as fast as they are answered, and the node is never known to be down: each waits for one timeout
    /// at most from when he began, whosever turn comes before. A node whose turn it is to decide may have done what is
    /// asked; who asked it is told so.
    @Test(
        .timeLimit(.minutes(5)),
        arguments: [
            CopiesSetting(workers: 3), CopiesSetting(shape: .threeOfThree, acks: "quorum", workers: 3),
            CopiesSetting(shape: .hybrid, acks: "one", workers: 2, version: .debian),
        ], [0, 1])
    func whoWritesTheSameKeyWaitsForOneTimeout(setting: CopiesSetting, place: Int) throws {
        let cluster = try CopiesCluster(
            setting, pool: ["timeout: 2s", "connect_timeout: 2s", "fail_after: 100", "checks: off"])
        let key = "hot"
        let victim = try cluster.copies(of: [key])[key]![place]
        #expect(try cluster.client().roundTrip("set \(key) 0 0 1\r\n5\r\n") == "STORED\r\n")
        cluster.nodes[victim].freeze()
        let threads = (0..<12).map { number in
            TestThread {
                let client = try cluster.client(patience: 20)
                return try (0..<4).map { round in
                    let isSet = (number + round) % 2 == 0
                    let start = Deadline.now()
                    let reply = try client.roundTrip(isSet ? "set \(key) 0 0 1\r\n5\r\n" : "incr \(key) 1\r\n")
                    return (isSet: isSet, reply: reply, seconds: Deadline.seconds(since: start))
                }
            }
        }
        let answers = try threads.flatMap { try $0.join() }
        #expect(answers.map(\.seconds).max()! < 3.8, "\(answers.map(\.seconds).sorted().suffix(5))")
        for answer in answers {
            if answer.isSet {
                #expect(answer.reply == "STORED\r\n")
            } else if isUnknown(answer.reply) {
                #expect(place == 0)
            } else {
                #expect(Int(answer.reply.dropLast()) != nil, "\(answer.reply)")
            }
        }
        // Whoever was told so had asked before that was found out.
        #expect(answers.count { isUnknown($0.reply) } <= 6)
    }

    /// While thousands of writes wait for the node, those of keys that have no copy on it are all answered.
    @Test(.timeLimit(.minutes(5))) func writesOfOtherKeysNeverWait() throws {
        let cluster = try CopiesCluster(
            CopiesSetting(), pool: ["timeout: 1m", "connect_timeout: 1m", "fail_after: 100", "checks: off"])
        let (count, clients) = (4000, 16)
        // No two of them have the same hash: that is by what keys are told from each other.
        let keys = (0..<20_000).map { "many:\($0 * 7919)" }
        let first = try cluster.client(patience: 30)
        try first.send(keys.map { "set \($0) 0 0 1\r\n1\r\n" }.joined())
        for _ in keys { try #require(try first.readLine() == "STORED\r\n") }
        let direct = try cluster.nodes[1].client()
        try direct.send(keys.map { "mg \($0)\r\n" }.joined())
        let isThere = try keys.map { _ in try direct.readLine() == "HD\r\n" }
        let stuck = zip(keys, isThere).filter(\.1).prefix(count).map(\.0)
        let others = zip(keys, isThere).filter { !$0.1 }.prefix(count).map(\.0)
        try #require(stuck.count == count && others.count == count)
        func send(_ keys: [String]) throws -> [RawClient] {
            try (0..<clients).map { number in
                let client = try cluster.client(patience: 30)
                let own = stride(from: number, to: keys.count, by: clients).map { keys[$0] }
                try client.send(own.map { "set \($0) 0 0 1\r\nx\r\n" }.joined())
                return client
            }
        }
        func expectAllStored(_ clients: [RawClient]) throws {
            for client in clients {
                for _ in 0..<count / clients.count { try #require(try client.readLine() == "STORED\r\n") }
            }
        }
        let hung = "drover_node_in_flight_requests{pool=\"main\",node=\"\(cluster.nodes[1].address)\"}"
        func hasAll() throws -> Bool { try cluster.cluster.metric(hung) ?? 0 >= Double(count) }
        cluster.nodes[1].freeze()
        let waiting = try send(stuck)
        try #require(try Deadline(seconds: 30).waits(until: hasAll))
        try expectAllStored(try send(others))
        #expect(try hasAll(), "the node still hangs")
        cluster.nodes[1].thaw()
        try expectAllStored(waiting)
    }
}
