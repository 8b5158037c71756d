import Testing

@testable import Loadgen

@Suite struct ReplyLineTests {
    private func read(_ text: String) -> ReplyLine {
        let bytes = Array(text.utf8)
        return unsafe classify(bytes.span.bytes)
    }

    @Test(arguments: [
        ("VALUE key:1 0 100", ReplyLine.value(key: 6..<11, length: 100)),
        ("VALUE k 4294967295 0 77", .malformed),
        ("VALUE k 12 0", .value(key: 6..<7, length: 0)),
        ("VALUE k 12", .malformed),
        ("VALUE k 12 -1", .malformed),
        ("VA 7 kkey:1", .value(key: 6..<11, length: 7)),
        ("VA 7 kkey:1 Oabc", .value(key: 6..<11, length: 7)),
        ("VA 7", .malformed),
        ("END", .end), ("EN", .end), ("MN", .end), ("ENDS", .malformed),
        ("STORED", .stored), ("HD", .stored), ("STORE", .malformed),
        ("ERROR", .error), ("CLIENT_ERROR bad data chunk", .error), ("SERVER_ERROR out of memory", .error),
        ("NOT_STORED", .error), ("NS", .error), ("ERRORS", .malformed), ("", .malformed), ("x", .malformed),
    ])
    func linesAreReadAsTheyAreMeant(line: String, meaning: ReplyLine) {
        #expect(read(line) == meaning)
    }

    @Test func decimalsTakeDigitsOnly() {
        func value(_ text: String) -> Int? {
            let bytes = Array(text.utf8)
            return unsafe decimal(bytes.span.bytes)
        }
        #expect(value("0") == 0)
        #expect(value("123456789012345678") == 123_456_789_012_345_678)
        for wrong in ["", "-1", "+1", "1x", "1234567890123456789"] { #expect(value(wrong) == nil) }
    }
}
