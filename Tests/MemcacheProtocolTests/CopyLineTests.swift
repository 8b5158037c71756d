import Bytes
import DroverTesting
import MemcacheProtocol
import Testing

/// The lines that copies get.
struct CopyLineTests {
    private func made(
        _ text: String, _ make: (RawSpan, RequestHead, inout LineBuffer) -> Bool
    ) throws -> String? {
        let (head, line) = try head(text)
        var buffer = LineBuffer()
        buffer.append("left from before")
        guard unsafe make(line.span.bytes, head, &buffer) else { return nil }
        return self.text(buffer)
    }

    private func text(_ buffer: borrowing LineBuffer) -> String {
        var text = ""
        for index in 0..<buffer.count { text.unicodeScalars.append(Unicode.Scalar(buffer.bytes.byte(at: index))) }
        return text
    }

    @Test(arguments: [
        ("add k 5 30 2\r\n", "set k 5 30 2\r\n"),
        ("add  key:1   5  30 2 noreply \r\n", "set key:1 5 30 2\r\n"),
        ("replace k 4294967297 -1 2\n", "set k 4294967297 -1 2\r\n"),
        ("cas k 5 30 2 77\r\n", "set k 5 30 2\r\n"),
        ("cas k 5 30 2 77 noreply\r\n", "set k 5 30 2\r\n"),
        ("set k 0 0 2 noreply\r\n", "set k 0 0 2\r\n"),
        ("ms k 2\r\n", "ms k 2\r\n"),
        ("ms a2V5 2 MA T30 F5 C12 E7 b\r\n", "ms a2V5 2 T30 F5 E7 b\r\n"),
        ("ms a2V5 2 b ME c q k O123 s F5 t T-1 N5 I\r\n", "ms a2V5 2 b F5 T-1\r\n"),
        ("ms   k 2   MR\n", "ms k 2\r\n"),
        ("ms k 2 C0\u{0} T5\r\n", "ms k 2\r\n"),
        ("add k 0 0 1\r noreply\r\n", "set k 0 0 1\r\r\n"),
    ])
    func sameValue(line: String, expected: String) throws {
        #expect(try made(line) { CopyLine.sameValue($0, $1, into: &$2) } == expected, "\(line.debugDescription)")
    }

    @Test(arguments: [
        ("append k 5 30 2 noreply\r\n", "append k 5 30 2\r\n"),
        ("prepend  k 5 30 2\n", "prepend k 5 30 2\r\n"),
        ("incr k 18446744073709551615 noreply\r\n", "incr k 18446744073709551615\r\n"),
        ("decr k 5 what\r\n", "decr k 5\r\n"),
        ("touch k 30 noreply\r\n", "touch k 30\r\n"),
        ("delete k 0 noreply\r\n", "delete k\r\n"),
        ("gat 30 k\r\n", "touch k 30\r\n"),
        ("gats  -1  key:1 \r\n", "touch key:1 -1\r\n"),
        ("mg k v c q T30 k Oabc t f\r\n", "mg k T30\r\n"),
        ("mg a2V5 N30 b R10 u E5 h l s v\r\n", "mg a2V5 N30 b R10 u E5\r\n"),
        ("mg k T1 N2\r\n", "mg k T1 N2\r\n"),
        ("mg k N2 T1\r\n", "mg k N2 T1\r\n"),
        ("ms a2V5 2 MA q C7 F3 T9 c b\r\n", "ms a2V5 2 MA b\r\n"),
        ("ms k 2 MP E5\r\n", "ms k 2 MP E5\r\n"),
        ("md k q C5 I T30 x F7 k O1 E9\r\n", "md k I T30 x F7 E9\r\n"),
        ("ma a2V5 N0 J5 D2 MD T30 C7 v q t c k O1 b\r\n", "ma a2V5 N0 J5 D2 MD T30 v b\r\n"),
        ("ma k D2 q v\r\n", "ma k D2 v\r\n"),
        ("ma k q N5\r\n", "ma k N5\r\n"),
        ("set k 0 0 1\r\n", nil),
        ("flush_all\r\n", nil),
    ])
    func sameCommand(line: String, expected: String?) throws {
        #expect(
            try made(line) { CopyLine.sameCommand($0, $1, key: $1.key, into: &$2) } == expected,
            "\(line.debugDescription)")
    }

    @Test func everyKeyOfAGat() throws {
        let bytes = Array("gat 30 a bb  ccc\r\n".utf8)
        var parser = RequestParser()
        var scan = LineScan()
        var buffer = LineBuffer()
        guard case .request(let head) = unsafe parser.parse(bytes.span.bytes, scan: &scan, limits: ProtocolLimits())
        else { throw TestFailure("refused") }
        for (index, line) in ["touch a 30\r\n", "touch bb 30\r\n", "touch ccc 30\r\n"].enumerated() {
            let key = parser.key(at: index)
            #expect(unsafe CopyLine.sameCommand(bytes.span.bytes, head, key: key, into: &buffer))
            #expect(text(buffer) == line)
        }
    }

    @Test(arguments: [
        ("cas k 0 0 1 77\r\n", "cas k 0 0 1 5\r\n"),
        ("cas k 0 0 1 77 noreply\r\n", "cas k 0 0 1 5\r\n"),
        ("cas  k 0 0 1  +77\t  noreply\n", "cas  k 0 0 1  5 \n"),
        ("ms k 1 T5 C77 c\r\n", "ms k 1 T5 C5 c\r\n"),
        ("ms k 1 q C77 c\r\n", "ms k 1 C5 c\r\n"),
        ("ms k 1 C77 c q\r\n", "ms k 1 C5 c\r\n"),
        ("md k C77\r\n", "md k C5\r\n"),
        ("ma k q C77 v\r\n", "ma k C5 v\r\n"),
    ])
    func comparing(line: String, expected: String) throws {
        #expect(try made(line) { CopyLine.comparing(5, $0, $1, into: &$2) } == expected, "\(line.debugDescription)")
    }

    /// Longer than a node takes: nobody gets it.
    @Test func aLineThatDoesNotFit() throws {
        for zeros in [2020, 2022] {
            let text = "gat \(String(repeating: "0", count: zeros))1 key:000000000\r\n"
            let line = try made(text) { CopyLine.sameCommand($0, $1, key: $1.key, into: &$2) }
            #expect(line?.utf8.count == (text.utf8.count + 2 <= 2048 ? text.utf8.count + 2 : nil))
        }
        let long = "md k " + String(repeating: " ", count: 2030) + "C5\r\n"
        #expect(try made(long) { CopyLine.comparing(.max, $0, $1, into: &$2) } == nil)
        #expect(try made(long) { CopyLine.comparing(5, $0, $1, into: &$2) } == long)
    }
}
