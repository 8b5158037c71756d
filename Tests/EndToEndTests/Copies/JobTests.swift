import DroverTesting
import Testing

/// `drover sync` and `drover verify` on a pool with copies.
@Suite(.serialized)
struct JobTests {
    private let keys = (0..<400).map { "\($0 * 7919)-job" }

    private func filled(_ pool: [String] = []) throws -> CopiesCluster {
        // No check may find what these tests break before `verify` does.
        let cluster = try CopiesCluster(CopiesSetting(workers: 1), pool: ["checks: off", "timeout: 1s"] + pool)
        let client = try cluster.client()
        for key in keys { #expect(try client.roundTrip("set \(key) 3 0 5\r\nvalue\r\n") == "STORED\r\n") }
        return cluster
    }

    private func run(_ arguments: [String], _ cluster: CopiesCluster) throws -> (
        code: Int32, output: String, error: String
    ) {
        try ChildProcess.run([DroverProcess.binary] + arguments + ["--admin", "\(cluster.cluster.admin)"])
    }

    /// A number of a job's report in JSON; 0 where it is left out.
    private func figure(_ name: String, _ json: String) -> Double {
        let pieces = json.split(separator: "\"\(name)\": ", maxSplits: 1)
        return pieces.count == 2 ? Double(pieces[1].prefix { $0.isNumber || $0 == "." || $0 == "-" }) ?? -1 : 0
    }

    @Test func syncFillsANodeAnew() throws {
        let cluster = try filled()
        let copies = try cluster.copies(of: keys)
        let owned = keys.filter { copies[$0]!.contains(1) }
        #expect(owned.count > 100)
        // Emptied behind Drover's back: its markers stay, so only the command can help.
        let direct = try cluster.nodes[1].client()
        for key in owned { #expect(try direct.roundTrip("md \(key)\r\n") == "HD\r\n") }
        #expect(try cluster.disagreements(on: keys).count == owned.count)

        let (code, output, error) = try run(["sync", "main", "\(cluster.nodes[1].address)", "--json"], cluster)
        #expect(code == 0, "\(output) \(error)")
        #expect(output.contains("\"kind\": \"fill\"") && output.contains("\"state\": \"done\""), "\(output)")
        #expect(figure("copied", output) == Double(owned.count), "\(output)")
        for time in ["copy", "verify", "total"] { #expect(figure("\(time)_seconds", output) > 0, "\(output)") }
        let (listed, copied) = (figure("list_seconds", output), figure("copy_seconds", output))
        #expect(listed > 0 && listed < copied, "\(output)")
        for ratio in ["before", "after"] { #expect(figure("availability_\(ratio)_ratio", output) == 1, "\(output)") }
        #expect(output.contains("\"persistence_before_ratio\": null") && output.contains("\"gone\": 0"), "\(output)")
        #expect(error.contains("job 1: fill main/\(cluster.nodes[1].address): "), "\(error)")
        #expect(try cluster.disagreements(on: keys).isEmpty)
        #expect(try cluster.cluster.http("/api/status").contains("\"state\": \"syncing\"") == false)
    }

    @Test func verifyFindsAndRepairs() throws {
        let cluster = try filled()
        let copies = try cluster.copies(of: keys)
        let broken = Array(keys.prefix(5))
        for key in broken {
            let direct = try cluster.nodes[copies[key]!.last!].client()
            #expect(try direct.roundTrip("set \(key) 3 0 5\r\nwrong\r\n") == "STORED\r\n")
        }
        let found = try run(["verify", "main", "--json"], cluster)
        #expect(figure("diverged", found.output) == 5, "\(found)")
        #expect(try cluster.disagreements(on: keys).count == 5, "it only looks")

        let repaired = try run(["verify", "main", "--repair", "--json"], cluster)
        #expect(repaired.code == 0 && figure("repaired", repaired.output) == 5, "\(repaired)")
        #expect(try cluster.disagreements(on: keys).isEmpty)
        let clean = try run(["verify", "main"], cluster)
        #expect(clean.code == 0 && clean.output.contains("job 3: verify main: done in "), "\(clean)")
        #expect(!clean.output.contains("diverged"), "\(clean)")
    }

    @Test func aJobThatWasCancelledLeavesAReport() throws {
        let cluster = try filled(["poll: 200ms", "sync: {rate: 1/s}"])
        let node = "\(cluster.nodes[1].address)"
        func cancel(_ job: Int, once phase: String) throws -> String {
            let isThere = try Deadline(seconds: 30).waits { try run(["status"], cluster).output.contains(phase) }
            #expect(isThere, "\(phase)")
            // So that its pass has taken some time.
            _ = Deadline(seconds: 1).waits { false }
            return try run(["cancel", "\(job)", "--json"], cluster).output
        }
        #expect(try run(["verify", "main", "--no-wait"], cluster).code == 0)
        let verified = try cancel(1, once: "job 1: verify main: verifying")
        #expect(figure("verify_seconds", verified) >= 0.5 && figure("total_seconds", verified) >= 1, "\(verified)")
        #expect(figure("availability_after_ratio", verified) == 1, "\(verified)")

        #expect(try run(["sync", "main", node, "--no-wait"], cluster).code == 0)
        let filled = try cancel(2, once: "job 2: fill main/\(node): cleaning")
        #expect(filled.contains("\"outcome\": \"cancelled\""), "\(filled)")
        #expect(figure("total_seconds", filled) >= 1 && filled.contains("\"repaired\": 0"), "\(filled)")
        #expect(figure("availability_before_ratio", filled) == 1, "\(filled)")
        #expect((0.5..<0.8).contains(figure("availability_after_ratio", filled)), "\(filled)")
        let shown = try run(["status", "2"], cluster)
        #expect(shown.code == 0 && shown.output.contains("\n  availability before "), "\(shown)")
    }

    @Test func aJobIsPausedResumedAndCancelled() throws {
        // Slow enough that it cannot be over meanwhile.
        let cluster = try filled(["sync: {rate: 1/s}"])
        #expect(try run(["verify", "main", "--no-wait", "--json"], cluster) == (0, "{\"job\": 1}\n", ""))
        let paused = try run(["pause", "1"], cluster)
        #expect(paused.code == 0 && paused.output.hasPrefix("job 1: verify main: paused"), "\(paused)")
        #expect(try cluster.cluster.metric("drover_job_running{pool=\"main\"") == 0)
        #expect(try run(["resume", "1", "--no-wait"], cluster).code == 0)
        #expect(try cluster.cluster.metric("drover_job_running{pool=\"main\"") == 1)
        #expect(try run(["status"], cluster).output.contains("\njobs\n  job 1: verify main: verifying"))
        let second = try run(["verify", "main"], cluster)
        #expect(second.code == 1 && second.error.contains("job 1 is under way"), "\(second)")
        let cancelled = try run(["cancel", "1"], cluster)
        #expect(cancelled.code == 0 && cancelled.output.contains(": ended after "), "\(cancelled)")
        #expect(try cluster.cluster.metric("drover_job_running{pool=\"main\"") == nil)
        let over = try run(["cancel", "1"], cluster)
        #expect(over.code == 1 && over.error.contains("over"), "\(over)")
    }
}
