import DroverTesting
import Glibc
import Testing

/// Two proxies over the nodes of a pool with one copy of each key, whose nodes stand in for each other: they agree which
/// are out, whoever sees it, and neither ever reads something old.
@Suite(.serialized)
struct SharedHomeTests {
    enum Fault: String, CaseIterable { case kill, freeze, cut }

    private static let keys = (0..<200).map { "\($0 * 7919)-shared" }

    /// Nodes that hold a value of each key; and the keys of the first node.
    private func filled(hasNetworks: Bool = false) throws -> (ChaosFarm, own: [String]) {
        let farm = try ChaosFarm(.newer, hasNetworks: hasNetworks, replicas: 1)
        let client = try farm.client(of: 0)
        for key in Self.keys { #expect(try Deadline(seconds: 10).waits { try set(key, "v1", client) }) }
        let own = try keys(on: farm.nodes[0])
        try #require(own.count > 20)
        return (farm, own)
    }

    private func set(_ key: String, _ value: String, _ client: RawClient) throws -> Bool {
        try client.roundTrip("set \(key) 0 0 \(value.utf8.count)\r\n\(value)\r\n") == "STORED\r\n"
    }

    /// "-" for a miss; nil for an error, which is nobody's value.
    private func get(_ key: String, _ client: RawClient) throws -> String? {
        let line = try client.roundTrip("mg \(key) v\r\n")
        if line.hasPrefix("VA ") { return String(try client.readLine().dropLast()) }
        return line == "EN\r\n" ? "-" : nil
    }

    /// While nothing changes. (A machine that holds a thread up for half a poll makes its proxy refuse some.)
    private func steadyGet(_ key: String, _ client: RawClient) throws -> String? {
        var found: String?
        _ = try Deadline(seconds: 10).waits {
            found = try get(key, client)
            return found != nil
        }
        return found
    }

    /// The same.
    private func steadySet(_ key: String, _ value: String, _ client: RawClient) throws -> Bool {
        try Deadline(seconds: 10).waits { try set(key, value, client) }
    }

    /// Those of the keys that the node has.
    private func keys(on node: MemcachedServer) throws -> [String] {
        let direct = try node.client()
        return try Self.keys.filter { try direct.roundTrip("mg \($0)\r\n") == "HD\r\n" }
    }

    private func begin(_ fault: Fault, _ farm: ChaosFarm) throws {
        switch fault {
        case .kill: farm.nodes[0].kill()
        case .freeze: farm.nodes[0].freeze()
        case .cut: try farm.cut(node: 0, from: 0, .both)
        }
    }

    private func end(_ fault: Fault, _ farm: ChaosFarm) throws {
        switch fault {
        case .kill: try farm.nodes[0].restart()
        case .freeze: farm.nodes[0].thaw()
        case .cut: try farm.heal(node: 0, for: 0)
        }
    }

    /// Others stand in, for both.
    private func awaitStandIns(_ key: String, _ farm: ChaosFarm, proxies: [Int] = [0, 1]) throws {
        for proxy in proxies {
            let client = try farm.client(of: proxy)
            let isWritten = try Deadline(seconds: 30).waits { try set(key, "standing in", client) }
            #expect(isWritten, "\(logs(farm))")
        }
    }

    private func logs(_ farm: ChaosFarm) -> String {
        (0..<2).map { "proxy \($0): \(farm.log(of: $0).suffix(2500))" }.joined(separator: "\n")
    }

    private func homecomings(_ farm: ChaosFarm) -> Int {
        (0..<2).reduce(0) { $0 + countOccurrences(of: "node's keys are home", in: Array(farm.log(of: $1).utf8)) }
    }

    /// The keys are home, and both proxies know.
    private func awaitHome(_ farm: ChaosFarm, each: () throws -> Void = {}) throws {
        let isHome = try Deadline(seconds: 90).waits {
            try each()
            return homecomings(farm) > 0
        }
        #expect(isHome, "\(logs(farm))")
        for node in farm.nodes.dropFirst() {
            let isClean = try Deadline(seconds: 20).waits {
                try node.client().roundTrip("get __drover:away:n0\r\n", through: "END\r\n").contains(" c ")
            }
            #expect(isClean)
        }
    }

    /// Each key is as it was written last, through both.
    ///
    /// - Parameter isSteady: nothing changes just then, and all are answered.
    private func check(
        _ expected: [String: String], _ farm: ChaosFarm, _ when: String, isSteady: Bool = false
    ) throws {
        for proxy in 0..<2 {
            let client = try farm.client(of: proxy)
            for (key, wanted) in expected {
                let found = try isSteady ? steadyGet(key, client) : get(key, client)
                if isSteady { #expect(found != nil, "\(key) through proxy \(proxy) \(when): \(logs(farm))") }
                guard let value = found else { continue }
                #expect(value == wanted, "\(key) through proxy \(proxy) \(when): \(value), \(logs(farm))")
            }
        }
    }

    @Test(.timeLimit(.minutes(20)), arguments: Fault.allCases)
    func neitherReadsSomethingOld(_ fault: Fault) throws {
        guard fault != .cut || NodeNetwork.isAvailable else { return }
        let (farm, own) = try filled(hasNetworks: fault == .cut)
        try begin(fault, farm)
        // Cut off from one of them, it is out for the other, too.
        try awaitStandIns(own[0], farm, proxies: [0])
        let poll = Double(ChaosFarm.poll + ChaosFarm.timeout) / 1e9
        _ = Deadline(seconds: poll).waits { false }
        // What is not written meanwhile is lost with the node.
        var expected = Dictionary(uniqueKeysWithValues: own.map { ($0, "-") })
        let clients = try (0..<2).map { try farm.client(of: $0) }
        for (index, key) in own.enumerated() where index % 3 < 2 {
            let client = clients[index % 2]
            if index % 3 == 0 {
                #expect(try Deadline(seconds: 20).waits { try set(key, "v2", client) })
                expected[key] = "v2"
            } else {
                let isDeleted = try Deadline(seconds: 20).waits {
                    try ["DELETED\r\n", "NOT_FOUND\r\n"].contains(client.roundTrip("delete \(key)\r\n"))
                }
                #expect(isDeleted)
            }
        }
        try check(expected, farm, "while it is out", isSteady: true)
        try end(fault, farm)
        try awaitHome(farm) { try check(expected, farm, "while it comes home") }
        try check(expected, farm, "at home", isSteady: true)
        #expect(homecomings(farm) == 1, "one of them does it: \(logs(farm))")
        #expect(try Set(keys(on: farm.nodes[0])) == Set(own.filter { expected[$0] == "v2" }))
        for node in farm.nodes.dropFirst() { #expect(try Set(keys(on: node)).isDisjoint(with: own)) }

        for (index, key) in own.enumerated() where index % 2 == 0 {
            #expect(try Deadline(seconds: 20).waits { try set(key, "v3", clients[index % 4 / 2]) })
        }
        try begin(fault, farm)
        try awaitStandIns(own[0], farm, proxies: fault == .cut ? [0] : [0, 1])
        _ = Deadline(seconds: poll).waits { false }
        expected = Dictionary(uniqueKeysWithValues: own.dropFirst().map { ($0, "-") })
        try check(expected, farm, "at the next outage", isSteady: true)
    }

    /// Writers through both go on while a node is away and comes home: each reads what it wrote last, and the other reads
    /// nothing that is older.
    @Test(.timeLimit(.minutes(20)), arguments: Fault.allCases)
    func whatIsReadIsNeverOlder(_ fault: Fault) throws {
        guard fault != .cut || NodeNetwork.isAvailable else { return }
        let random = SeededGenerator.fromEnvironment()
        let (farm, own) = try filled(hasNetworks: fault == .cut)
        let isOver = SharedBox(false)
        // All use what stands in: what is stored from here on is not lost.
        let isOut = SharedBox(false)
        let writers = (0..<4).map { number in
            TestThread {
                var random = SeededGenerator(seed: random.seed &+ UInt64(number))
                let (client, other) = try (farm.client(of: number % 2), farm.client(of: 1 - number % 2))
                let mine = own.indices.filter { $0 % 4 == number }.map { own[$0] }
                var (last, next, stored) = ([String: (value: Int, isSafe: Bool)](), 1, 0)
                func check(_ key: String, _ reader: RawClient) throws {
                    guard let wanted = last[key], let value = try get(key, reader) else { return }
                    if value == "-", !wanted.isSafe { return last[key] = nil }
                    guard value == "\(wanted.value)" else { throw TestFailure("\(key) is \(value), not \(wanted)") }
                }
                // Of what failed nothing is known; nor of what the node had when it went.
                while !isOver.value {
                    let key = random.pick(mine)
                    if random.once(in: 2) {
                        let isSafe = isOut.value
                        next += 1
                        last[key] = try set(key, "\(next)", client) ? (next, isSafe) : nil
                        if last[key] != nil { stored += 1 }
                    } else {
                        try check(key, random.once(in: 2) ? client : other)
                    }
                }
                for key in mine { for reader in [client, other] { try check(key, reader) } }
                return stored
            }
        }
        try begin(fault, farm)
        let isKnown = try Deadline(seconds: 30).waits {
            try farm.nodes[1].client().roundTrip("get __drover:away:n0\r\n", through: "END\r\n").contains(" a ")
        }
        #expect(isKnown, "\(logs(farm))")
        _ = Deadline(seconds: Double(ChaosFarm.poll + ChaosFarm.timeout) / 1e9).waits { false }
        isOut.withValue { $0 = true }
        _ = Deadline(seconds: 1).waits { false }
        try end(fault, farm)
        try awaitHome(farm)
        isOver.withValue { $0 = true }
        for writer in writers {
            do {
                let count = try writer.join()
                #expect(count > 100)
            } catch {
                Issue.record("DROVER_SEED=\(random.seed): \(error); \(logs(farm))")
            }
        }
    }

    /// The proxy that brings the keys home is killed in the middle: the other ends it within the lease.
    @Test(
        .timeLimit(.minutes(20)),
        arguments: ["copying, pass 1", "verifying", "dropping what stood in"])
    func theOtherEndsIt(_ phase: String) throws {
        let (farm, own) = try filled()
        farm.nodes[0].freeze()
        try awaitStandIns(own[0], farm)
        #expect(try steadySet(own[1], "v2", farm.client(of: 1)))
        farm.nodes[0].thaw()
        var worker: Int?
        let isUnderWay = Deadline(seconds: 60).waits {
            worker = (0..<2).first { farm.log(of: $0).contains(phase) }
            return worker != nil
        }
        try #require(isUnderWay, "\(logs(farm))")
        let first = try #require(worker)
        farm.kill(proxy: first)
        let client = try farm.client(of: 1 - first)
        try awaitHome(farm) {
            for (key, wanted) in zip(own[1...3], ["v2", "-", "-"]) {
                if let value = try get(key, client) { #expect(value == wanted, "\(key): \(logs(farm))") }
            }
        }
        #expect(try steadyGet(own[1], client) == "v2" && steadyGet(own[2], client) == "-")
        #expect(try Set(keys(on: farm.nodes[0])) == [own[0], own[1]])
        for node in farm.nodes.dropFirst() { #expect(try Set(keys(on: node)).isDisjoint(with: own)) }
    }

    /// What it knew when it lost sight of the other nodes is long over, and who has brought the keys home is gone.
    @Test(.enabled(if: NodeNetwork.isAvailable, "networks take root"), .timeLimit(.minutes(20)))
    func aProxyThatWasCutOffBringsNothingBack() throws {
        let (farm, own) = try filled(hasNetworks: true)
        farm.nodes[0].freeze()
        try awaitStandIns(own[0], farm)
        for node in 1..<3 { try farm.cut(node: node, from: 1, .both) }
        farm.nodes[0].thaw()
        try awaitHome(farm)
        #expect(try steadySet(own[1], "v2", farm.client(of: 0)))
        farm.kill(proxy: 0)
        // For longer than who reaches the nodes needs to see that it is over.
        _ = Deadline(seconds: 6).waits { false }
        try farm.start(proxy: 0)
        for node in 1..<3 { try farm.heal(node: node, for: 1) }
        let clients = try (0..<2).map { try farm.client(of: $0) }
        #expect(try Deadline(seconds: 30).waits { try get(own[1], clients[1]) == "v2" }, "\(logs(farm))")
        let isUsed = try (0..<20).allSatisfy { try steadyGet(own[1], clients[$0 % 2]) == "v2" }
        #expect(isUsed && homecomings(farm) == 0, "\(logs(farm))")
    }

    /// A proxy that is started while the node is out for another, and in reach for itself, does not use it.
    @Test(.enabled(if: NodeNetwork.isAvailable, "networks take root"), .timeLimit(.minutes(20)))
    func aProxyThatIsStartedMeanwhile() throws {
        let (farm, own) = try filled(hasNetworks: true)
        farm.kill(proxy: 1)
        try farm.cut(node: 0, from: 0, .both)
        try awaitStandIns(own[0], farm, proxies: [0])
        #expect(try steadySet(own[1], "v2", farm.client(of: 0)))
        try farm.start(proxy: 1)
        let expected = [own[1]: "v2", own[2]: "-", own[3]: "-"]
        let client = try farm.client(of: 1)
        #expect(try steadyGet(own[1], client) == "v2" && steadyGet(own[2], client) == "-")
        #expect(try steadySet(own[4], "v2", client))
        // It would bring the keys home, if the other did not object.
        let isTried = try Deadline(seconds: 30).waits {
            try check(expected, farm, "while it is out")
            return farm.log(of: 1).contains("node's keys are not home yet")
        }
        #expect(isTried && homecomings(farm) == 0, "\(logs(farm))")
        try farm.heal(node: 0, for: 0)
        try awaitHome(farm) { try check(expected, farm, "while it comes home") }
        try check([own[1]: "v2", own[2]: "-", own[4]: "v2"], farm, "at home")
    }
}
