import DroverTesting
import Testing

/// A whole farm goes: what the other one is for.
@Suite(.serialized)
struct FarmTests {
    private let keys = (0..<60).map { "\($0 * 7919)-farm" }

    /// More nodes than are left, so that no count of all of them would let them go.
    @Test(arguments: [CopiesSetting(shape: .hybrid), CopiesSetting(shape: .standby, workers: 1)], NodeFault.allCases)
    func theStandbyTakesOver(setting: CopiesSetting, fault: NodeFault) throws {
        let cluster = try CopiesCluster(setting, pool: FaultRun.quick)
        try lose(0..<setting.shape.nodes, fault, of: cluster)
    }

    @Test(arguments: NodeFault.allCases) func theNodesGoOnWithoutTheStandby(fault: NodeFault) throws {
        let setting = CopiesSetting(shape: .hybrid)
        let cluster = try CopiesCluster(setting, pool: FaultRun.quick)
        try lose(setting.shape.nodes..<cluster.nodes.count, fault, of: cluster)
    }

    private func lose(_ farm: Range<Int>, _ fault: NodeFault, of cluster: CopiesCluster) throws {
        let client = try cluster.client(patience: 5)
        for key in keys { try #require(try client.roundTrip("set \(key) 0 0 1\r\n1\r\n") == "STORED\r\n") }
        for node in farm { fault.strike(cluster.nodes[node]) }
        // From the first read on.
        for key in keys.prefix(20) {
            #expect(try client.roundTrip("get \(key)\r\n", through: "END\r\n") == "VALUE \(key) 0 1\r\n1\r\nEND\r\n")
        }
        // Writes ask every copy: so each node is found out, and none is kept.
        for _ in 0..<4 { for key in keys { _ = try client.roundTrip("set \(key) 0 0 1\r\n2\r\n") } }
        try cluster.awaitNodes(farm.count, "down")
        // Now nothing waits for them.
        let start = Deadline.now()
        for key in keys {
            #expect(try client.roundTrip("set \(key) 0 0 1\r\n3\r\n") == "STORED\r\n")
            #expect(try client.roundTrip("incr \(key) 1\r\n") == "4\r\n")
            #expect(try client.roundTrip("get \(key)\r\n", through: "END\r\n") == "VALUE \(key) 0 1\r\n4\r\nEND\r\n")
        }
        #expect(Deadline.seconds(since: start) < 5, "180 requests; a timeout each would be 54 s")
        #expect(!cluster.cluster.drover.log.contains("more likely the network"))
        for node in farm { try fault.end(cluster.nodes[node]) }
        try cluster.awaitAllUp()
        try cluster.awaitRepairs()
        #expect(try cluster.disagreements(on: keys).isEmpty)
        for key in keys { #expect(try client.roundTrip("incr \(key) 1\r\n") == "5\r\n") }
    }
}
