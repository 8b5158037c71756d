import Bytes
import DroverTesting
import MemcacheProtocol
import Testing

/// Where CAS numbers stand in requests and replies.
struct CASNumberTests {
    /// A request's options by their letters, `k` for a `c` behind the key, and its CAS number.
    private func spelled(_ text: String) throws -> String {
        let (head, line) = try head(text)
        let letters: [(RequestOptions, String)] = [
            (.comparesCAS, "C"), (.choosesCAS, "E"), (.wantsCAS, "c"), (.casBehindKey, "k"), (.vivifies, "N"),
            (.touches, "T"), (.recaches, "R"), (.invalidates, "I"), (.leavesItem, "x"), (.extends, "A"),
            (.wantsValue, "v"),
        ]
        let found = letters.filter { head.options.contains($0.0) }.map(\.1).joined()
        guard let number = unsafe head.comparedCAS(in: line.span.bytes) else { return found }
        return found + " \(number) '\(String(decoding: line[head.argument.start..<head.argument.end], as: UTF8.self))'"
    }

    @Test(arguments: [
        ("cas k 0 0 1 7\r\n", "C 7 '7'"),
        ("cas  key   0 0 1   18446744073709551615 noreply\r\n", "C 18446744073709551615 '18446744073709551615'"),
        ("cas k 0 0 1 +7\t\n", "C 7 '+7\t'"),
        ("set k 0 0 1\r\n", ""),
        ("get k\r\n", ""),
        ("gat 5 k\r\n", ""),
        ("ms k 1\r\n", ""),
        ("ms k 1 C7\r\n", "C 7 '7'"),
        ("ms k 1 q C007 ME E9 c I\r\n", "CEcI 7 '007'"),
        ("ms k 1 OC8 F8 T8\r\n", "T"),
        ("ms k 1 MA N0 c k\r\n", "cNA"),
        ("ms k 1 MP k c\r\n", "ckA"),
        ("ms k 1 MR\r\n", ""),
        ("md k x I C12\r\n", "CIx 12 '12'"),
        ("ma k C0 N5 T6 v q\r\n", "CNTv 0 '0'"),
        ("mg k k f c R30 Oc5\r\n", "ckR"),
        ("mg k c k E5\r\n", "Ec"),
        ("mg k v\r\n", "v"),
    ])
    func requests(line: String, expected: String) throws {
        #expect(try spelled(line) == expected, "\(line.debugDescription)")
    }

    private struct Reply: CustomTestStringConvertible, Sendable {
        let request: String
        let reply: String
        /// Which part of the reply, and what stands there; nil for nothing.
        let number: UInt64?
        var testDescription: String { "\(request) -> \(reply)".debugDescription }

        init(_ request: String, _ reply: String, _ number: UInt64?) {
            (self.request, self.reply, self.number) = (request, reply, number)
        }
    }

