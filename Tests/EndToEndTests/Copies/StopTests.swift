import DroverTesting
import Testing

/// A graceful stop leaves copies that agree.
@Suite(.serialized)
struct StopTests {
    private static let keys = (0..<30).map { "\($0 * 7919)-stopped" }
    private static let size = 100_000

    /// Writes until the connection is closed, and counts what was acknowledged.
    private static func write(_ number: Int, _ client: RawClient, _ acknowledged: SharedBox<[Int]>) throws {
        var count = 0
        while true {
            count += 1
            let value = String(repeating: "\((number + count) % 10)", count: size)
            let command = "set \(keys[count % keys.count]) 0 0 \(size)\r\n\(value)\r\n"
            guard let reply = try? client.roundTrip(command) else { return }
            guard reply == "STORED\r\n" else { throw TestFailure("set: \(reply)") }
            acknowledged.withValue { $0[number] = count }
        }
    }

    /// More waits for the node than the sockets hold.
    @Test(arguments: [CopiesSetting(acks: "one"), CopiesSetting(shape: .threeOfThree, acks: "quorum")])
    func whatWasAcknowledgedComesToAllCopies(setting: CopiesSetting) throws {
        let cluster = try CopiesCluster(setting, pool: ["timeout: 20s"])
        let first = try cluster.client()
        for key in Self.keys { #expect(try first.roundTrip("set \(key) 0 0 1\r\nx\r\n") == "STORED\r\n") }
        let copies = try cluster.copies(of: Self.keys)
        let behind = Self.keys.filter { copies[$0]!.dropFirst().contains(2) }
        try #require(behind.count > 3)
        cluster.nodes[2].freeze()
        let value = String(repeating: "v", count: Self.size)
        for number in 0..<200 {
            let key = behind[number % behind.count]
            let reply = try first.roundTrip("set \(key) 7 0 \(Self.size)\r\n\(value)\r\n")
            try #require(reply == "STORED\r\n")
        }
        cluster.cluster.drover.signal(15)
        #expect(cluster.cluster.drover.logContains("draining", within: 10))
        #expect(try first.readToEnd().isEmpty)
        _ = Deadline(seconds: 0.3).waits { false }
        #expect(cluster.cluster.drover.isRunning, "it still has to tell the node")
        cluster.nodes[2].thaw()
        #expect(cluster.cluster.drover.wait(seconds: 10) == 0)
        #expect(try cluster.disagreements(on: Self.keys) == [])
        #expect(!cluster.cluster.drover.log.contains("repairs are left"))
    }

    /// Overlapping writes, whose repairs are due when it stops.
    @Test(arguments: ["all", "quorum", "one"]) func copiesAgreeAfterAStopUnderLoad(acks: String) throws {
        let cluster = try CopiesCluster(CopiesSetting(acks: acks), pool: ["timeout: 20s"])
        let acknowledged = SharedBox(Array(repeating: 0, count: 6))
        let clients = (0..<6).map { number in
            TestThread { try Self.write(number, try cluster.client(), acknowledged) }
        }
        #expect(Deadline(seconds: 60).waits { acknowledged.value.allSatisfy { $0 > 40 } })
        #expect(cluster.cluster.drover.stop(seconds: 10) == 0)
        for client in clients { try client.join() }
        #expect(try cluster.disagreements(on: Self.keys) == [])
    }

    /// The time is bounded, and who reads the log knows.
    @Test func whatIsLeftIsTold() throws {
        let cluster = try CopiesCluster(CopiesSetting(acks: "one"), pool: ["timeout: 60s", "checks: off"])
        let client = try cluster.client()
        let copies = try cluster.copies(of: Self.keys)
        let behind = Self.keys.filter { copies[$0]![1] == 2 }
        for key in behind { #expect(try client.roundTrip("set \(key) 0 0 1\r\nx\r\n") == "STORED\r\n") }
        // An answer behind theirs.
        for key in behind { #expect(try client.roundTrip("gat 0 \(key)\r\n", through: "END\r\n").hasPrefix("VALUE")) }
        // What it does at the other copy comes behind its answer, and would be left, too.
        let inFlight = "drover_node_in_flight_requests{"
        #expect(try Deadline(seconds: 10).waits { try cluster.cluster.metric(inFlight) == 0 })
        cluster.nodes[2].freeze()
        for key in behind { #expect(try client.roundTrip("set \(key) 0 0 1\r\nx\r\n") == "STORED\r\n") }
        let start = Deadline.now()
        #expect(cluster.cluster.drover.stop(seconds: 15) == 0)
        #expect(Deadline.seconds(since: start) > 4.9)
        #expect(cluster.cluster.drover.log.contains("repairs are left keys=\(behind.count)"))
    }
}
