import DroverTesting
import Testing

@testable import ProxyCore

/// A worker while the keys of a node are brought home.
struct HomesTests {
    private let world: World
    private let client: UInt32
    private let home: Int

    init() {
        world = World(nodes: 3)
        client = world.connect()
        home = world.copies(of: "k")[0]
        _ = world.ask("set k 0 0 2\r\nv1\r\n", from: client)
    }

    private func put(_ access: NodeAccess, _ keys: KeyPlace, isHoming: Bool = true) {
        let home = home
        world.engine.adopt(
            world.engine.topology.with {
                $0 == home
                    ? NodeVerdict(access, keys: keys, isHoming: isHoming)
                    : NodeVerdict(.full, keys: .own, isHoming: isHoming)
            })
    }

    /// What each node has under the key, the key's own first.
    private var values: [String?] {
        let nodes = [home] + (0..<3).filter { $0 != home }
        return nodes.map { node in world.nodes[node].items["k"].map { String(decoding: $0.data, as: UTF8.self) } }
    }

    private func ask(_ text: String) -> String { world.ask(text, from: client) }

    @Test func fromOutageToHome() {
        put(.none, .away, isHoming: false)
        #expect(ask("get k\r\nset k 0 0 1\r\n2\r\nget k\r\n") == "END\r\nSTORED\r\nVALUE k 0 1\r\n2\r\nEND\r\n")
        #expect(values[0] == "v1" && values.compactMap(\.self).sorted() == ["2", "v1"])

        put(.syncing, .joining)
        #expect(ask("get k\r\n") == "VALUE k 0 1\r\n2\r\nEND\r\n")
        #expect(ask("incr k 1\r\nget k\r\n") == "3\r\nVALUE k 0 1\r\n3\r\nEND\r\n")
        #expect(values[0] == nil, "a count on what is not known")
        #expect(ask("set k 0 0 1\r\n4\r\n") == "STORED\r\n")
        #expect(values.compactMap(\.self) == ["4", "4"])

        put(.full, .joining)
        #expect(ask("incr k 1\r\nget k\r\n") == "5\r\nVALUE k 0 1\r\n5\r\nEND\r\n")
        #expect(values.compactMap(\.self) == ["5", "5"])
        put(.full, .leading)
        #expect(ask("incr k 1\r\nget k\r\n") == "6\r\nVALUE k 0 1\r\n6\r\nEND\r\n")
        put(.full, .own, isHoming: false)
        #expect(ask("incr k 1\r\nget k\r\n") == "7\r\nVALUE k 0 1\r\n7\r\nEND\r\n")
        #expect(values[0] == "7" && values.compactMap(\.self).sorted() == ["6", "7"])
        world.expectRest()
    }

    @Test func aWriteThatTheNodeMissesIsTold() {
        put(.none, .away, isHoming: false)
        _ = ask("set k 0 0 1\r\n2\r\n")
        put(.syncing, .joining)
        world.answersMisses = false
        world.nodes[home].isFrozen = true
        world.send("set k 0 0 1\r\n3\r\n", from: client)
        world.run()
        world.breakLinks(to: home, landing: false)
        world.nodes[home].isFrozen = false
        world.run()
        #expect(world.misses.map { Int($0.node) } == [home] && world.take(client) == "")
        world.publish()
        #expect(ask("get k\r\n") == "STORED\r\nVALUE k 0 1\r\n3\r\nEND\r\n")
        world.expectRest()
    }

    /// Whoever brings keys home waits for what is under way, not for clients.
    @Test(arguments: [false, true])
    func aBlockThatComesTooLateIsRefused(isLarge: Bool) {
        let size = isLarge ? 300_000 : 100
        put(.none, .away, isHoming: false)
        world.now += 10_000_000_000
        world.send("set k 0 0 \(size)\r\nabc", from: client)
        world.run()
        put(.syncing, .joining)
        world.now += 1_000_000_000
        world.run()
        let rest = String(repeating: "x", count: size - 3)
        #expect(ask("\(rest)\r\nget k\r\n") == "SERVER_ERROR node is down\r\nEND\r\n")
        #expect(values.dropFirst().allSatisfy { $0 == nil })

        world.send("set k 0 0 5\r\nab", from: client)
        world.run()
        put(.full, .joining)
        #expect(ask("cde\r\nget k\r\n") == "STORED\r\nVALUE k 0 5\r\nabcde\r\nEND\r\n", "in time")
        world.expectRest()
    }

    @Test func aCASNumberIsOfTheNodeThatGaveIt() {
        put(.full, .leading)
        let shown = ask("gets k\r\n").split(separator: " ")[4].prefix { $0.isNumber }
        #expect(ask("cas k 0 0 1 \(shown)\r\n2\r\n") == "STORED\r\n")
        let last = ask("gets k\r\n").split(separator: " ")[4].prefix { $0.isNumber }
        put(.full, .own, isHoming: false)
        #expect(ask("cas k 0 0 1 \(last)\r\n3\r\n") == "EXISTS\r\n")
    }
}
