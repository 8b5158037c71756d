import DroverTesting
import Glibc
import Testing

/// Pools with one copy of each key that get other nodes while clients write and read, on real servers.
@Suite(.serialized)
struct SingleScaleTests {
    private static let pool = ["poll: 500ms", "timeout: 1s", "probe: {interval: 100ms, max: 300ms}"]

    private let keys = (0..<1500).map { "\($0 * 7919)-single" }

    private func scale(
        _ count: Int, first: [Int], version: MemcachedServer.Version = .newer, whenDown: String = "rehash",
        rate: Int = 20_000
    ) throws -> ScaleCluster {
        let scale = try ScaleCluster(
            count, first: first, version: version,
            pool: Self.pool + ["sync: {rate: \(rate)/s}", "when_down: \(whenDown)"])
        let client = try scale.cluster.client()
        for key in keys { #expect(try client.roundTrip("set \(key) 5 0 5\r\nvalue\r\n") == "STORED\r\n") }
        return scale
    }

    private func clients(_ scale: ScaleCluster, _ count: Int = 3) -> [CheckingClient] {
        let seed = SeededGenerator.fromEnvironment().seed
        return (0..<count).map { CheckingClient(scale.cluster.address, number: $0, seed: seed) }
    }

    private func finish(_ clients: [CheckingClient]) throws -> [String: String] {
        var known: [String: String] = [:]
        for client in clients { known.merge(try client.finish()) { one, _ in one } }
        return known
    }

    /// What the clients know is there, and what was there before they came, each on its node and nowhere else.
    private func expectAll(_ scale: ScaleCluster, _ known: [String: String], _ members: [Int]) throws {
        let client = try scale.cluster.client()
        for key in keys {
            #expect(
                try client.roundTrip("get \(key)\r\n", through: "END\r\n") == "VALUE \(key) 5 5\r\nvalue\r\nEND\r\n")
        }
        for (key, value) in known {
            let answer = try client.roundTrip("get \(key)\r\n", through: "END\r\n")
            #expect(answer == "VALUE \(key) 7 \(value.count)\r\n\(value)\r\nEND\r\n", "\(key)")
        }
        try scale.expectPlaces(keys + known.keys.sorted(), members)
    }

