import Testing

@testable import Telemetry

@Suite struct JobTextTests {
    private static func job(_ change: (inout JobView) -> Void = { _ in }) -> JobView {
        var job = JobView(id: 7, kind: "fill", pool: "main", node: "node2", started: 1_700_000_000)
        (job.phase, job.done, job.known, job.rate, job.seconds) = ("copying", 450_000, 1_000_000, 20_000, 23)
        change(&job)
        return job
    }

    @Test(
        arguments: [
            (job(), "job 7: fill main/node2: copying, 45 %, 450,000 of 1,000,000, 20,000/s, 28 s left"),
            (job { $0.node = nil }, "job 7: fill main: copying, 45 %, 450,000 of 1,000,000, 20,000/s, 28 s left"),
            (
                job { $0.halvings = 2 },
                "job 7: fill main/node2: copying, 45 %, 450,000 of 1,000,000, 20,000/s, slowed for clients, 28 s left"
            ),
            (job { $0.state = .paused }, "job 7: fill main/node2: paused, copying, 45 %, 450,000 of 1,000,000"),
            (
                job { ($0.done, $0.known, $0.rate, $0.phase) = (0, 0, 0, "quiet time") },
                "job 7: fill main/node2: quiet time"
            ),
            (job { ($0.known, $0.rate) = (0, 0) }, "job 7: fill main/node2: copying, 450,000"),
            (job { ($0.state, $0.outcome) = (.done, "ready") }, "job 7: fill main/node2: done in 23 s: ready"),
            (job { $0.state = .done }, "job 7: fill main/node2: done in 23 s"),
            (
                job { ($0.state, $0.outcome) = (.ended, "cancelled") },
                "job 7: fill main/node2: ended after 23 s: cancelled"
            ),
            (
                job { ($0.node, $0.phase, $0.known, $0.done, $0.rate) = ("\u{1b}[2J", "a\nb", 0, 0, 0) },
                "job 7: fill main/?[2J: a?b"
            ),
        ] as [(JobView, String)])
    func aLineSaysAll(job: JobView, line: String) {
        #expect(job.line == line)
    }

    /// The last column stays free: a cursor behind it would begin a new line.
    @Test(
        arguments: [
            (120, "fill main/node2: copying  [#########-----------]  45 %  450,000 of 1,000,000  20,000/s  28 s left"),
            (86, "fill main/node2: copying  [###-----]  45 %  450,000 of 1,000,000  20,000/s  28 s left"),
            (85, "fill main/node2: copying  45 %  450,000 of 1,000,000  20,000/s  28 s left"),
            (40, "fill main/node2: copying  45 %  450,000"), (1, ""), (0, ""),
        ])
    func theBarFitsTheTerminal(width: Int, line: String) {
        #expect(Self.job().progressLine(width: width) == line)
    }

    @Test(arguments: [0, 1, 10, 60, 75, 80, 100, 200, 1000])
    func noWidthIsTooMuch(width: Int) {
        for done in [0, 1, 999_999, 1_000_000, 2_000_000, Int.max] {
            let line = Self.job { $0.done = done }.progressLine(width: width)
            #expect(line.count < max(1, width), "\(line)")
            if width >= 120 { #expect(line.contains("[" + String(repeating: done < 999_999 ? "-" : "#", count: 19))) }
        }
    }

    @Test func aBarIsOnlyDrawnWhileThereIsWork() {
        #expect(
            Self.job { ($0.done, $0.known, $0.rate) = (0, 0, 0) }.progressLine(width: 80) == "fill main/node2: copying")
        #expect(Self.job { $0.state = .done }.progressLine(width: 80) == "fill main/node2: done in 23 s")
    }

    @Test func theReportIsATable() {
        let job = Self.job {
            ($0.state, $0.seconds) = (.done, 71.6)
            $0.report = [
                ("copied", 1_000_000), ("copied_bytes", 1e8), ("total_seconds", 71.6), ("consistency_ratio", 0.99999),
                ("odd", 0.5), ("none", .nan), ("gone", 0), ("sync_seconds", 0), ("availability_ratio", 0),
                ("persistence_ratio", nil),
            ]
        }
        #expect(
            job.text == """
                job 7: fill main/node2: done in 1 min 12 s
                  copied         1,000,000
                  copied bytes    95.4 MiB
                  total         1 min 12 s
                  consistency       99.9 %
                  odd                0.500
                  none                 nan
                  availability         0 %
                  persistence            -

                """)
    }

    @Test func aJobIsReadBackFromItsJSON() throws {
        let job = Self.job {
            ($0.node, $0.outcome, $0.state, $0.halvings) = ("a\"b", "no\nmore", .paused, 3)
            $0.report = [("copied", 12), ("share", 0.5), ("gone", 0), ("persistence_ratio", nil)]
        }
        for job in [job, Self.job { $0.node = nil }] {
            let json = try #require(JSONValue(reading: Array(job.json.text.utf8)))
            let read = try #require(JobView(json))
            #expect(read.json == job.json)
            #expect(read.line == job.line && read.node == job.node)
            #expect(read.report.map(\.name) == job.report.map(\.name))
        }
    }

    @Test func whatIsNoJobIsNotRead() {
        guard case .object(let members) = Self.job().json else { return }
        for gone in members.indices where !["node", "seconds_left"].contains(members[gone].name) {
            var less = members
            less.remove(at: gone)
            #expect(JobView(.object(less)) == nil, "without \(members[gone].name)")
            less = members
            less[gone].value = .array([])
            #expect(JobView(.object(less)) == nil, "with another \(members[gone].name)")
        }
        #expect(JobView(.null) == nil)
    }

    /// A proxy that is none may say anything.
    @Test func noNumberTraps() throws {
        for number in [Double.greatestFiniteMagnitude, -1e300, 0, 1e18] {
            for whole in [Int.max, .min, 0] {
                var job = Self.job {
                    ($0.seconds, $0.rate, $0.done, $0.known, $0.id) = (number, number, whole, whole, whole)
                    $0.report = [("a", number), ("a_bytes", number), ("a_seconds", number), ("a_ratio", number)]
                }
                job = try #require(JobView(job.json))
                for state in JobView.State.allCases {
                    job.state = state
                    #expect(!job.text.isEmpty && job.progressLine(width: 200).count < 200)
                }
            }
        }
    }

    @Test func theLogTellsWhatChanges() {
        var log = JobLog(interval: 5)
        #expect(log.line(for: Self.job(), at: 0) == Self.job().line)
        #expect(log.line(for: Self.job { $0.done += 1000 }, at: 4) == nil, "too soon")
        #expect(log.line(for: Self.job { $0.done += 1000 }, at: 5) != nil)
        #expect(log.line(for: Self.job { $0.done += 1000 }, at: 20) == nil, "nothing has changed")
        #expect(log.line(for: Self.job { $0.phase = "verifying" }, at: 20.1) != nil)
        #expect(log.line(for: Self.job { ($0.phase, $0.state) = ("verifying", .paused) }, at: 20.2) != nil)
        #expect(log.line(for: Self.job { ($0.phase, $0.state) = ("verifying", .paused) }, at: 30) == nil)
    }
}
