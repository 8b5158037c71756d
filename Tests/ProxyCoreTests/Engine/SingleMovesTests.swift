import Bytes
import Distribution
import DroverTesting
import Testing

@testable import ProxyCore

/// A worker while the only copies of keys are on their way to other nodes.
struct SingleMovesTests {
    private static let keys = (0..<60).map { "k\($0 * 7919)" }
    private let world: World
    private let client: UInt32
    /// Of a key that moves.
    private let key: String

    /// From three nodes to four.
    init() throws {
        try self.init(whenDown: .rehash)
    }

    private init(whenDown: PoolSettings.WhenDown) throws {
        world = World(nodes: 3, change: { $0.whenDown = whenDown })
        client = world.connect()
        for key in Self.keys { _ = world.ask("set \(key) 0 0 2\r\nv1\r\n", from: client) }
        let before = world.settings
        var after = before
        after.nodes.append(World.node(3))
        world.nodes.append(FakeNode())
        let lookup = KeyLookup(after)
        key = try #require(Self.keys.first { lookup.copies(of: Array($0.utf8)) == [3] })
        let moving = try before.next(towards: after).get()
        world.reload { $0 = moving }
        world.run()
        put(isUp: { _ in true })
    }

    private var pool: Pool { world.engine.owned[0] }

    /// As the control thread judges nodes while single copies move.
    private func put(hasMoved: Bool = false, isUp: (Int) -> Bool) {
        let (pool, leading) = (pool, pool.settings.moving?.freshServers.lowerBound ?? 0)
        world.engine.adopt(
            world.engine.topology.with { number in
                let place = number - pool.firstNode
                guard pool.nodes.contains(number) else { return NodeVerdict(.none) }
                let isLeading = place < leading
                let isUp = isUp(world.server(pool.server(of: number)))
                var verdict = NodeVerdict(!isUp ? .none : isLeading ? .full : .syncing)
                (verdict.follows, verdict.hasContents) = (!isLeading, isLeading)
                verdict.isCovered = isLeading || hasMoved
                return verdict
            })
    }

    private func ask(_ text: String) -> String { world.ask(text, from: client) }

    /// Where the key is, and where it is to be.
    private var places: [Int] {
        let bytes = Array(key.utf8)
        let copies = unsafe pool.copies(
            of: pool.hashed(ByteRange(offset: 0, length: bytes.count), in: bytes.span.bytes))
        return copies.indices.map { world.server(Int(copies[$0])) }
    }

    private var values: [String?] {
        places.map { place in world.nodes[place].items[key].map { String(decoding: $0.data, as: UTF8.self) } }
    }

    @Test func whatIsThereIsReadAndWhatIsWrittenGoesToBoth() {
        #expect(places.count == 2 && places[1] == 3 && values == ["v1", nil])
        #expect(ask("get \(key)\r\n") == "VALUE \(key) 0 2\r\nv1\r\nEND\r\n")
        #expect(ask("set \(key) 0 0 2\r\nv2\r\n") == "STORED\r\n" && values == ["v2", "v2"])
        #expect(ask("append \(key) 0 0 1\r\n!\r\n") == "STORED\r\n")
        #expect(values == ["v2!", "v2!"], "it has lost it, and got it back")
        #expect(ask("delete \(key)\r\n") == "DELETED\r\n" && values == [nil, nil])
        #expect(ask("get \(key)\r\nadd \(key) 0 0 1\r\n1\r\nincr \(key) 1\r\n") == "END\r\nSTORED\r\n2\r\n")
        #expect(values == ["2", "2"])
        world.expectRest()
    }

    /// From an earlier life of the node.
    @Test func whatIsLeftWhereItIsToBeIsNeverRead() {
        world.nodes[3].items[key] = FakeNode.Item(flags: "0", data: Array("old".utf8))
        #expect(ask("delete \(key)\r\n") == "DELETED\r\n" && values == [nil, nil])
        world.nodes[3].items[key] = FakeNode.Item(flags: "0", data: Array("old".utf8))
        #expect(ask("get \(key)\r\n") == "END\r\n")
        #expect(ask("get \(key) nobody\r\n") == "END\r\n")
        #expect(ask("incr \(key) 1\r\n") == "NOT_FOUND\r\n")
        #expect(ask("mg \(key) v\r\n") == "EN\r\n")
    }

