import Testing

@testable import ProxyCore

/// What holds a move of single copies back for a while, and what a proxy takes back of what it has said.
struct TurningMovesTests {
    /// After an objection, or a write that was missed, some time has to pass, of which whoever reads it last is sure.
    @Test func itIsCalmSomeTimeAfterTheLastObjectionOrMissedWrite() {
        var readings = MoveReadings(nodes: 2, calm: 100)
        func read(_ node: Int, _ missed: UInt64?, objection: Bool = false, at now: UInt64) {
            let reading = MoveReading(
                moving: nil, moved: nil, hasObjection: objection, missed: missed.flatMap { Token($0) })
            readings.read(node, reading, now: now)
        }
        read(0, nil, at: 1000)
        read(1, nil, at: 1000)
        #expect(!readings.isOpposed(now: 1000))
        read(1, nil, objection: true, at: 1010)
        #expect(readings.isOpposed(now: 5000), "it stands")
        read(1, nil, at: 5010)
        #expect(!readings.hasObjection && readings.isOpposed(now: 1109) && !readings.isOpposed(now: 1110))
        read(0, 7, at: 6000)
        #expect(readings.isOpposed(now: 6099) && !readings.isOpposed(now: 6100))
        read(0, 7, at: 6100)
        #expect(!readings.isOpposed(now: 6100), "it was known")
        // What another proxy has missed while the node was not heard is found, however late.
        readings.lost(0)
        #expect(readings.missed == [Token(7), nil])
        read(0, 8, at: 7000)
        #expect(readings.isOpposed(now: 7050) && readings.missed == [Token(8), nil])
        // So is one that was told on a node that has lost what was told before.
        read(0, nil, at: 8000)
        #expect(readings.isOpposed(now: 8050))
    }

    private func pool(_ ports: ClosedRange<UInt16>) -> PoolSettings {
        PoolSettings(name: "p", listen: [], nodes: ports.map { NodeSettings(address: .tcp(host: "h", port: $0)) })
    }

    @Test func whatIsNoLongerSoIsTakenBackAndNothingElse() throws {
        let (before, after, other) = (pool(1...3), pool(1...4), pool(1...5))
        let moving = try before.next(towards: after).get()
        let handed = try #require(moving.handedOver)
        let elsewhere = try moving.next(towards: other).get()
        var said = SaidItems()
        said.note(.moving, 5, on: "a")
        said.note(.objection, 6, on: "a")
        said.note(.moving, 7, on: "a")
        said.note(.moving, 8, on: "b")
        said.note(.moved, 9, on: "b")
        said.note(.missed, 9, on: "c")
        // Where no CAS numbers are kept nothing can be told from what others say.
        said.note(.moving, 0, on: "c")

        func outdated(_ old: PoolSettings, _ new: PoolSettings) -> (all: Set<String>, kept: SaidItems) {
            var (kept, outdated) = said.next(from: old, to: new)
            let names = ["a", "b", "c"].flatMap { name in
                outdated.take(name).map { "\(name) \($0.0) \($0.cas)" }
            }
            #expect(!outdated.contains("a") && !outdated.contains("b"))
            return (Set(names), kept)
        }
        let back = outdated(moving, before)
        #expect(back.all == ["a moving 7", "b moving 8"])
        var left = back.kept
        let objections = left.take("a")
        #expect(objections.count == 1 && objections[0].0 == .objection && objections[0].cas == 6)
        #expect(outdated(before, moving).all == ["a objection 6"], "it begins to move keys")
        #expect(outdated(moving, elsewhere).all == ["a objection 6", "a moving 7", "b moving 8"])
        #expect(outdated(moving, handed).all.isEmpty, "others may still say that they move them")
        let returning = try handed.next(towards: before).get()
        #expect(outdated(moving, returning).all == ["a objection 6"], "others have moved reads, and some may not have")
        #expect(outdated(handed, after).all.isEmpty)
        #expect(outdated(before, other).all.isEmpty)
    }
}
