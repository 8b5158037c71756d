import DroverTesting
import Testing

/// What operators are told of copies.
@Suite(.serialized, .enabled(if: servesCopies))
struct CopiesMetricsTests {
    private let keys = (0..<60).map { "\($0 * 7919)-metered" }

    @Test func writesAndFailoversAreCounted() throws {
        let cluster = try CopiesCluster(CopiesSetting(workers: 1), pool: FaultRun.quick)
        func count(_ name: String, _ labels: String = "") throws -> Double {
            try #require(try cluster.cluster.metric("drover_\(name){pool=\"main\"\(labels)"), "\(name)")
        }
        let client = try cluster.client()
        let copies = try cluster.copies(of: keys)
        for key in keys { #expect(try client.roundTrip("set \(key) 0 0 1\r\n1\r\n") == "STORED\r\n") }
        #expect(try count("copies_written_total") == 120)
        #expect(try count("writes_acknowledged_total", ",copies=\"2\"") == 60)
        #expect(try count("writes_acknowledged_total", ",copies=\"1\"") == 0)
        #expect(try count("copies_failed_total") == 0)
        #expect(try count("failovers_total") == 0)
        // A command that its primary decides is acknowledged by both, too.
        #expect(try client.roundTrip("incr \(keys[0]) 1\r\n") == "2\r\n")
        #expect(try count("copies_written_total") == 122)
        #expect(try count("writes_acknowledged_total", ",copies=\"2\"") == 61)

        cluster.nodes[0].kill()
        let lost = keys.filter { copies[$0]![0] == 0 }
        for number in 0..<6 { #expect(try client.roundTrip("mg \(lost[number % lost.count])\r\n") == "HD\r\n") }
        try cluster.awaitNodes(1, "down")
        let before = try count("failovers_total", ",cause=\"node_down\"")
        #expect(try count("failovers_total") == 6, "each read of them, whatever the cause")
        for key in lost {
            #expect(try client.roundTrip("mg \(key)\r\n") == "HD\r\n")
            #expect(try client.roundTrip("incr \(key) 1\r\n").first?.isNumber == true)
        }
        #expect(try count("failovers_total", ",cause=\"node_down\"") == before + Double(2 * lost.count))
        #expect(try count("writes_acknowledged_total", ",copies=\"1\"") == Double(lost.count))

        // What they missed is repaired when the node is back.
        try cluster.nodes[0].restart()
        try cluster.awaitNodes(0, "down")
        try cluster.awaitRepairs()
        #expect(try count("copies_repaired_total") >= Double(lost.count))
        #expect(try cluster.disagreements(on: lost).isEmpty)
    }
}
