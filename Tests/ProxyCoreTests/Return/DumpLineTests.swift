import Bytes
import DroverTesting
import MemcacheProtocol
import Testing

@testable import ProxyCore

/// What nodes of all versions print of their items, and what a hostile one might.
struct DumpLineTests {
    private func parse(_ text: String) -> (line: DumpLine, key: String) {
        let (line, key) = parse(Array(text.utf8))
        return (line, String(decoding: key, as: UTF8.self))
    }

    private func parse(_ bytes: [UInt8]) -> (DumpLine, [UInt8]) {
        var key = LineBuffer()
        let line = unsafe DumpLine.parse(bytes.span.bytes, key: &key)
        guard case .item = line else { return (line, []) }
        return (line, (0..<key.count).map { key.bytes.byte(at: $0) })
    }

    private func item(_ expiry: Int64, _ access: UInt64, _ cas: UInt64, _ size: UInt32) -> DumpedItem {
        var item = DumpedItem()
        (item.expiry, item.lastAccess, item.cas, item.size) = (expiry, access, cas, size)
        return item
    }

    @Test func itemsOfAllVersions() {
        let older = parse("key=T exp=1795225759 la=1795225659 cas=3 fetch=no cls=1 size=65\n")
        #expect(older.line == .item(item(1_795_225_759, 1_795_225_659, 3, 65)) && older.key == "T")
        let newer = parse("key=T exp=-1 la=1795225659 cas=3 fetch=no cls=1 size=65 flags=7 \n")
        #expect(newer.line == .item(item(-1, 1_795_225_659, 3, 65)) && newer.key == "T")
        let encoded = parse(
            "key=k%25eq%3D1%3B%E9%7f%22 exp=-1 la=0 cas=18446744073709551615 fetch=yes cls=1 size=64\r\n")
        #expect(encoded.line == .item(item(-1, 0, .max, 64)) && encoded.key.utf8.count == 12)
        #expect(parse(Array("key=%00%0a exp=-1 la=0 cas=0 fetch=no cls=1 size=0".utf8)).1 == [0, 10])
        let longest = String(repeating: "%FF", count: 250)
        #expect(parse(Array("key=\(longest) exp=-1 la=1 cas=1 size=9".utf8)).1 == Array(repeating: 255, count: 250))
    }

