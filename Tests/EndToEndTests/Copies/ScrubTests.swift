import DroverTesting
import Testing

/// The comparison of copies that never ends.
@Suite(.serialized)
struct ScrubTests {
    private let keys = (0..<600).map { "\($0 * 7919)-scrub" }

    private func filled(_ sync: String) throws -> CopiesCluster {
        let cluster = try CopiesCluster(
            CopiesSetting(workers: 1), pool: ["checks: off", "timeout: 500ms", "poll: 200ms", "sync: {\(sync)}"])
        let client = try cluster.client()
        for key in keys { #expect(try client.roundTrip("set \(key) 3 0 5\r\nvalue\r\n") == "STORED\r\n") }
        return cluster
    }

    @Test(.timeLimit(.minutes(20)))
    func whatDiffersIsRepairedByItself() throws {
        let cluster = try filled("scrub: 10000/s, scrub_every: 2s")
        let copies = try cluster.copies(of: keys)
        for (index, key) in keys.prefix(4).enumerated() {
            let direct = try cluster.nodes[copies[key]!.last!].client()
            if index > 0 {
                #expect(try direct.roundTrip("set \(key) 3 0 5\r\nwrong\r\n") == "STORED\r\n")
            } else {
                #expect(try direct.roundTrip("delete \(key)\r\n") == "DELETED\r\n")
            }
        }
        #expect(try cluster.disagreements(on: keys).count == 4)
        #expect(try Deadline(seconds: 90).waits { try cluster.disagreements(on: keys).isEmpty })
        for key in keys {
            #expect(try cluster.client().roundTrip("get \(key)\r\n", through: "END\r\n").contains("value"))
        }
        let status = try cluster.cluster.http("/api/status")
        #expect(status.contains("\"kind\": \"scrub\"") && status.contains("on_all_copies_ratio"), "\(status)")
        #expect(try cluster.cluster.metric("drover_consistency_checks_total{pool=\"main\",result=\"differ\"")! >= 3)
        #expect(countOccurrences(of: "verifying", in: Array(cluster.cluster.drover.log.utf8)) == 0, "nobody is bored")

        // Others go first.
        let verify = try ChildProcess.run(
            [DroverProcess.binary, "verify", "main", "--admin", "\(cluster.cluster.admin)"])
        #expect(verify.code == 0, "\(verify)")
    }

    @Test func itCanBeOff() throws {
        let cluster = try filled("scrub: off, scrub_every: 1s")
        _ = Deadline(seconds: 2).waits { false }
        #expect(try !cluster.cluster.http("/api/status").contains("scrub"))
        #expect(try cluster.nodes[0].client().roundTrip("mg __drover:scrub\r\n") == "EN\r\n")
    }
}
