import DroverTesting
import Proxy
import Telemetry
import Testing

/// `drover sync`, `verify`, `pause`, `resume`, `cancel` and `status` against a proxy that is made up: what they ask,
/// what they print, how they end.
struct JobCommandTests {
    private static func job(_ kind: String = "fill") -> JobView {
        var job = JobView(id: 3, kind: kind, pool: "main", node: kind == "fill" ? "n" : nil, started: 1_700_000_000)
        (job.phase, job.known) = ("copying", 100)
        return job
    }

    private static func run(_ arguments: [String], _ admin: RunningAdmin) throws -> (
        code: Int32, output: String, error: String
    ) {
        try ChildProcess.run([DroverProcess.binary] + arguments + ["--admin", "\(admin.address)"])
    }

    /// Over when it is looked at for the second time.
    private static func end(_ state: JobView.State, _ outcome: String) -> @Sendable (Int, inout [JobView]) -> Void {
        { looks, jobs in
            guard looks > 1 else { return }
            (jobs[0].state, jobs[0].outcome, jobs[0].phase, jobs[0].seconds) = (state, outcome, "", 12)
            jobs[0].report = [("copied", 1234), ("consistency_ratio", 1)]
        }
    }

    @Test(
        arguments: [
            (["sync", "main", "unix:/run/a b"], .sync(pool: "main", node: "unix:/run/a b")),
            (["drain", "main", "n/2"], .drain(pool: "main", node: "n/2")),
            (["verify", "é&?"], .verify(pool: "é&?", repair: false, sample: 1)),
            (["verify", "main", "--repair", "--sample", "100"], .verify(pool: "main", repair: true, sample: 100)),
            (["backup", "main", "/a b&"], .backup(pool: "main", path: "/a b&")),
            (["restore", "main", "/a"], .restore(pool: "main", path: "/a", overwrite: false)),
            (["restore", "main", "/a", "--overwrite"], .restore(pool: "main", path: "/a", overwrite: true)),
            (["resume", "3"], .resume(job: 3)),
        ] as [([String], JobCommand)])
    func aJobIsBegunAndFollowedToItsEnd(arguments: [String], command: JobCommand) throws {
        let admin = try RunningAdmin(jobs: [Self.job()], obey: { _, _ in .job(3) }, look: Self.end(.done, "ready"))
        let (code, output, error) = try Self.run(arguments, admin)
        #expect(admin.state.value.told == [command])
        #expect(code == 0)
        #expect(
            output == """
                job 3: fill main/n: done in 12 s: ready
                  copied       1,234
                  consistency  100 %

                """)
        #expect(error == "job 3: fill main/n: copying, 0 %, 0 of 100\n")
    }

    @Test func aJobThatEndsBadlyIsAFailure() throws {
        let admin = try RunningAdmin(jobs: [Self.job()], obey: { _, _ in .job(3) }, look: Self.end(.ended, "no source"))
        let (code, output, _) = try Self.run(["sync", "main", "n", "--json"], admin)
        #expect(code == 1)
        let job = JSONValue(reading: Array(output.utf8)).flatMap { JobView($0) }
        #expect(job?.state == .ended && job?.outcome == "no source" && job?.report.count == 2, "\(output)")
    }

    @Test func aReportIsShownLater() throws {
        let admin = try RunningAdmin(jobs: [Self.job()], obey: { _, _ in .job(3) }, look: Self.end(.done, "ready"))
        let running = try Self.run(["status", "3"], admin)
        #expect(running == (0, "job 3: fill main/n: copying, 0 %, 0 of 100\n", ""))
        let over = try Self.run(["status", "3"], admin)
        #expect(over.code == 0 && over.output.contains("done in 12 s: ready\n  copied       1,234\n"), "\(over)")
        let json = try Self.run(["status", "3", "--json"], admin)
        #expect(json.output.hasPrefix("{\"id\": 3, ") && json.output.contains("\"copied\": 1234"), "\(json)")
        #expect(try Self.run(["status", "4"], admin).code == 64)
    }

    @Test func nobodyNeedsToWait() throws {
        let admin = try RunningAdmin(jobs: [Self.job()], obey: { _, _ in .job(3) })
        let (code, output, error) = try Self.run(["verify", "main", "--no-wait"], admin)
        #expect(code == 0 && error == "")
        #expect(output.hasPrefix("job 3 has begun; ") && output.contains("`drover cancel 3 --admin \(admin.address)`"))
        let json = try Self.run(["verify", "main", "--no-wait", "--json"], admin)
        #expect(json == (0, "{\"job\": 3}\n", ""))
        #expect(admin.state.value.looks == 0)
    }

    @Test func ctrlCLeavesTheJobAndSaysHowToEndIt() throws {
        let admin = try RunningAdmin(jobs: [Self.job()], obey: { _, _ in .job(3) })
        let directory = try TemporaryDirectory()
        let errors = directory.file("err")
        let child = try ChildProcess(
            [DroverProcess.binary, "sync", "main", "n", "--admin", "\(admin.address)"], errorFile: errors)
        #expect(Deadline(seconds: 20).waits { readFile(errors)?.contains("copying") == true })
        child.signal(2)
        #expect(child.wait(seconds: 20) == 130)
        #expect(
            readFile(errors)?.hasSuffix("job 3 goes on; `drover cancel 3 --admin \(admin.address)` ends it\n") == true)
        #expect(admin.state.value.told == [.sync(pool: "main", node: "n")], "nothing was cancelled")
    }

    @Test func pauseShowsTheJob() throws {
        let admin = try RunningAdmin(
            jobs: [Self.job()],
            obey: { _, state in
                state.jobs[0].state = .paused
                return .job(3)
            })
        let paused = try Self.run(["pause", "3"], admin)
        #expect(paused == (0, "job 3: fill main/n: paused, copying, 0 %, 0 of 100\n", ""))
        let json = try Self.run(["pause", "3", "--json"], admin)
        #expect(json.code == 0 && json.output.contains("\"state\": \"paused\""))
        #expect(admin.state.value.told == [.pause(job: 3), .pause(job: 3)])
    }

    /// That it comes to no good end is what was asked for.
    @Test func cancelWaitsForTheEnd() throws {
        let admin = try RunningAdmin(jobs: [Self.job()], obey: { _, _ in .job(3) }, look: Self.end(.ended, "cancelled"))
        let (code, output, _) = try Self.run(["cancel", "3"], admin)
        #expect(code == 0)
        #expect(output.hasPrefix("job 3: fill main/n: ended after 12 s: cancelled\n"))
        #expect(admin.state.value.told == [.cancel(job: 3)])
    }

    @Test(
        arguments: [
            (["sync", "main", "x"], .unknown("no node \"x\""), 64, "drover: no node \"x\"\n"),
            (["verify", "main"], .refused("one\u{1b}copy"), 1, "drover: one?copy\n"),
            (["cancel", "9"], .unknown("no job 9"), 64, "drover: no job 9\n"),
            (["pause", "9"], .refused("job 9 is over"), 1, "drover: job 9 is over\n"),
            // It has no job 5, though it says so.
            (["verify", "main"], .job(5), 64, "drover: there is no job 5, or it ended long ago\n"),
        ] as [([String], JobAnswer, Int32, String)])
    func refusalsAreTold(arguments: [String], answer: JobAnswer, code: Int32, error: String) throws {
        let admin = try RunningAdmin(obey: { _, _ in answer })
        #expect(try Self.run(arguments, admin) == (code, "", error))
    }

    @Test func inATerminalOneLineIsRedrawn() throws {
        let admin = try RunningAdmin(jobs: [Self.job()], obey: { _, _ in .job(3) }) { looks, jobs in
            if looks == 2 { jobs[0].done = 50 }
            if looks > 2 { jobs[0].state = .done }
        }
        let command = "stty cols 50; \(DroverProcess.binary) sync main n --admin \(admin.address)"
        let (_, output, _) = try ChildProcess.run(["/usr/bin/script", "-qec", command, "/dev/null"])
        let erased = "\r\u{1b}[K"
        #expect(
            output == "\(erased)fill main/n: copying  [----------]  0 %  0 of 100"
                + "\(erased)fill main/n: copying  [####----]  50 %  50 of 100"
                + "\(erased)job 3: fill main/n: done in 0.0 s\r\n")
    }

    @Test func statusPrintsWhatTheProxyShows() throws {
        let admin = try RunningAdmin(jobs: [Self.job()])
        let text = try Self.run(["status"], admin)
        #expect(text.code == 0 && text.error == "")
        #expect(text.output.hasPrefix("drover 9.9, ") && text.output.contains("\n  job 3: fill main/n: copying"))
        let json = try Self.run(["status", "--json"], admin)
        #expect(JSONValue(reading: Array(json.output.utf8))?["version"]?.asString == "9.9")
    }
}
