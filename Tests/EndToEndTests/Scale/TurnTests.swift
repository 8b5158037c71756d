import DroverTesting
import Testing

/// Moves that are to be taken back, or begun once more, while other proxies go on.
@Suite(.serialized)
struct TurnTests {
    private static let readsMove = "keys are read where they have moved to"

    private let keys = (0..<600).map { "\($0 * 7919)-turn" }

    /// - Parameter settings: more of the pool's.
    private func scale(_ copies: Int, _ settings: [String] = []) throws -> ScaleCluster {
        let pool = ["poll: 500ms", "timeout: 1s", "probe: {interval: 100ms, max: 300ms}", "checks: off"]
        let scale = try ScaleCluster(
            4, first: [0, 1, 2], version: copies == 1 ? .debian : .newer,
            pool: pool + ["replicas: \(copies)"] + settings)
        try set(scale, "first")
        return scale
    }

    private func set(_ scale: ScaleCluster, _ value: String) throws {
        let client = try scale.cluster.client()
        for key in keys {
            let answer = try client.roundTrip("set \(key) 0 0 \(value.utf8.count)\r\n\(value)\r\n")
            try #require(answer == "STORED\r\n")
        }
    }

    /// - Returns: keys that have another value.
    private func wrong(_ scale: ScaleCluster, _ value: String) throws -> [String] {
        let client = try scale.cluster.client()
        let right = " 0 \(value.utf8.count)\r\n\(value)\r\nEND\r\n"
        return try keys.filter { try client.roundTrip("get \($0)\r\n", through: "END\r\n") != "VALUE \($0)" + right }
    }

