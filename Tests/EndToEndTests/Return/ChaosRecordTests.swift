import Testing

/// The judge of the chaos test, so that what it lets pass is known.
struct ChaosRecordTests {
    private static let second: UInt64 = 1_000_000_000

    /// Set to 1 at 1 s, to 2 at 3 s, deleted at 5 s, each within a millisecond, by proxy 0.
    private func record() -> KeyRecord {
        var record = KeyRecord()
        for (value, time) in [(1, 1), (2, 3), (nil, 5)] as [(Int?, UInt64)] {
            record.begin(value, proxy: 0, at: time * Self.second)
            record.end(.acknowledged, at: time * Self.second + 1_000_000)
        }
        return record
    }

    private func complaint(
        _ record: KeyRecord, _ value: Int?, proxy: Int = 0, at seconds: Double
    ) -> String? {
        let time = UInt64(seconds * 1e9)
        return record.complaint(value, proxy: proxy, from: time, to: time + 1_000_000) { $0 == $1 ? 0 : Self.second }
    }

    @Test func whatIsNewestMayBeRead() {
        #expect(complaint(record(), nil, at: 0.5) == nil)
        #expect(complaint(record(), 1, at: 2) == nil)
        #expect(complaint(record(), 2, at: 4) == nil)
        #expect(complaint(record(), nil, at: 6) == nil)
    }

    @Test func aReadDuringAWriteMayShowEither() {
        #expect(complaint(record(), 1, at: 3.0005) == nil)
        #expect(complaint(record(), 2, at: 2.9999) == nil)
    }

    @Test func whatIsOlderMayNot() {
        #expect(complaint(record(), 1, at: 4)?.hasPrefix("P2") == true)
        #expect(complaint(record(), 1, at: 6)?.hasPrefix("P3") == true)
        #expect(complaint(record(), 2, at: 6)?.hasPrefix("P3") == true)
    }

    @Test func throughAnotherProxyItMayForAWhile() {
        #expect(complaint(record(), 1, proxy: 1, at: 3.9) == nil)
        #expect(complaint(record(), 1, proxy: 1, at: 4.1) != nil)
    }

    @Test func whatIsLostIsMissed() {
        var record = record()
        #expect(complaint(record, nil, at: 4)?.hasPrefix("P1") == true)
        record.lostBefore = 2 * Self.second
        #expect(complaint(record, nil, at: 2.5) == nil && complaint(record, nil, at: 4) != nil)
        record.mayMiss = true
        #expect(complaint(record, nil, at: 4) == nil)
    }

    @Test func nobodyWroteThat() {
        #expect(complaint(record(), 7, at: 4)?.hasPrefix("P4") == true)
        #expect(complaint(record(), 2, at: 1) != nil)
    }

    @Test func whoseOutcomeIsUnknownMayOrMayNotBeThere() {
        var record = record()
        record.begin(3, proxy: 0, at: 7 * Self.second)
        record.end(.unknown, at: 8 * Self.second)
        #expect(complaint(record, 3, at: 9) == nil && complaint(record, nil, at: 9) == nil)
        #expect(record.allowsAtTheEnd(3) && record.allowsAtTheEnd(nil) && !record.allowsAtTheEnd(2))
        record.begin(4, proxy: 0, at: 10 * Self.second)
        record.end(.acknowledged, at: 10 * Self.second)
        #expect(complaint(record, 3, at: 11) != nil && !record.allowsAtTheEnd(3) && record.allowsAtTheEnd(4))
    }
}
