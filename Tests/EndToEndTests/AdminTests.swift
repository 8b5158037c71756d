import DroverTesting
import Testing

/// The admin address and the end of the process.
struct AdminTests {
    @Test func metricsAreWellFormedPrometheusText() throws {
        let cluster = try Cluster()
        let client = try cluster.client()
        for key in 0..<20 { _ = try client.roundTrip("set m\(key) 0 0 1\r\nx\r\n") }
        #expect(Deadline(seconds: 10).waits { (try? cluster.http("/healthz"))?.hasPrefix("HTTP/1.") == true })
        #expect(try cluster.http("/healthz").contains(" 200 "))
        let answer = try cluster.http("/metrics")
        let body = answer.split(separator: "\r\n\r\n", maxSplits: 1).last.map(String.init) ?? ""
        var typed: Set<Substring> = []
        var samples = 0
        for line in body.split(separator: "\n") {
            if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                #expect(words.count == 4 && ["counter", "gauge", "histogram"].contains(words[3]), "\(line)")
                #expect(typed.insert(words[2]).inserted, "twice: \(line)")
            } else if !line.hasPrefix("# HELP ") {
                let name = line.prefix { $0 != "{" && $0 != " " }
                let families =
                    [name]
                    + ["_bucket", "_sum", "_count"].filter { name.hasSuffix($0) }.map { name.dropLast($0.count) }
                #expect(families.contains { typed.contains($0) }, "no type: \(line)")
                #expect(line.split(separator: " ").last.flatMap { Double($0) } != nil, "no number: \(line)")
                samples += 1
            }
        }
        #expect(samples > 20)
    }

    @Test func sigtermAnswersWhatIsInFlightAndEndsWithZero() throws {
        let cluster = try Cluster(1, pool: ["timeout: 3s"])
        let client = try cluster.client()
        #expect(try client.roundTrip("set k 0 0 1\r\nx\r\n") == "STORED\r\n")
        cluster.nodes[0].freeze()
        try client.send("get k\r\n")
        // The request is at the node once the node's socket holds it; a second client's answer shows that a turn has passed.
        #expect(try cluster.client().roundTrip("version\r\n").hasPrefix("VERSION"))
        cluster.drover.signal(15)
        let refuses = Deadline(seconds: 5).waits { (try? cluster.client()) == nil }
        #expect(refuses)
        cluster.nodes[0].thaw()
        #expect(String(decoding: try client.read(through: "END\r\n"), as: UTF8.self) == "VALUE k 0 1\r\nx\r\nEND\r\n")
        #expect(cluster.drover.wait(seconds: 15) == 0)
    }

    @Test func sigtermWithoutWorkEndsAtOnce() throws {
        let cluster = try Cluster(1)
        let idle = try cluster.client()
        let start = Deadline.now()
        #expect(cluster.drover.stop(seconds: 20) == 0)
        #expect(Deadline.seconds(since: start) < 10)
        #expect(try idle.readToEnd().isEmpty)
    }

    @Test func aBadConfigIsRefusedWithFileLineAndReason() throws {
        let directory = try TemporaryDirectory()
        let file = directory.file("bad.yml")
        try writeFile(
            file, "pools:\n  main:\n    listen: 127.0.0.1:1\n    nodes: [127.0.0.1:2]\n    distribtion: ketama\n")
        let result = try ChildProcess.run([DroverProcess.binary, "serve", "-c", file])
        #expect(result.code != 0)
        #expect(result.error.contains("bad.yml:5"))
        #expect(result.error.contains("distribution"))
    }
}
