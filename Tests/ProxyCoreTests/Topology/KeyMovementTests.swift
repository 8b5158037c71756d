import Distribution
import DroverTesting
import ProxyCore
import Testing

/// Which keys a change of config moves.
struct KeyMovementTests {
    private func pool(_ names: [String], replicas: Int = 1, _ change: (inout PoolSettings) -> Void = { _ in })
        -> PoolSettings
    {
        var pool = PoolSettings(
            name: "p", listen: [],
            nodes: names.map { NodeSettings(address: .tcp(host: $0, port: 11_211), name: $0) })
        pool.replicas = replicas
        change(&pool)
        return pool
    }

    private func movement(_ before: PoolSettings, _ after: PoolSettings) throws -> KeyMovement {
        try #require(KeyMovement(from: before, to: after, keys: 8192))
    }

    @Test func nothingMovesWithoutAChangeOfPlaces() throws {
        let before = pool(["a", "b", "c"], replicas: 2)
        let after = pool(["a", "b", "c"], replicas: 2) { ($0.timeout, $0.read) = (1, .spread) }
        let same = try movement(before, after)
        #expect(same.moved == 0 && same.flows.isEmpty && same.seconds(keys: 1e6, rate: 1) == 0)
    }

    @Test func aNewNodeGetsItsShareFromTheOthers() throws {
        let found = try movement(pool(["a", "b", "c"]), pool(["a", "b", "c", "d"]))
        #expect(abs(found.moved - 0.25) < 0.06)
        #expect(found.made == found.moved && found.flows.allSatisfy { $0.to == "d" })
        #expect(Set(found.flows.map(\.from)) == ["a", "b", "c"])
        let largest = found.flows[0].share
        #expect(found.flows.allSatisfy { $0.share <= largest })
        #expect(abs(found.seconds(keys: 1000, rate: 10) - largest * 100) < 1e-9, "all sources at once")
    }

    @Test func aNodeThatLeavesGivesAwayAllThatItHas() throws {
        let found = try movement(pool(["a", "b", "c", "d"], replicas: 2), pool(["a", "b", "c"], replicas: 2))
        #expect(abs(found.made - 0.5) < 0.1 && found.flows.allSatisfy { $0.to != "d" })
    }

    @Test func anotherAddressIsAnotherServer() throws {
        let found = try movement(
            pool(["a", "b"], replicas: 2), pool(["a", "b"], replicas: 2) { $0.nodes[1].address = .unix(path: "/b") })
        #expect(found.made == 1 && found.flows.map(\.to) == ["b", "b"] || found.flows.map(\.to) == ["b"])
    }

    @Test func moreCopiesAreMadeFromThePrimary() throws {
        let found = try movement(pool(["a", "b", "c"]), pool(["a", "b", "c"], replicas: 2))
        #expect(found.moved == 0 && found.made == 1)
    }

    @Test func randomHasNoPlaces() {
        let random = pool(["a", "b"]) { $0.distribution = .random }
        #expect(KeyMovement(from: random, to: random) == nil)
    }
}

/// What a reload takes over.
struct SettingsChangeTests {
    private let pool: PoolSettings = {
        var pool = PoolSettings(
            name: "p", listen: [.tcp(host: "127.0.0.1", port: 1)],
            nodes: (1...3).map { NodeSettings(address: .tcp(host: "h", port: $0), name: "n\($0)") })
        pool.replicas = 2
        return pool
    }()

    private func change(_ change: (inout Settings) -> Void) -> SettingsChange {
        let running = Settings(workers: 1, pools: [pool, PoolSettings(name: "q", listen: [], nodes: pool.nodes)])
        var wanted = running
        change(&wanted)
        return SettingsChange(from: running, to: wanted)
    }

    @Test func whatIsTheSameChangesNothing() {
        let same = change { $0.pools.reverse() }
        #expect(same.changed.isEmpty && same.refusals.isEmpty && same.pools.map(\.name) == ["p", "q"])
    }

    @Test func policiesAndAddressesOfNamedNodesAreTakenOver() {
        let found = change {
            ($0.pools[0].timeout, $0.pools[0].acks, $0.pools[0].limits.pipeline) = (1, .one, 7)
            $0.pools[0].nodes[0].address = .unix(path: "/n")
        }
        #expect(found.changed == ["p"] && found.refusals.isEmpty && found.pools[0].timeout == 1)
        #expect(found.pools[0].differences(from: pool) == ["nodes", "acks", "timeout", "limits"])
    }

    @Test func nodesOfAPoolWithOneCopyAreTakenOver() {
        let found = change {
            $0.pools[1].nodes.removeLast()
            $0.pools[1].hash = .md5
        }
        #expect(found.changed == ["q"] && found.refusals.isEmpty && found.pools[1].nodes.count == 2)
        #expect(found.unmoved == ["q": "hash and hash_tag cannot change while keys move"])
    }

    @Test func keysOfAPoolWithOneCopyMoveWhereItsNodesAreItsOwn() throws {
        var single = PoolSettings(name: "s", listen: [], nodes: Array(pool.nodes.prefix(2)))
        let running = Settings(pools: [single])
        single.nodes = pool.nodes
        let found = SettingsChange(from: running, to: Settings(pools: [single]))
        let moving = try #require(found.pools[0].moving)
        #expect(moving.isSingle && found.unmoved.isEmpty && found.pools[0].settled == single)
        #expect(found.pools[0].standing == running.pools[0] && !found.pools[0].keepsMarkers)
        let back = SettingsChange(from: Settings(pools: found.pools), to: running)
        #expect(back.pools == running.pools && back.refusals.isEmpty)
        let handed = try #require(found.pools[0].handedOver)
        #expect(handed.moving?.isSingle == true && handed.standing == single && handed.settled == single)

        let other = PoolSettings(name: "t", listen: [], nodes: Array(pool.nodes.suffix(1)))
        let shared = SettingsChange(
            from: Settings(pools: running.pools + [other]), to: Settings(pools: [single, other]))
        #expect(shared.pools[0] == single && shared.unmoved == ["s": "some of its nodes are another pool's too"])
        single.distribution = .random
        let homeless = SettingsChange(from: running, to: Settings(pools: [single]))
        #expect(homeless.pools[0] == single && homeless.unmoved.isEmpty, "as ever")
    }

    private static let refused: [(change: @Sendable (inout Settings) -> Void, what: String)] = [
        ({ $0.workers = 2 }, "workers"),
        ({ $0.admin = .tcp(host: "h", port: 1) }, "admin"),
        ({ $0.pools.removeLast() }, "pool q is gone"),
        ({ $0.pools.append(PoolSettings(name: "r", listen: [], nodes: [])) }, "pool r is new"),
        ({ $0.pools[0].listen = [] }, "pool p: listen"),
        ({ $0.pools[0].limits.clients = 1 }, "pool p: limits.clients"),
        ({ $0.pools[0].limits.memory = 1 }, "pool p: limits.memory"),
        ({ $0.pools[0].replicas = 1 }, "pool p: from one copy"),
        ({ $0.pools[1].replicas = 2 }, "pool q: from one copy"),
    ]

    @Test(arguments: refused.indices) func whatNeedsARestartIsRefusedAsAWhole(_ index: Int) {
        let (wanted, what) = Self.refused[index]
        let found = change {
            wanted(&$0)
            if !$0.pools.isEmpty { $0.pools[0].timeout = 1 }
        }
        #expect(found.refusals.count == 1 && found.refusals[0].hasPrefix(what), "\(found.refusals)")
        #expect(found.changed.isEmpty && found.pools[0].timeout == pool.timeout)
    }
}
