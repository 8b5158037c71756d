import Bytes
import Telemetry
import Testing

@testable import ProxyCore

/// What a worker tells operators.
@Suite struct NoticeTests {
    @Test func keysGivenUpAreToldOfOnceASecondAtMost() {
        let world = World(.twoOfThree, acks: .all, seed: 1)
        let engine = world.engine
        func told() -> [PoolNotice.Kind: UInt64] {
            _ = engine.tick()
            var told: [PoolNotice.Kind: UInt64] = [:]
            while let wish = engine.work.wishes.pop() {
                guard case .notice(let notice) = wish else { continue }
                #expect(notice.pool == 0 && told[notice.kind] == nil)
                told[notice.kind] = notice.count
            }
            return told
        }
        engine.beginTurn(at: 1_000_000_000)
        #expect(told() == [:])
        engine.poolStats.update(0) {
            for _ in 0..<3 { $0.repairs.dropped.count(.overlap) }
            $0.repairs.dropped.count(.copyFailed)
        }
        #expect(told() == [.repairsDropped: 4])
        engine.poolStats[0].repairs.dropped.count(.disagree)
        engine.poolStats[0].repairs.abandoned += 2
        engine.beginTurn(at: 1_999_999_999)
        #expect(told() == [:])
        engine.beginTurn(at: 2_000_000_000)
        #expect(told() == [.repairsDropped: 1, .repairsAbandoned: 2])
        engine.beginTurn(at: 9_000_000_000)
        #expect(told() == [:])
    }
}
