import Telemetry
import Testing

@Suite struct LineRateTests {
    @Test func whatIsHeldBackIsToldLater() {
        var rate = LineRate()
        let start: UInt64 = 5
        #expect(rate.admit(kind: 1, 3, now: start) == 3)
        #expect(rate.admit(kind: 2, 1, now: start) == 1, "another kind")
        #expect(rate.admit(kind: 1, 4, now: start + 1) == nil)
        #expect(rate.admit(kind: 1, 5, now: start + LineRate.pause - 1) == nil)
        #expect(rate.admit(kind: 1, 6, now: start + LineRate.pause) == 4 + 5 + 6)
        #expect(rate.admit(kind: 1, 7, now: start + LineRate.pause + 1) == nil)
        #expect(rate.admit(kind: 1, 8, now: start + 5 * LineRate.pause) == 15)
        #expect(rate.admit(kind: 1, 9, now: start + 6 * LineRate.pause) == 9)
    }
}