    /// It is not the other's to answer for it: what it has may lack something.
    @Test(arguments: PoolSettings.WhenDown.allCases)
    func whereItIsReadDecidesOrNobodyDoes(whenDown: PoolSettings.WhenDown) throws {
        let test = try SingleMovesTests(whenDown: whenDown)
        #expect(test.ask("set \(test.key) 0 0 2\r\nv2\r\n") == "STORED\r\n")
        let source = test.places[0]
        test.put { $0 != source }
        let refused = "SERVER_ERROR node is down\r\n"
        #expect(test.ask("get \(test.key)\r\n") == (whenDown == .miss ? "END\r\n" : refused))
        #expect(test.ask("get \(test.key) nobody\r\n") == "END\r\n")
        for command in [
            "set \(test.key) 0 0 1\r\nx\r\n", "delete \(test.key)\r\n", "append \(test.key) 0 0 1\r\nx\r\n",
            "incr \(test.key) 1\r\n", "gat 9 \(test.key)\r\n",
        ] {
            #expect(test.ask(command) == refused, "\(command)")
        }
        #expect(test.values == ["v2", "v2"])
        test.put { _ in true }
        #expect(test.ask("get \(test.key)\r\n") == "VALUE \(test.key) 0 2\r\nv2\r\nEND\r\n")
        test.world.expectRest()
    }

    @Test func whatIsMissedWhereItIsToBeIsToldBeforeItIsAcknowledged() {
        world.answersMisses = false
        put { $0 != 3 }
        #expect(ask("set \(key) 0 0 2\r\nv2\r\n") == "", "the others have to know")
        #expect(world.misses.count == 1)
        world.publish()
        world.run()
        #expect(world.take(client) == "STORED\r\n" && values == ["v2", nil])
        #expect(ask("set \(key) 0 0 2\r\nv3\r\n") == "")
        world.publish(isKept: false)
        world.run()
        #expect(world.take(client) == "SERVER_ERROR write not secured\r\n")
    }

    /// A client that asks for one, and one that compares.
    @Test func numbersNameTheirNodesFromThenOn() throws {
        let number = ask("gets \(key)\r\n").split(separator: " ")[4].prefix { $0.isNumber }
        #expect(try #require(UInt64(number)) >> 52 != 0)
        #expect(ask("cas \(key) 0 0 1 1\r\nx\r\n") == "EXISTS\r\n")
        #expect(ask("cas \(key) 0 0 1 \(number)\r\nx\r\n") == "STORED\r\n")
        let settled = world.settings.settled
        world.reload { $0 = settled }
        world.run()
        world.engine.adopt(world.engine.topology.with(isUp: { _ in true }))
        #expect(world.settings.moving == nil && !world.engine.hasCopies(pool: 0))
        #expect(ask("set \(key) 0 0 2\r\nv2\r\nget \(key)\r\n") == "STORED\r\nVALUE \(key) 0 2\r\nv2\r\nEND\r\n")
        #expect(ask("cas \(key) 0 0 1 \(number)\r\nx\r\n") == "EXISTS\r\n", "it was another node's")
        let later = ask("gets \(key) nobody\r\n").split(separator: " ")[4].prefix { $0.isNumber }
        let plain = try #require(UInt64(later)) & (1 << 52 - 1)
        #expect(ask("cas \(key) 0 0 1 \(plain)\r\nx\r\n") == "EXISTS\r\n")
        #expect(ask("ms \(key) 1 C\(plain)\r\nx\r\n") == "EX\r\n")
        #expect(ask("mg \(key) c\r\n") == "HD c\(later)\r\n")
        #expect(ask("cas \(key) 0 0 1 \(later)\r\nx\r\n") == "STORED\r\n")
        world.expectRest()
    }
}
