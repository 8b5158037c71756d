import DroverTesting
import Testing

/// What writes through several workers wait for while a node hangs.
@Suite(.serialized)
struct HangTests {
    private static let patient = ["connect_timeout: 1s", "fail_after: 100", "checks: off"]

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
        let cluster = try CopiesCluster(setting, pool: Self.patient + ["timeout: 1s"])
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
        #expect(answers.map(\.seconds).max()! < 1.9, "\(answers.map(\.seconds).sorted().suffix(5))")
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
        let cluster = try CopiesCluster(CopiesSetting(), pool: Self.patient + ["timeout: 1m"])
        let keys = (0..<13_000).map { "\($0 * 7919)-of-many" }
        let copies = try cluster.copies(of: keys)
        let (count, clients) = (4000, 16)
        let stuck = Array(keys.filter { copies[$0]!.contains(1) }.prefix(count))
        let others = Array(keys.filter { !copies[$0]!.contains(1) }.prefix(count))
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
        cluster.nodes[1].freeze()
        let waiting = try send(stuck)
        try #require(try Deadline(seconds: 30).waits { try cluster.cluster.metric(hung) == Double(count) })
        try expectAllStored(try send(others))
        #expect(try cluster.cluster.metric(hung) == Double(count), "the node still hangs")
        cluster.nodes[1].thaw()
        try expectAllStored(waiting)
    }
}
