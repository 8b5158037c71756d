import Bytes
import DroverTesting
import Testing

@testable import ProxyCore

struct MarkerTests {
    static let token = Token(0x0123_4567_89ab_cdef)!
    static let other = Token(0xfedc_ba98_7654_3210)!
    static let standings = [
        Standing(token: token, isRevoked: false, missed: .nothing),
        Standing(token: token, isRevoked: true, missed: .unknown),
        Standing(token: nil, isRevoked: true, missed: .since(Watermark(cas: .max, token: other))),
        Standing(token: other, isRevoked: false, missed: .since(Watermark(cas: 1234, token: token))),
    ]

    private func read<Value>(_ text: [UInt8], _ body: (RawSpan) -> Value?) -> Value? {
        unsafe body(text.span.bytes)
    }

    @Test func textsAreAsDocumented() {
        #expect(String(decoding: MarkerText.token(Self.token), as: UTF8.self) == "1 0123456789abcdef")
        let filling = Filling(token: Self.token, hadFilling: true)
        #expect(String(decoding: filling.text, as: UTF8.self) == "1 0123456789abcdef +")
        let texts = Self.standings.map { String(decoding: $0.text, as: UTF8.self) }
        #expect(
            texts == [
                "1 0123456789abcdef + = 0000000000000000 0000000000000000",
                "1 0123456789abcdef - ? 0000000000000000 0000000000000000",
                "1 0000000000000000 - > ffffffffffffffff fedcba9876543210",
                "1 fedcba9876543210 + > 00000000000004d2 0123456789abcdef",
            ])
    }

    @Test func textsAreReadBack() {
        #expect(read(MarkerText.token(Self.token)) { MarkerText.token(in: $0) } == Self.token)
        for hadFilling in [false, true] {
            let filling = Filling(token: Self.token, hadFilling: hadFilling)
            #expect(read(filling.text) { Filling(text: $0) } == filling)
        }
        for standing in Self.standings { #expect(read(standing.text) { Standing(text: $0) } == standing) }
    }

    /// Whatever stands in a marker: it is what a proxy would have written, to the byte, or it is nothing.
    @Test func hostileTextsAreNothing() {
        var generator = SeededGenerator.fromEnvironment()
        let texts =
            [MarkerText.token(Self.token), Filling(token: Self.token, hadFilling: false).text]
            + Self.standings.map(\.text)
        for _ in 0..<20_000 {
            var text = generator.pick(texts)
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                switch Int.random(in: 0..<4, using: &generator) {
                case 0 where !text.isEmpty: text.remove(at: generator.pick(text.indices))
                case 1: text.append(UInt8.random(in: 0...255, using: &generator))
                case 2: text.insert(generator.pick(Array("0 +-=>?af1".utf8)), at: 0)
                default:
                    if !text.isEmpty {
                        text[generator.pick(text.indices)] = UInt8.random(in: 0...255, using: &generator)
                    }
                }
            }
            if let token = read(text, { MarkerText.token(in: $0) }) { #expect(MarkerText.token(token) == text) }
            if let filling = read(text, { Filling(text: $0) }) { #expect(filling.text == text) }
            if let standing = read(text, { Standing(text: $0) }) { #expect(standing.text == text) }
        }
        #expect(read([], { MarkerText.token(in: $0) }) == nil)
        #expect(read(Array("1 0000000000000000".utf8), { MarkerText.token(in: $0) }) == nil, "0 is no token")
    }

    @Test func keysFitAndAreReserved() {
        let names = [
            "a", "10.0.0.1:11211", "unix:/run/a b", String(repeating: "x", count: 500), "", "tab\t", "ä:1",
        ]
        var keys: Set<[UInt8]> = []
        for node in names.indices {
            let key = MarkerItem.standing(of: node).key(names: names)
            #expect(key.count <= 250 && key.allSatisfy { $0 > 0x20 && $0 != 0x7f })
            #expect(unsafe MarkerItem.isReserved(key.span.bytes))
            keys.insert(key)
        }
        for item in [MarkerItem.ready, .filling, .lease, .tick] { keys.insert(item.key(names: names)) }
        #expect(keys.count == names.count + 4)
        #expect(
            String(decoding: MarkerItem.standing(of: 1).key(names: names), as: UTF8.self)
                == "__drover:standing:10.0.0.1:11211")
        let key = Array("__drove:".utf8)
        #expect(unsafe !MarkerItem.isReserved(key.span.bytes))
    }

    @Test func commandsOnMarkers() {
        func text(_ item: MarkerItem, _ action: MarkerCommand.Action) -> String {
            String(
                decoding: MarkerCommand(node: 0, item: item, action).bytes(names: ["a", "b"]), as: UTF8.self)
        }
        #expect(text(.ready, .read) == "mg __drover:ready v c\r\n")
        #expect(text(.standing(of: 1), .store([0x31], .always)) == "ms __drover:standing:b 1 c T0\r\n1\r\n")
        #expect(text(.lease, .store([0x31], .ifMissing)) == "ms __drover:lease 1 c T10 ME\r\n1\r\n")
        #expect(text(.filling, .store([0x31], .ifSame(7))) == "ms __drover:filling 1 c T0 C7\r\n1\r\n")
        #expect(text(.ready, .delete) == "md __drover:ready\r\n")
        #expect(text(.lease, .deleteSame(9)) == "md __drover:lease C9\r\n")
    }

    // MARK: What was missed

    @Test func whatTwoProxiesSayIsJoined() {
        let early = Missed.since(Watermark(cas: 5, token: Self.token))
        let late = Missed.since(Watermark(cas: 9, token: Self.token))
        let foreign = Missed.since(Watermark(cas: 7, token: Self.other))
        #expect(early.joined(late) == early && late.joined(early) == early)
        #expect(early.joined(foreign) == .unknown, "numbers of two lives of a node are not compared")
        for missed in [early, foreign, .unknown, .nothing] {
            #expect(missed.joined(.nothing) == missed && Missed.nothing.joined(missed) == missed)
            #expect(missed.joined(.unknown) == .unknown && Missed.unknown.joined(missed) == .unknown)
        }
        #expect(early.watermark(token: Self.token) == 5)
        #expect(early.watermark(token: Self.other) == 0, "the keeper has restarted")
        #expect(Missed.nothing.watermark(token: Self.token) == .max && Missed.unknown.watermark(token: Self.token) == 0)
    }

    @Test func aPointIsOnlyWhatWasKnownBefore() {
        var ring = WatermarkRing()
        #expect(ring.last(before: .max, token: Self.token) == nil)
        for number in 1...3 { ring.record(cas: UInt64(number * 10), token: Self.token, now: UInt64(number * 100)) }
        #expect(ring.last(before: 100, token: Self.token) == nil)
        #expect(ring.last(before: 101, token: Self.token)?.cas == 10)
        #expect(ring.last(before: 300, token: Self.token)?.cas == 20)
        #expect(ring.last(before: 1000, token: Self.token)?.cas == 30)
        #expect(ring.last(before: 1000, token: Self.other) == nil)
        ring.record(cas: 0, token: Self.token, now: 400)
        #expect(ring.last(before: 1000, token: Self.token)?.cas == 30, "a node without CAS numbers says nothing")
        for number in 5...40 { ring.record(cas: UInt64(number * 10), token: Self.token, now: UInt64(number * 100)) }
        #expect(ring.last(before: 600, token: Self.token) == nil, "what was forgotten is not known")
        #expect(ring.last(before: 4000, token: Self.token)?.cas == 390)
    }

    @Test func aRevocationHitsWhateverIsAnnounced() {
        let first = Standing.announced(nil, Self.token, missed: .nothing)
        #expect(first.missed == .unknown, "nobody knows what was missed")
        let mark = Missed.since(Watermark(cas: 5, token: Self.other))
        let announced = Standing.announced(
            Standing(token: Self.other, isRevoked: true, missed: mark), Self.token,
            missed: .since(Watermark(cas: 8, token: Self.other)))
        #expect(announced.confirms(Self.token) && !announced.confirms(Self.other) && announced.missed == mark)
        let revoked = Standing.revoked(announced, known: Self.other, missed: .unknown)
        #expect(revoked == Standing(token: Self.token, isRevoked: true, missed: .unknown))
        #expect(!revoked.confirms(Self.token))
        #expect(Standing.revoked(nil, known: Self.other, missed: mark).token == Self.other)
    }
}
