import MemcacheProtocol
import Testing

private let long = String(repeating: "k", count: 251)
private let longest = String(repeating: "k", count: 250)

/// One line, and what must come of it.
struct Row: CustomTestStringConvertible, Sendable {
    let line: String
    let expected: String
    init(_ line: String, _ expected: String) { (self.line, self.expected) = (line, expected) }
    var testDescription: String { line.prefix(60).debugDescription }
}

@Suite("Request lines")
struct RequestTableTests {
    @Test(
        "Retrieval",
        arguments: [
            Row("get a\r\n", "get a"),
            Row("get a\n", "get a"),
            Row("  get   a  \r\n", "get a"),
            Row("get a\r\r\n", "get a\r"),
            Row("get a\tb\r\n", "get a\tb"),
            Row("get a\0b c\r\n", "get a"),
            Row("get \(longest)\r\n", "get \(longest)"),
            Row("get \(long)\r\n", "badCommandLine"),
            Row("get a \(long) b\r\n", "badCommandLine"),
            Row("get a bb ccc\r\n", "get a bb ccc"),
            Row("gets a bb\r\n", "gets a bb"),
            Row("bget a\r\n", "get a"),
            Row("get\r\n", "error"),
            Row("get \r\n", "error"),
            Row("gat 10\r\n", "end"),
            Row("gat x\r\n", "invalidExptime"),
            Row("gat 10 a\r\n", "gat a, argument 10"),
            Row("gats -1 a b\r\n", "gats a b, argument -1"),
            Row("get __drover:x\r\n", "reservedKey"),
            Row("get a __drover:x\r\n", "reservedKey"),
            Row("get __drover\r\n", "get __drover"),
        ])
    func retrieval(row: Row) { #expect(outcome(row.line) == row.expected) }

    @Test(
        "Storage",
        arguments: [
            Row("set k 0 0 5\r\n", "set k, body 5"),
            Row("set k 0 0 5 noreply\r\n", "set k, body 5, without ' noreply', quiet"),
            Row("set k 0 0 5 anything\r\n", "set k, body 5"),
            Row("cas k 0 0 1 7\r\n", "cas k, body 1"),
            Row("cas k 0 0 1 7 noreply\r\n", "cas k, body 1, without ' noreply', quiet"),
            Row("set k 0 0 -1\r\n", "badCommandLine"),
            Row("set k 0 0 4294967297\r\n", "set k, body 1"),
            Row("set k 0 0 2000000\r\n", "tooLarge, swallow 2000002, drops"),
            Row("add k 0 0 2000000 noreply\r\n", "tooLarge, swallow 2000002, silent"),
            Row("set k 0 0 noreply\r\n", "badCommandLine, silent"),
            Row("set \(long) 0 0 1\r\n", "badCommandLine"),
            Row("set __drover:a 0 0 1\r\n", "reservedKey, swallow 3"),
        ])
    func storage(row: Row) { #expect(outcome(row.line) == row.expected) }

    @Test(
        "Meta",
        arguments: [
            Row("mg k v\r\n", "mg k, pure, value"),
            Row("mg k q v\r\n", "mg k, without ' q', quiet, pure, value"),
            Row("mg k T0\r\n", "mg k"),
            Row("mg YWIKY2Q= b k\r\n", "mg YWIKY2Q=, base64, pure, raw 5"),
            Row("mg YWIKY2Q= b\r\n", "mg YWIKY2Q=, base64, pure"),
            Row("me YWIKY2Q= b\r\n", "me YWIKY2Q=, base64, raw 5"),
            Row("ms k 5 q\r\n", "ms k, body 5, without ' q', quiet"),
            Row("ms k 5 ME\r\n", "ms k, body 5, rmw"),
            Row("ms X19kcm92ZXI6YQ== 5 b\r\n", "reservedKey, swallow 7"),
            Row("ms k 5 Z\r\n", "invalidFlag, swallow 7"),
            Row("mn\r\n", "mn"),
            Row("ma k MX\r\n", "invalidModeForArithmetic"),
        ])
    func meta(row: Row) { #expect(outcome(row.line) == row.expected) }
}
