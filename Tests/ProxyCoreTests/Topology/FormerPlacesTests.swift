import Distribution
import DroverTesting
import Testing

@testable import ProxyCore

/// Where keys are read that move, as a proxy finds it on the nodes that is started meanwhile.
struct FormerPlacesTests {
    private func pool(_ names: [String], standby: [String] = []) -> PoolSettings {
        func node(_ name: String) -> NodeSettings {
            NodeSettings(address: .tcp(host: "10.0.0.1", port: 11211), weight: 2, name: name, zone: "a b")
        }
        var pool = PoolSettings(name: "main", listen: [], nodes: names.map(node))
        (pool.replicas, pool.standby) = (2, standby.map(node))
        return pool
    }

    private func moving(_ before: PoolSettings, _ after: PoolSettings) throws -> PoolSettings {
        try after.moving(from: before).get()
    }

    @Test func textsAreAsDocumented() throws {
        var before = pool(["alpha", "ünd"])
        before.nodes[1] = NodeSettings(address: .unix(path: "/run/b.sock"))
        let settings = try moving(before, pool(["alpha", "c"]))
        let former = try #require(FormerPlaces(of: settings))
        let token = MarkerText.token(settings.placesToken)
        let lines = " ketama 2 2\n2 11211 10.0.0.1 alpha a%20b\n1 0 %2Frun%2Fb.sock  \n"
        #expect(former.text == token + Array(lines.utf8))
        #expect(FormerPlaces.leads(former.text, to: settings.placesToken))
        #expect(FormerPlaces(text: former.text) == former)
    }

    @Test func whoIsStartedGoesOnWhereOthersAre() throws {
        let (before, after) = (pool(["a", "b"], standby: ["s"]), pool(["b", "c", "d"]))
        let settings = try moving(before, after)
        let former = try #require(FormerPlaces(of: settings).flatMap { FormerPlaces(text: $0.text) })
        #expect(try after.resuming(from: former, hasMoved: false).get() == settings)
        #expect(try after.resuming(from: former, hasMoved: true).get() == settings.handedOver)
        #expect(settings.handedOver.flatMap { FormerPlaces(of: $0) } == nil && FormerPlaces(of: after) == nil)
        // Another proxy reaches b by another way.
        var other = after
        other.nodes[0].address = .unix(path: "/b")
        let resumed = try other.resuming(from: former, hasMoved: false).get()
        #expect(resumed.moving?.before.nodes.map(\.address) == [before.nodes[0].address, .unix(path: "/b")])
        #expect(resumed.placesToken == settings.placesToken)
        let wide = pool((0..<9).map { "n\($0)" })
        var most = wide
        most.replicas = 7
        #expect(throws: PoolSettings.Refusal.self) { try most.resuming(from: former, hasMoved: false).get() }
    }

    @Test func aLongListIsNotKept() throws {
        let many = pool((0..<1000).map { "node-with-a-long-name-\($0)" })
        #expect(FormerPlaces(of: try moving(many, pool(["a", "b"]))) == nil)
    }

    /// Whatever stands there: it is what a proxy would have written, to the byte, or it is nothing.
    @Test func hostileTextsAreNothing() throws {
        var generator = SeededGenerator.fromEnvironment()
        let text = try #require(FormerPlaces(of: try moving(pool(["a", "b"], standby: ["s"]), pool(["c", "d"])))).text
        var read = 0
        for _ in 0..<20_000 {
            var bytes = text
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = generator.pick(bytes.indices)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: bytes.remove(at: place)
                case 1: bytes.insert(generator.pick(Array("0 +%\na".utf8)), at: place)
                default: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                }
            }
            guard let former = FormerPlaces(text: bytes) else { continue }
            read += 1
            #expect(former.text == bytes)
        }
        #expect(read > 0)
        #expect(FormerPlaces(text: []) == nil && FormerPlaces(text: Array("1 0123456789abcdef".utf8)) == nil)
    }

    private func markers(_ formers: [[UInt8]?], ready: [Bool], asked: UInt64 = 1) -> PoolMarkers {
        var markers = PoolMarkers(nodes: formers.count, poll: 1_000_000_000, timeout: 1)
        for node in formers.indices {
            var reading = MarkerReading(
                ready: ready[node] ? Token(7) : nil, filling: nil, standings: formers.map { _ in nil }, cas: 1)
            reading.former = formers[node]
            markers.read(node, reading, asked: asked, now: asked)
        }
        return markers
    }

    /// A node that was away when the others let go of it still has it.
    @Test func allThatCountHaveToSaySo() throws {
        let settings = try moving(pool(["a", "b"]), pool(["b", "c"]))
        let (text, token) = (try #require(FormerPlaces(of: settings)?.text), settings.placesToken)
        #expect(markers([text, text], ready: [true, true]).former(to: token)?.text == text)
        #expect(markers([text, nil], ready: [true, true]).former(to: token) == nil)
        #expect(markers([nil, text], ready: [true, true]).former(to: token) == nil)
        #expect(markers([nil, text], ready: [false, true]).former(to: token)?.text == text)
        #expect(markers([text, nil], ready: [false, true]).former(to: token) == nil)
        #expect(markers([text, text], ready: [true, true]).former(to: Token(1)!) == nil)
        #expect(markers([text, text], ready: [false, false]).former(to: token)?.text == text)
        #expect(markers([text, nil], ready: [false, false]).former(to: token) == nil)
        #expect(markers([nil, nil], ready: [false, false]).former(to: token) == nil)
    }

    /// Else a proxy that turns back to where it reads keys already reads them at the old places again, which get nothing
    /// more.
    @Test func whereOthersReadAlreadyNothingComesFromElsewhere() throws {
        let settings = try moving(pool(["a", "b"]), pool(["b", "c"]))
        let (text, token) = (try #require(FormerPlaces(of: settings)?.text), settings.placesToken)
        var markers = markers([text, text], ready: [true, true])
        #expect(markers.origin(ofKeysTo: token)?.text == text)
        var reading = MarkerReading(ready: Token(7), filling: nil, standings: [nil, nil], cas: 1)
        (reading.former, reading.moved) = (text, token)
        markers.read(1, reading, asked: 2, now: 2)
        #expect(markers.origin(ofKeysTo: token) == nil)
        #expect(markers.former(to: token)?.text == text, "who starts goes on from there")
    }

    @Test func itIsSeenWhetherKeysGoElsewhere() {
        let own = Token(1)!
        var markers = markers([nil, nil], ready: [true, true])
        #expect(!markers.isMoving(besides: own) && !markers.hasMoved(besides: own))
        for other in [own, Token(2)!] {
            var reading = MarkerReading(ready: Token(7), filling: nil, standings: [nil, nil], cas: 1)
            reading.moving = other
            markers.read(0, reading, asked: 2, now: 2)
            #expect(markers.isMoving(besides: own) == (other != own) && !markers.hasMoved(besides: own))
            (reading.moving, reading.moved) = (nil, other)
            markers.read(0, reading, asked: 2, now: 2)
            #expect(!markers.isMoving(besides: own) && markers.hasMoved(besides: own) == (other != own))
        }
    }
}
