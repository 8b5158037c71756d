import Bytes
import Distribution
import DroverTesting
import Testing

@testable import ProxyCore

/// Where the copies of a key are while keys move to other nodes.
struct MovingKeysTests {
    private func node(_ name: String) -> NodeSettings {
        NodeSettings(address: .tcp(host: name, port: 11_211), name: name)
    }

    private func pool(_ names: [String], replicas: Int = 2, standby: [String] = []) -> PoolSettings {
        var pool = PoolSettings(name: "p", listen: [], nodes: names.map(node))
        (pool.replicas, pool.standby) = (replicas, standby.map(node))
        return pool
    }

    private func union(_ before: PoolSettings, _ after: PoolSettings) throws -> Pool {
        let moving = try after.moving(from: before).get()
        return Pool(moving, firstNode: 10, isUp: moving.allNodes.map { _ in true })
    }

    private func owners(_ lookup: KeyLookup, _ pool: PoolSettings, _ key: [UInt8]) -> [String] {
        lookup.copies(of: key).map { pool.allNodes[$0].label }
    }

    private static let changes:
        [(before: [String], after: [String], replicas: (Int, Int), standby: ([String], [String]))] = [
            (["a", "b", "c"], ["a", "b", "c", "d"], (2, 2), ([], [])),
            (["a", "b", "c", "d"], ["b", "c", "d"], (2, 2), ([], [])),
            (["a", "b", "c"], ["d", "e", "f"], (2, 2), ([], [])),
            (["a", "b", "c"], ["a", "b", "c"], (2, 3), ([], [])),
            (["a", "b", "c", "d"], ["d", "a", "x"], (3, 2), ([], [])),
            (["a", "b"], ["a", "b", "c"], (1, 2), (["s"], ["s", "t"])),
            (["a", "b", "c"], ["a", "b"], (3, 2), ([], ["c"])),
        ]

    @Test(arguments: changes.indices, [DistributionKind.ketama, .modula, .jump, .rendezvous, .maglev])
    func everyOldAndEveryNewOwnerHasOneCopyAndTheOldAreFirst(_ index: Int, _ kind: DistributionKind) throws {
        let change = Self.changes[index]
        var before = pool(change.before, replicas: change.replicas.0, standby: change.standby.0)
        var after = pool(change.after, replicas: change.replicas.1, standby: change.standby.1)
        (before.distribution, after.distribution) = (kind, kind)
        let both = try union(before, after)
        let (old, new) = (KeyLookup(before), KeyLookup(after))
        for number in 0..<400 {
            let key = Array("key \(number * 7919)".utf8)
            let copies = unsafe both.copies(of: both.hashed(.init(offset: 0, length: key.count), in: key.span.bytes))
            let labels = copies.indices.map { both.settings.allNodes[Int(copies[$0]) - 10].label }
            let (held, owned) = (owners(old, before, key), owners(new, after, key))
            #expect(Array(labels.prefix(held.count)) == held, "where it was, in the order in which it is read")
            #expect(labels.count == Set(labels).count, "no server twice: \(labels)")
            #expect(Set(labels) == Set(held).union(owned))
            for index in copies.indices {
                let isTarget = Int(copies[index]) >= both.servers.upperBound
                let stays = before.allNodes.contains { $0.label == labels[index] }
                #expect(isTarget == (index >= held.count && stays), "a copy of its own on a server that has others")
                #expect(both.settings.allNodes[both.server(of: Int(copies[index])) - 10].label == labels[index])
            }
        }
    }

    @Test func settingsBeforeAndAfterAreWhatTheyWere() throws {
        let (before, after) = (pool(["a", "b", "c"]), pool(["b", "c", "d"]))
        let moving = try after.moving(from: before).get()
        #expect(moving.standing == before && moving.settled == after && moving.hasCopies)
        #expect(moving.servers.map(\.label) == ["a", "b", "c", "d"])
        #expect(moving.allNodes.map(\.label) == ["a", "b", "c", "d", "b", "c"])
    }