    /// Two proxies of which one moves reads, while the other, which is told of it, stays where it was.
    private func half(_ copies: Int) throws -> (ahead: ScaleCluster, behind: ScaleCluster, job: String) {
        let behind = try scale(copies)
        let ahead = try ScaleCluster(beside: behind, first: [0, 1, 2])
        try behind.drover.reload(behind.config([0, 1, 2, 3]))
        try #require(behind.drover.logContains("keys begin to move", within: 20))
        let job = try behind.job("move")
        try #require(try behind.run(["pause", job]).code == 0)
        try ahead.drover.reload(ahead.config([0, 1, 2, 3]))
        try #require(
            ahead.drover.logContains(Self.readsMove, within: 60), "\(ahead.drover.log)")
        return (ahead, behind, job)
    }

    private func expectMoved(_ scales: [ScaleCluster], _ members: [Int], _ value: String) throws {
        for scale in scales {
            #expect(Deadline(seconds: 60).waits { scale.drover.log.contains("result=moved") }, "\(scale.drover.log)")
        }
        for scale in scales { #expect(try wrong(scale, value).isEmpty) }
        try scales[0].expectPlaces(keys, members)
    }

    /// What another reads where it has moved to is written there by all, until the end.
    @Test(.timeLimit(.minutes(10)), arguments: [1, 2])
    func aMoveIsNotCancelledWhenAnotherProxyHasMovedReads(copies: Int) throws {
        let (ahead, behind, job) = try half(copies)
        let isRefused = try Deadline(seconds: 20).waits {
            let answer = try behind.cluster.post("/api/jobs/\(job)/cancel")
            return answer.contains(" 409 ") && answer.contains("reads have moved")
        }
        #expect(isRefused, "\(behind.drover.log)")
        #expect(!behind.drover.log.contains("keys stay where they were"), "\(behind.drover.log)")
        try set(behind, "through the one behind")
        #expect(try wrong(ahead, "through the one behind").isEmpty)
        try set(ahead, "through the one ahead")
        #expect(try wrong(behind, "through the one ahead").isEmpty)
        let over = try behind.run(["resume", job])
        #expect(over.code == 0 && over.output.contains("moved"), "\(over)")
        try expectMoved([behind, ahead], [0, 1, 2, 3], "through the one ahead")
    }

    /// With one copy nobody else would know where such a key is: the file is refused. With several keys move back, from
    /// where they are read, when all proxies have been told.
    @Test(.timeLimit(.minutes(10)), arguments: [1, 2])
    func theOldFileWhenAnotherProxyHasMovedReads(copies: Int) throws {
        let (ahead, behind, job) = try half(copies)
        // It is known to this one, too.
        let isKnown = try Deadline(seconds: 20).waits {
            try behind.cluster.post("/api/jobs/\(job)/cancel").contains("reads have moved")
        }
        try #require(isKnown)
        try writeFile(behind.drover.file, behind.config([0, 1, 2]))
        let answer = try behind.run(["reload"])
        if copies == 1 {
            #expect(answer.code == 1, "\(answer)")
            #expect(answer.error.contains("another proxy reads keys where they have moved to already"), "\(answer)")
            #expect(try wrong(behind, "first").isEmpty)
            try set(behind, "value")
            #expect(try wrong(ahead, "value").isEmpty)
            #expect(try behind.run(["resume", job, "--no-wait"]).code == 0)
            return try expectMoved([behind, ahead], [0, 1, 2, 3], "value")
        }
        #expect(answer.code == 0, "\(answer)")
        try set(behind, "value")
        #expect(try wrong(ahead, "value").isEmpty && wrong(behind, "value").isEmpty)
        try set(ahead, "another value")
        #expect(try wrong(behind, "another value").isEmpty)
        try ahead.drover.reload(ahead.config([0, 1, 2]))
        try expectMoved([behind, ahead], [0, 1, 2], "another value")
    }

    /// Items on the nodes that have to run out take longer than that with so long a `connect_timeout`.
    private static let patient = ["connect_timeout: 60s", "sync: {rate: 60/s}"]

    /// The proxies have to know of it, and nobody has to wait until what they are told is gone.
    @Test(.timeLimit(.minutes(10))) func aMissedWriteHoldsAMoveUpForSomeSecondsOnly() throws {
        let scale = try scale(1, Self.patient)
        try scale.drover.reload(scale.config([0, 1, 2, 3]))
        try #require(try Deadline(seconds: 30).waits { try scale.items(on: 3) > 20 })
        scale.servers[3].kill()
        try set(scale, "second")
        #expect(scale.drover.log.contains("node is down"), "\(scale.drover.log)")
        let direct = try scale.servers[0].client()
        #expect(try direct.roundTrip("mg __drover:missed\r\n") == "HD\r\n")
        try scale.servers[3].restart()
        #expect(scale.drover.logContains(Self.readsMove, within: 40), "\(scale.drover.log)")
        #expect(try wrong(scale, "second").isEmpty)
    }

    /// It said itself that it moves keys, and objected to it.
    @Test(.timeLimit(.minutes(10)), arguments: [1, 2]) func whoHasGoneBackIsNotInItsOwnWay(copies: Int) throws {
        let scale = try scale(copies, Self.patient)
        try scale.drover.reload(scale.config([0, 1, 2, 3]))
        try #require(try Deadline(seconds: 30).waits { try scale.items(on: 3) > 20 })
        #expect(try scale.cluster.post("/api/jobs/\(scale.job("move"))/cancel").contains(" 200 "))
        let isBack = try Deadline(seconds: 30).waits {
            let isSwept = try scale.cluster.http("/api/status").contains("dropped what was brought elsewhere")
            return scale.drover.log.contains("keys stay where they were") && (isSwept || copies > 1)
        }
        try #require(isBack, "\(scale.drover.log)")
        try scale.drover.reload(scale.config([0, 1, 2, 3]))
        #expect(scale.drover.logContains(Self.readsMove, within: 40), "\(scale.drover.log)")
        #expect(!scale.drover.log.contains("another proxy"), "\(scale.drover.log)")
        #expect(try wrong(scale, "first").isEmpty)
    }

    /// So are the others: whoever is told is no longer in their way.
    @Test(.timeLimit(.minutes(10)), arguments: [1, 2]) func whoIsToldObjectsNoLonger(copies: Int) throws {
        let scale = try scale(copies, Self.patient)
        let other = try ScaleCluster(beside: scale, first: [0, 1, 2])
        try scale.drover.reload(scale.config([0, 1, 2, 3]))
        try #require(scale.drover.logContains("another proxy writes by other nodes", within: 60))
        try set(other, "second")
        try other.drover.reload(other.config([0, 1, 2, 3]))
        let haveMovedReads = Deadline(seconds: 40).waits {
            [scale, other].allSatisfy { $0.drover.log.contains(Self.readsMove) }
        }
        #expect(haveMovedReads, "\(scale.drover.log)\(other.drover.log)")
        for proxy in [scale, other] { #expect(try wrong(proxy, "second").isEmpty) }
    }
}