    @Test func whatIsNoItem() {
        #expect(parse("END\r\n").line == .end && parse("END").line == .end)
        #expect(parse("OK\r\n").line == .ok)
        #expect(parse("BUSY currently processing crawler request\r\n").line == .busy)
        #expect(parse("ERROR locked try again later\r\n").line == .busy)
        #expect(parse("CLIENT_ERROR lru crawler disabled\r\n").line == .disabled)
        #expect(parse("ERROR metadump not allowed\r\n").line == .notAllowed)
        let garbage = [
            "", "\r\n", "ERROR", "ENDX", "OKAY", "BADCLASS invalid class id", "key=", "key= exp=-1 la=1 cas=1 size=9",
            "key=a", "key=a exp=-1 la=1 cas=1", "key=a exp=-2 la=1 cas=1 size=9", "key=a exp=1 la=-1 cas=1 size=9",
            "key=a exp=-1 la=1 cas=18446744073709551616 size=9", "key=a exp=-1 la=1 cas=1 size=4294967296",
            "key=a exp=9223372036854775808 la=1 cas=1 size=9", "key=a exp=x la=1 cas=1 size=9", "KEY=a exp=-1",
            "key=%2 exp=-1 la=1 cas=1 size=9", "key=%zz exp=-1 la=1 cas=1 size=9", "key=a exp= la=1 cas=1 size=9",
            "key=\(String(repeating: "k", count: 251)) exp=-1 la=1 cas=1 size=9", "key=%", "key=a%4",
            "key=%41\(String(repeating: "k", count: 3000)) exp=-1 la=1 cas=1 size=9",
        ]
        for text in garbage { #expect(parse(text).line == .garbled, "\(text)") }
    }

    /// Every byte of a good line replaced by each of some others, every prefix of it, and noise: nothing traps, and a
    /// key that is told fits.
    @Test func noByteTraps() {
        let good = Array("key=k%25eq%E9 exp=1795225759 la=1795225659 cas=3 fetch=no cls=1 size=65 flags=7 ".utf8)
        for index in good.indices {
            _ = parse(Array(good[..<index]))
            for byte: UInt8 in [0, 10, 13, 32, 37, 45, 48, 57, 58, 61, 70, 71, 127, 255] {
                var line = good
                line[index] = byte
                let (found, key) = parse(line)
                if case .item = found { #expect((1...250).contains(key.count)) }
            }
        }
        var generator = SeededGenerator.fromEnvironment()
        for _ in 0..<20_000 {
            var line = good
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                line[Int.random(in: 0..<line.count, using: &generator)] = .random(in: 0...255, using: &generator)
            }
            let (found, key) = parse(line)
            if case .item = found { #expect((1...250).contains(key.count), "DROVER_SEED=\(generator.seed)") }
        }
    }

    @Test func recordsComeBack() {
        var bytes: [UInt8] = []
        let items = [item(-1, 0, 0, 0), item(1_795_225_759, 0, .max, .max), item(.max, 0, 1 << 40, 65)]
        for keepsItem in [true, false] {
            bytes.removeAll()
            for (index, item) in items.enumerated() {
                let key = [UInt8](repeating: UInt8(index), count: [1, 250, 17][index])
                unsafe SpillRecord.append(key.span.bytes, item, keepsItem: keepsItem, to: &bytes)
            }
            #expect(bytes.count <= items.count * SpillRecord.limit)
            var start = 0
            for (index, item) in items.enumerated() {
                guard let record = unsafe SpillRecord(bytes.span.bytes, at: start, keepsItem: keepsItem) else {
                    Issue.record("no record \(index)")
                    return
                }
                #expect(record.item.size == item.size && record.key.count == [1, 250, 17][index])
                if keepsItem { #expect(record.item == item) }
                #expect(bytes[record.key.start..<record.key.end].allSatisfy { $0 == UInt8(index) })
                start = record.end
            }
            #expect(start == bytes.count)
            for end in 0..<bytes.count {
                let part = Array(bytes[..<end])
                for start in stride(from: 0, to: end, by: 7) {
                    if let record = unsafe SpillRecord(part.span.bytes, at: start, keepsItem: keepsItem) {
                        #expect(record.end <= end && record.key.end <= end)
                    }
                }
            }
            #expect(unsafe SpillRecord(bytes.span.bytes, at: -1, keepsItem: keepsItem) == nil)
        }
    }

    @Test func theLastUsedComeFirst() {
        func recency(_ access: UInt64) -> Int { Recency.of(item(-1, access, 1, 1), now: 2_000_000_000) }
        #expect(recency(2_000_000_000) == 0 && recency(1_999_999_999) == 1)
        #expect(recency(1_999_999_998) == 2 && recency(1_999_999_997) == 2 && recency(1_999_999_996) == 3)
        #expect(recency(2_000_000_009) == 0, "a clock that is behind")
        #expect(recency(0) < Recency.count && Recency.of(item(-1, 0, 1, 1), now: .max) == Recency.count - 1)
        for access in stride(from: UInt64(0), to: 2_000_000_000, by: 99_999_989) {
            #expect(recency(access) >= recency(access + 1_000_000))
        }
    }

    @Test func whatIsToBeKnownOfANode() {
        func facts(_ lines: String...) -> NodeFacts {
            var facts = NodeFacts()
            for line in lines {
                let bytes = Array((line + "\r\n").utf8)
                unsafe facts.read(bytes.span.bytes)
            }
            return facts
        }
        let older = facts(
            "STAT time 1795225659", "STAT version 1.6.18", "STAT item_size_max 1048576", "STAT cas_enabled yes")
        #expect(older.unixTime == 1_795_225_659 && older.itemSizeMax == 1 << 20 && older.keepsCAS && !older.isTooOld)
        #expect(older.dump(servesReads: true) == .all && older.dump(servesReads: false) == .hash)
        #expect(facts("STAT version 1.6.19").dump(servesReads: true) == .hash)
        #expect(facts("STAT version 1.6.38-3_beta").version == ServerVersion(1, 6, 38))
        #expect(facts("STAT version 1.6.9").isTooOld && facts("STAT version x").isTooOld && facts().isTooOld)
        #expect(facts("STAT version 1.6").isTooOld && facts("STAT version 1.6.x").isTooOld)
        #expect(ServerVersion(1, 5, 22).lacksMetaSet && ServerVersion(1, 6, 9).lacksMetaSet)
        #expect(!ServerVersion(1, 6, 10).lacksMetaSet)
        #expect(!facts("STAT version 1.6.9999").isTooOld && !facts("STAT version 99999999999.0.0").isTooOld)
        #expect(!facts("STAT cas_enabled no").keepsCAS)
        #expect(facts("STAT time", "STAT time x", "STAT item_size_max 99999999999999999999").unixTime == nil)
    }

    @Test func base64OfAllLengths() {
        for count in 1...186 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ count) }
            let text = unsafe Base64.encode(bytes.span.bytes)
            #expect(text.count == Base64.encodedLength(count))
            var key = InlineArray<192, UInt8>(repeating: 0)
            let length = unsafe Base64.decode(text.span.bytes, into: &key)
            #expect((0..<length).map { key[$0] } == bytes)
        }
        #expect(Base64.encodedLength(187) > 250)
    }
}
