import DroverTesting
import Testing

/// What operators are told of copies.
@Suite(.serialized)
struct CopiesMetricsTests {
    private let keys = (0..<60).map { "\($0 * 7919)-metered" }

    @Test(arguments: ["primary", "spread", "fastest"]) func writesAndFailoversAreCounted(read: String) throws {
        let cluster = try CopiesCluster(CopiesSetting(read: read, workers: 1), pool: FaultRun.quick)
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
        let isSpread = read == "spread"
        for number in 0..<(isSpread ? 40 : 6) {
            #expect(try client.roundTrip("mg \(lost[number % lost.count])\r\n") == "HD\r\n")
        }
        try cluster.awaitNodes(1, "down")
        let before = try count("failovers_total", ",cause=\"node_down\"")
        // Those that chance sent to the other copy, while nobody knew, went where they would have gone.
        #expect(try count("failovers_total") == 6 || isSpread, "each read of them, whatever the cause")
        for key in lost {
            #expect(try client.roundTrip("mg \(key)\r\n") == "HD\r\n")
            #expect(try client.roundTrip("incr \(key) 1\r\n").first?.isNumber == true)
        }
        #expect(try count("failovers_total", ",cause=\"node_down\"") == before + Double(2 * lost.count))
        #expect(try count("writes_acknowledged_total", ",copies=\"1\"") == Double(lost.count))

        // What they missed is there again when the node is read again.
        try cluster.nodes[0].restart()
        try cluster.awaitAllUp()
        #expect(try cluster.disagreements(on: lost).isEmpty)
    }

    /// A copy is changed behind Drover's back; nobody writes the key again.
    @Test(arguments: [CopiesSetting(), CopiesSetting(shape: .standby, version: .debian)])
    func aCheckFindsWhatNoWriteHasNoticed(setting: CopiesSetting) throws {
        let cluster = try CopiesCluster(setting, pool: ["checks: 100/s"])
        let keys = Array(keys.prefix(5))
        let client = try cluster.client()
        let copies = try cluster.copies(of: keys)
        for key in keys { #expect(try client.roundTrip("set \(key) 7 0 3\r\nold\r\n") == "STORED\r\n") }
        let direct = try cluster.nodes[copies[keys[3]]!.last!].client()
        #expect(try direct.roundTrip("set \(keys[3]) 7 0 3\r\nbad\r\n") == "STORED\r\n")
        #expect(try !cluster.disagreements(on: keys).isEmpty)

        func count(_ start: String) throws -> Double { try cluster.cluster.metric("drover_\(start)") ?? -1 }
        let isMended = try Deadline(seconds: 30).waits {
            for key in keys { _ = try client.roundTrip("get \(key)\r\n", through: "END\r\n") }
            return try count("repairs_done_total{pool=\"main\",reason=\"check\"}") == 1
        }
        #expect(isMended)
        #expect(try cluster.disagreements(on: keys).isEmpty)
        #expect(try cluster.nodes[copies[keys[3]]!.last!].client().stored(keys[3])?.value == Array("old".utf8))
        #expect(try count("consistency_checks_total{pool=\"main\",result=\"differ\"}") == 1)
        #expect(try count("copies_repaired_total{pool=\"main\"}") == 1)
        let agreeing = try count("consistency_checks_total{pool=\"main\",result=\"agree\"}")
        let ratio = try count("pool_consistency_ratio{pool=\"main\"}")
        #expect(agreeing > 0 && ratio < 1 && abs(ratio - agreeing / (agreeing + 1)) < 0.001)
    }

    /// Of four nodes two go, and with them a sixth of the keys.
    @Test func operatorsHearOfKeysWithoutALiveCopy() throws {
        let nodes = try (0..<4).map { _ in try MemcachedServer(.newer) }
        let cluster = try Cluster(
            nodes: nodes, pool: FaultRun.quick + ["replicas: 2", "min_live: 2", "distribution: jump", "hash: xxh3"])
        let client = try cluster.client()
        func ratio(_ name: String) throws -> Double { try cluster.metric("drover_pool_\(name)_ratio") ?? -1 }
        #expect(try ratio("availability") == 1 && ratio("readable") == 1 && ratio("writable") == 1)
        for index in [0, 1] {
            nodes[index].kill()
            let isDown = try Deadline(seconds: 20).waits {
                for key in keys { _ = try client.roundTrip("mg \(key)\r\n") }
                return try cluster.metric(
                    "drover_node_state{pool=\"main\",node=\"\(nodes[index].address)\",state=\"down\"}") == 1
            }
            #expect(isDown)
        }
        #expect(try abs(ratio("availability") - 0.5) < 0.05)
        #expect(try abs(ratio("readable") - 5.0 / 6) < 0.05)
        #expect(try abs(ratio("writable") - 1.0 / 6) < 0.05)
        for index in [0, 1] { try nodes[index].restart() }
        #expect(try Deadline(seconds: 20).waits { try ratio("availability") == 1 })
        #expect(cluster.drover.stop(seconds: 20) == 0)
        let log = cluster.drover.log
        for line in [
            "writes of some keys are refused: fewer live copies than min_live keys=",
            "no live copy is left of some keys",
            "every key has a live copy again", "every key has min_live live copies again",
        ] {
            #expect(log.contains(line), "\(line): \(log)")
        }
    }
}