    @Test func whoIsOnTheWayMayTurnElsewhereOrBack() throws {
        let (before, after) = (pool(["a", "b", "c"]), pool(["a", "b", "c", "d"]))
        let moving = try after.moving(from: before).get()
        let elsewhere = try pool(["a", "b", "e"]).next(towards: after).get()
        #expect(elsewhere.standing.nodes.map(\.label) == ["a", "b", "e"])
        let other = try moving.next(towards: pool(["a", "b", "e"])).get()
        #expect(other.standing == before && other.settled.nodes.map(\.label) == ["a", "b", "e"])
        let back = try moving.next(towards: before).get()
        #expect(back == before, "nothing has to move to be where it is")
    }

    @Test func handedOverTheyAreReadWhereTheyAreToBe() throws {
        let (before, after) = (pool(["a", "b", "c"]), pool(["b", "c", "d"]))
        let moving = try after.moving(from: before).get()
        let handed = try #require(moving.handedOver)
        #expect(handed.standing == after && handed.settled == after && handed.handedOver == handed)
        #expect(handed.placesToken == moving.placesToken && moving.placesToken == after.placesToken)
        #expect(before.placesToken != after.placesToken)
        var patient = after
        patient.timeout *= 2
        let changed = try handed.next(towards: patient).get()
        #expect(changed.moving == handed.moving && changed.timeout == patient.timeout && changed.standing == patient)
        let turned = try handed.next(towards: before).get()
        #expect(turned.standing == after && turned.settled == before)
    }

    @Test func whatCannotMoveIsRefused() {
        let before = pool(["a", "b", "c", "d", "e"], replicas: 5)
        #expect(throws: PoolSettings.Refusal.self) {
            try pool(["b", "c", "d", "e"], replicas: 4).moving(from: before).get()
        }
        var hashed = pool(["a", "b"])
        hashed.hash = .md5
        #expect(throws: PoolSettings.Refusal.self) { try hashed.moving(from: pool(["a", "b", "c"])).get() }
        var moved = pool(["a", "b", "c"])
        moved.nodes[0].address = .unix(path: "/a")
        #expect(throws: PoolSettings.Refusal.self) { try moved.moving(from: pool(["a", "b"])).get() }
    }

    /// Another proxy may read them there already, and goes by the same marker.
    @Test func aServerThatIsFilledGetsWhatComesToItToo() throws {
        let (before, after) = (pool(["a", "b", "c"]), pool(["b", "c", "d"]))
        let moving = try after.moving(from: before).get()
        let rows = Topology([moving]).pools[0]
        let (old, new) = (KeyLookup(before), KeyLookup(after))
        var gained = 0
        for number in 0..<400 {
            let key = Array("key \(number * 7919)".utf8)
            let (held, owned) = (owners(old, before, key), owners(new, after, key))
            for place in moving.servers.indices {
                let name = moving.servers[place].label
                let sources = CopySources(
                    of: rows, target: place, isFull: rows.nodes.indices.map { $0 != place && $0 < rows.servers.count })
                let source = unsafe sources.source(of: key.span.bytes)
                #expect((source != .none) == (held.contains(name) || owned.contains(name)), "\(name): \(held) \(owned)")
                if !held.contains(name), owned.contains(name) { gained += 1 }
            }
        }
        #expect(gained > 0)
    }

    @Test func theWayBackNamesWhatIsLeftBehind() throws {
        let (before, after) = (pool(["a", "b", "c", "d"]), pool(["b", "c", "d"]))
        let moving = try after.moving(from: before).get()
        let left = try #require(LeftBehind(after: moving))
        let handedOver = try #require(moving.handedOver)
        let handed = try #require(LeftBehind(after: handedOver))
        #expect(handed.pool.settings == left.pool.settings && handed.places == left.places)
        let names = left.pool.settings.allNodes.map(\.label)
        #expect(
            left.targets.map { names[$0] } == ["b", "c", "d"] && left.targets.map { left.places[$0] } == [0, 1, 2])
        let (old, new) = (KeyLookup(before), KeyLookup(after))
        for number in 0..<400 {
            let key = Array("key \(number * 7919)".utf8)
            let (held, owned) = (owners(old, before, key), owners(new, after, key))
            for target in left.targets {
                let sources = CopySources(
                    of: left.pool, target: target,
                    isFull: names.indices.map { $0 < left.pool.servers.count && left.places[$0] != nil })
                let isLeft = held.contains(names[target]) && !owned.contains(names[target])
                let source = unsafe sources.source(of: key.span.bytes)
                #expect((source != .none) == isLeft, "\(names[target]): \(held) \(owned)")
            }
        }
    }
}