    @Test(
        .timeLimit(.minutes(10)),
        arguments: [("rehash", MemcachedServer.Version.newer), ("miss", .debian), ("error", .newer)])
    func noKeyIsMissedWhenNodesComeAndGo(whenDown: String, version: MemcachedServer.Version) throws {
        let scale = try scale(4, first: [0, 1, 2], version: version, whenDown: whenDown)
        // Left from an earlier life: never to be read.
        let direct = try scale.servers[3].client()
        for key in keys { #expect(try direct.roundTrip("set \(key) 5 0 3\r\nold\r\n") == "STORED\r\n") }
        let clients = clients(scale)
        try scale.change(to: [0, 1, 2, 3])
        try scale.change(to: [1, 2, 3])
        try scale.change(to: [1, 0, 2, 3])
        try expectAll(scale, finish(clients), [1, 0, 2, 3])
        #expect(try scale.cluster.metric("drover_node_state{pool=\"main\",node=\"n3\",state=\"up\"}") == 1)
        #expect(!scale.drover.log.contains("down"), "\(scale.drover.log)")
    }

    @Test(.timeLimit(.minutes(10))) func aNodeIsDrainedByCommand() throws {
        let scale = try scale(2, first: [0, 1], version: .debian)
        let clients = clients(scale, 2)
        let drained = try scale.run(["drain", "main", "n1"])
        #expect(drained.code == 0 && drained.output.contains("moved"), "\(drained)")
        scale.servers[1].kill()
        try expectAll(scale, finish(clients), [0])
        let refused = try scale.run(["drain", "main", "n0"])
        #expect(refused.code == 1 && refused.error.contains("too few nodes"), "\(refused)")
    }

    /// Nothing is left behind that might be read later: neither by `drover cancel` nor by the old file.
    @Test(.timeLimit(.minutes(10)), arguments: [true, false]) func whatIsTakenBackLeavesNothing(byFile: Bool) throws {
        let scale = try scale(4, first: [0, 1, 2, 3], rate: 100)
        let clients = clients(scale, 2)
        let own = try scale.keys(keys, on: 3)
        try scale.drover.reload(scale.config([0, 1, 2]))
        #expect(scale.drover.logContains("keys begin to move", within: 20))
        #expect(try Deadline(seconds: 30).waits { try scale.keys(own, on: 0).count > 5 }, "nothing is copied")
        if byFile {
            try writeFile(scale.drover.file, scale.config([0, 1, 2, 3]))
            scale.drover.signal(SIGHUP)
        } else {
            let cancelled = try scale.run(["cancel", scale.job("move")])
            #expect(cancelled.code == 0, "\(cancelled)")
            #expect(scale.drover.logContains("keys stay where they were", within: 20), "\(scale.drover.log)")
        }
        let swept = try Deadline(seconds: 60).waits {
            try scale.cluster.http("/api/status").contains("dropped what was brought elsewhere")
        }
        #expect(swept, "\(scale.drover.log)")
        try expectAll(scale, finish(clients), [0, 1, 2, 3])
        // And all the way.
        try scale.change(to: [0, 1, 2])
        try expectAll(scale, [:], [0, 1, 2])
    }

    /// Where keys are to be, a node dies and comes back empty: nobody notices, and it is filled anew.
    @Test(
        .timeLimit(.minutes(10)), arguments: [(MemcachedServer.Version.debian, true), (.newer, true), (.newer, false)])
    func aTargetThatDiesOrHangsIsFilledAnew(_ version: MemcachedServer.Version, dies: Bool) throws {
        let scale = try scale(4, first: [0, 1, 2], version: version)
        let clients = clients(scale)
        let before = scale.moved()
        try scale.drover.reload(scale.config([0, 1, 2, 3]))
        #expect(scale.drover.logContains("keys begin to move", within: 20))
        #expect(try Deadline(seconds: 30).waits { try scale.items(on: 3) > 50 })
        if dies { scale.servers[3].kill() } else { scale.servers[3].freeze() }
        #expect(scale.drover.logContains("node is down", within: 20), "\(scale.drover.log)")
        if dies { try scale.servers[3].restart() } else { scale.servers[3].thaw() }
        try scale.awaitMove(after: before, within: 120)
        try expectAll(scale, finish(clients), [0, 1, 2, 3])
        #expect(!scale.drover.log.contains("keys stay where they were"))
    }

    /// A node dies where keys are read: others stand in, as ever; what is written meanwhile stays, and the keys move when it
    /// is back.
    @Test(.timeLimit(.minutes(10))) func aSourceThatDiesTakesTheMoveBackUntilItIsHome() throws {
        let scale = try scale(4, first: [0, 1, 2])
        let client = try scale.cluster.client()
        let own = try scale.keys(keys, on: 1)
        #expect(own.count > 100)
        try scale.drover.reload(scale.config([0, 1, 2, 3]))
        #expect(scale.drover.logContains("keys begin to move", within: 20))
        scale.servers[1].kill()
        let isWritten = try Deadline(seconds: 60).waits {
            try client.roundTrip("set \(own[0]) 0 0 3\r\nnew\r\n") == "STORED\r\n"
        }
        #expect(isWritten, "\(scale.drover.log)")
        for key in own.prefix(60) { #expect(try client.roundTrip("set \(key) 0 0 3\r\nnew\r\n") == "STORED\r\n") }
        #expect(scale.drover.log.contains("keys stay where they were until it is back"))
        try scale.servers[1].restart()
        try scale.awaitMove(after: 0, within: 180)
        #expect(scale.drover.log.contains("node's keys are home"))
        for (index, key) in own.enumerated() {
            let answer = try client.roundTrip("get \(key)\r\n", through: "END\r\n")
            let expected = index < 60 ? "VALUE \(key) 0 3\r\nnew\r\nEND\r\n" : "END\r\n"
            #expect(answer == expected, "\(key), \(index)")
        }
        try scale.expectPlaces(Array(own.prefix(60)), [0, 1, 2, 3])
    }

    /// What has only been on a node that dies and is to leave is lost with it: nobody waits for it.
    @Test(.timeLimit(.minutes(10)), arguments: ["rehash", "miss"]) func whoLeavesDeadHoldsNobodyUp(whenDown: String)
        throws
    {
        let scale = try scale(4, first: [0, 1, 2, 3], whenDown: whenDown, rate: 100)
        let client = try scale.cluster.client()
        let dead = try Set(scale.keys(keys, on: 2))
        try scale.drover.reload(scale.config([0, 1, 3]))
        #expect(scale.drover.logContains("keys begin to move", within: 20))
        #expect(try Deadline(seconds: 30).waits { try scale.keys(Array(dead), on: 0).count > 5 }, "nothing is copied")
        scale.servers[2].kill()
        let isOver = try Deadline(seconds: 60).waits {
            // Requests are what it is noticed by.
            for key in dead.prefix(5) { _ = try client.roundTrip("mg \(key) v\r\nmn\r\n", through: "MN\r\n") }
            return scale.drover.log.contains("keys go to other nodes at once")
        }
        #expect(isOver, "\(scale.drover.log)")
        let isMiss = try Deadline(seconds: 20).waits {
            try dead.allSatisfy { try client.roundTrip("get \($0)\r\n", through: "\r\n") == "END\r\n" }
        }
        #expect(isMiss, "what is left of a move that was taken back is not read")
        for key in keys where !dead.contains(key) {
            #expect(try client.roundTrip("get \(key)\r\n", through: "END\r\n").contains("\r\nvalue\r\n"), "\(key)")
        }
        // One that is down already.
        scale.servers[3].kill()
        let isDown = try Deadline(seconds: 60).waits {
            for key in keys.prefix(50) { _ = try client.roundTrip("mg \(key) v\r\nmn\r\n", through: "MN\r\n") }
            return try scale.cluster.metric("drover_node_state{pool=\"main\",node=\"n3\",state=\"down\"}") == 1
        }
        #expect(isDown)
        try scale.drover.reload(scale.config([0, 1]))
        #expect(try Deadline(seconds: 30).waits { try client.roundTrip("set k 0 0 1\r\nx\r\n") == "STORED\r\n" })
        #expect(try !scale.cluster.http("/metrics").contains("node=\"n3\""))
    }

    /// One proxy hears of the new nodes long before the other: what either acknowledges, it reads, at any time.
    @Test(.timeLimit(.minutes(10))) func proxiesMoveTogether() throws {
        let scale = try scale(4, first: [0, 1, 2, 3])
        let other = try ScaleCluster(beside: scale, first: [0, 1, 2, 3])
        let seed = SeededGenerator.fromEnvironment().seed
        let addresses = [scale.cluster.address, other.cluster.address]
        let clients = (0..<4).map { CheckingClient(addresses[$0 % 2], number: $0, seed: seed) }
        try scale.drover.reload(scale.config([1, 2, 3]))
        #expect(scale.drover.logContains("another proxy writes by other nodes", within: 60), "\(scale.drover.log)")
        #expect(!scale.drover.log.contains("keys are read where they have moved to"))
        try other.change(to: [1, 2, 3])
        #expect(Deadline(seconds: 60).waits { scale.drover.log.contains("result=moved") }, "\(scale.drover.log)")
        let known = try finish(clients)
        try expectAll(scale, known, [1, 2, 3])
        try expectAll(other, known, [1, 2, 3])
    }

    /// A number from before, or from the other place, never stores.
    @Test(.timeLimit(.minutes(10))) func aCASNumberFromBeforeNeverMatches() throws {
        let scale = try scale(2, first: [0], whenDown: "error")
        let client = try scale.cluster.client()
        func number(_ key: String) throws -> String {
            let answer = try client.roundTrip("gets \(key)\r\n", through: "END\r\n")
            return String(answer.split(separator: "\r\n")[0].split(separator: " ")[4])
        }
        func cas(_ key: String, _ number: String) throws -> String {
            try client.roundTrip("cas \(key) 5 0 5 \(number)\r\nvalue\r\n")
        }
        var held = try Dictionary(uniqueKeysWithValues: keys.prefix(300).map { ($0, [try number($0)]) })
        #expect(try cas(keys[0], try number(keys[0])) == "STORED\r\n")
        try scale.drover.reload(scale.config([0, 1]))
        #expect(scale.drover.logContains("keys begin to move", within: 20))
        for (key, numbers) in held {
            #expect(try cas(key, numbers[0]) == "EXISTS\r\n")
            let now = try number(key)
            #expect(try cas(key, now) == "STORED\r\n")
            held[key]?.append(try number(key))
        }
        try scale.awaitMove(after: 0, within: 100)
        let moved = try Set(scale.keys(keys, on: 1))
        #expect(moved.count > 50)
        for (key, numbers) in held where moved.contains(key) {
            for number in numbers { #expect(try cas(key, number) == "EXISTS\r\n", "\(key) \(number)") }
            // What such a number is on the other node, by accident.
            let plain = UInt64(try number(key))! & (1 << 52 - 1)
            #expect(try cas(key, "\(plain)") == "EXISTS\r\n")
            #expect(try cas(key, try number(key)) == "STORED\r\n")
        }
        try scale.expectPlaces(keys, [0, 1])
    }

    @Test(.timeLimit(.minutes(10))) func whatCannotBeMovedGoesAtOnce() throws {
        let scale = try scale(3, first: [0, 1])
        let hashed = scale.config([0, 1, 2]).replacing("when_down", with: "hash: md5\n    when_down")
        try scale.drover.reload(hashed)
        #expect(scale.drover.log.contains("keys go to other nodes at once"))
        #expect(scale.drover.log.contains("hash and hash_tag cannot change while keys move"), "\(scale.drover.log)")
        #expect(try !scale.cluster.http("/api/status").contains("\"kind\": \"move\""))
        var options = MemcachedServer.Options()
        options.more = ["-X"]
        let mute = try MemcachedServer(.newer, options: options)
        let lines = "\"\(scale.servers[0].address):1 n0\", \"\(mute.address):1 mute\""
        let all = [0, 1, 2].map { "\"\(scale.servers[$0].address):1 n\($0)\"" }.joined(separator: ", ")
        try scale.drover.reload(hashed.replacing(all, with: lines))
        #expect(scale.drover.logContains("does not allow dumps", within: 60), "\(scale.drover.log)")
        let isThere = try Deadline(seconds: 60).waits {
            try scale.cluster.metric("drover_node_state{pool=\"main\",node=\"mute\",state=\"up\"}") == 1
        }
        #expect(isThere, "\(scale.drover.log)")
    }
}
