import Testing

@testable import Telemetry

@Suite struct JSONTests {
    @Test(
        arguments: [
            (.null, "null"), (.bool(true), "true"), (.integer(-5), "-5"), (.integer(.max), "9223372036854775807"),
            (.number(2), "2"), (.number(-0.25), "-0.25"), (.number(.infinity), "null"), (.number(.nan), "null"),
            (.array([]), "[]"), (.array([1, "a", .null]), "[1, \"a\", null]"), ([:], "{}"),
            (["b": 1, "a": ["x": 2]], "{\"b\": 1, \"a\": {\"x\": 2}}"),
            ("say \"\\\" é\n\t\u{7f}\u{0}", "\"say \\\"\\\\\\\" é\\n\\u0009\\u007f\\u0000\""),
        ] as [(JSONValue, String)])
    func valuesAreWritten(value: JSONValue, text: String) {
        #expect(value.text == text)
    }

    @Test func whatIsWrittenIsReadBack() {
        let value: JSONValue = [
            "a\"\\\u{1}é": .array([1, .integer(.min), .number(0.1), .number(1e300), .bool(false), .null]), "": "🙂\r\n",
            "deep": .array([.array([["x": .array([])]])]),
        ]
        #expect(JSONValue(reading: Array(value.text.utf8)) == value)
    }

    @Test(
        arguments: [
            (" [ 1 , 2e2,\t-0.5 ] \n", .array([1, .number(200), .number(-0.5)])),
            (#""\u0041\ud83d\ude42\/\b""#, "A🙂/\u{8}"), ("{\"a\":{}}", ["a": [:]]),
            ("99999999999999999999", .number(1e20)),
        ] as [(String, JSONValue)])
    func othersJSONIsRead(text: String, value: JSONValue) {
        #expect(JSONValue(reading: Array(text.utf8)) == value)
    }

    @Test(arguments: [
        "", " ", "{", "}", "[1", "[1,]", "[,]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "1 2", "tru", "nul", "+1",
        "01", "--1", "-", ".5", "1.", "1e", "1e999", "\"", "\"\\", "\"\\u12", "\"\\u12g4\"", "\"\\ud800\"",
        "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\\x\"", "\"\n\"", "'a'", "nan", "inf", "0x1",
    ])
    func nothingElseIsRead(text: String) {
        #expect(JSONValue(reading: Array(text.utf8)) == nil)
    }

    @Test func bytesThatAreNoUTF8AreNotRead() {
        #expect(JSONValue(reading: [0x22, 0xFF, 0x22]) == nil)
    }

    /// Neither the stack nor the time grows with what a stranger sends.
    @Test func nestingIsBounded() {
        func nested(_ depth: Int) -> [UInt8] {
            Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
        }
        #expect(JSONValue(reading: nested(32)) != nil)
        #expect(JSONValue(reading: nested(33)) == nil)
        #expect(JSONValue(reading: Array(repeating: UInt8(ascii: "["), count: 1 << 20)) == nil)
    }

    @Test(arguments: [
        ("main-1._~", "main-1._~"), ("a/b?c#d e%", "a%2Fb%3Fc%23d%20e%25"), ("[::1]:1", "%5B%3A%3A1%5D%3A1"),
        ("é\n", "%C3%A9%0A"), ("", ""),
    ])
    func namesAreEncodedForURLs(name: String, encoded: String) {
        #expect(PercentCoding.encode(name) == encoded)
        #expect(PercentCoding.decode(encoded) == name)
    }

    @Test(arguments: ["%", "%4", "%g1", "%4g", "%FF", "%00", "a%C3b"])
    func whatIsNoNameIsNotDecoded(text: String) {
        #expect(PercentCoding.decode(text) == nil)
    }
}