    private static let replies = [
        Reply("gets k", "VALUE k 0 1 7", 7),
        Reply("gats 5 k", "VALUE c5 4294967295 100 18446744073709551615", .max),
        Reply("gets k", "END", nil),
        Reply("gets k", "SERVER_ERROR out of memory c5", nil),
        Reply("get k", "VALUE k 0 1", nil),
        Reply("gets k", "VALUE k 0 1", nil),
        Reply("gets k", "VALUE k 0 1 ", nil),
        Reply("gets k", "VALUE k 0 1 x", nil),
        Reply("mg k c", "HD c7", 7),
        Reply("mg k c", "HD c18446744073709551616", nil),
        Reply("mg k c", "HD", nil),
        Reply("mg k c", "EN", nil),
        Reply("mg k c v", "VA 5 c0", 0),
        Reply("mg k v", "VA 5", nil),
        // The opaque and the key are the client's own words.
        Reply("mg c5 k Oc6 c", "HD kc5 Oc6 c7 W", 7),
        Reply("mg c5 c k Oc6", "HD c7 kc5 Oc6 X W", 7),
        Reply("mg k Oc6", "HD Oc6", nil),
        Reply("mg k f c s k v", "VA 3 f5 c71 s3 kk", 71),
        // A base64 key may be echoed decoded, spaces, newlines and all (seen on 1.6.18 and 1.6.38).
        Reply("mg YSBjNiBi b k c N30 s", "HD ka c6 b c3 s0 W", 3),
        Reply("mg YSBjNiBi b Oc9 c k v", "VA 0 Oc9 c3 ka c6 b Z", 3),
        Reply("mg YSBjNiBi b k c", "HD kYSBjNiBi b c3", 3),
        Reply("mg YQpjNg== b k c", "HD ka\nc6 c3", 3),
        Reply("mg YQpjNg== b c k", "HD c3 ka\r\nc6", 3),
        Reply("ms k 1 c", "NS c0", 0),
        Reply("ms k 1 q k c O1", "HD kk c12 O1", 12),
        Reply("ms k 1", "HD", nil),
        Reply("ma k c v", "VA 1 c9", 9),
        Reply("ma k c", "CLIENT_ERROR c5", nil),
        Reply("md k", "HD c5", nil),
        Reply("me k", "ME k exp=-1 la=0 cas=5 fetch=no cls=1 size=64", 5),
        // A key that is echoed decoded (seen on 1.6.18).
        Reply("me YSBjYXM9MyBi b", "ME a cas=3 b exp=-1 la=0 cas=5 fetch=no cls=1 size=64", 5),
        Reply("me k", "EN", nil),
        Reply("me k", "ME k exp=-1 la=0 cas=", nil),
        Reply("me k", "SERVER_ERROR cas=5 fetch=no", nil),
    ]

    @Test(arguments: replies) private func shownIn(row: Reply) throws {
        let head = try head(row.request + "\r\n").head
        let bytes = Array((row.reply + "\r\n").utf8)
        let found = unsafe ReplyParser.casNumber(in: bytes.span.bytes, to: head.verb, head.options)
        #expect(found?.number == row.number)
        if let found {
            let digits = String(decoding: bytes[found.range.start..<found.range.end], as: UTF8.self)
            #expect(digits == "\(found.number)")
        }
    }

    /// However short or odd, what a node says is never read past its end.
    @Test func anythingMayCome() throws {
        var random = SeededGenerator.fromEnvironment()
        let requests = try ["gets k", "mg k c", "mg k k c", "ms k 1 c", "ma k c", "me k"].map {
            try head($0 + "\r\n").head
        }
        let words = ["HD", "VA", " ", "c", "7", "k", "VALUE ", "\r", "\n", "c12", " c", " cas=", "ME ", "Oc", "\u{0}"]
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0..<9, using: &random)).map { _ in random.pick(words) }.joined()
            let bytes = Array(text.utf8)
            for head in requests {
                guard let found = unsafe ReplyParser.casNumber(in: bytes.span.bytes, to: head.verb, head.options)
                else { continue }
                #expect(found.range.end + 2 <= bytes.count, "\(text.debugDescription), seed \(random.seed)")
            }
            _ = unsafe RecacheMarks(in: bytes.span.bytes)
        }
    }

    @Test func marks() {
        let rows: [(String, RecacheMarks)] = [
            ("HD W\r\n", .won), ("VA 0 c5 W\r\n", .won), ("HD X W\r\n", [.stale, .won]), ("HD Z\r\n", .sent),
            ("HD c5 Z X\r\n", [.sent, .stale]), ("HD\r\n", []), ("HD OW\r\n", []), ("HD W OX\r\n", []), ("W\r\n", []),
            (" W\r\n", []), ("EN\r\n", []), ("", []),
        ]
        for (reply, marks) in rows {
            let bytes = Array(reply.utf8)
            #expect(unsafe RecacheMarks(in: bytes.span.bytes) == marks, "\(reply)")
        }
    }
}

/// A valid line's head, and the line's bytes.
func head(_ text: String) throws -> (head: RequestHead, line: [UInt8]) {
    let bytes = Array(text.utf8)
    var parser = RequestParser()
    var scan = LineScan()
    guard case .request(let head) = unsafe parser.parse(bytes.span.bytes, scan: &scan, limits: ProtocolLimits()) else {
        throw TestFailure("refused: \(text.debugDescription)")
    }
    return (head, bytes)
}
