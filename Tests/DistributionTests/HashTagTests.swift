import Distribution
import Testing

@Suite struct HashTagTests {
    private func tagged(_ key: String, _ tag: HashTag = HashTag(open: 0x7b, close: 0x7d)) -> String {
        let bytes = Array("xx\(key)yy".utf8)
        let range = unsafe tag.range(in: bytes.span.bytes, from: 2, count: key.utf8.count)
        return String(decoding: bytes[range], as: UTF8.self)
    }

    /// twemproxy's `server_pool_idx`: the first opening byte, then the first closing one after it.
    @Test(arguments: [
        ("user:{42}:name", "42"), ("{42}", "42"), ("{a}{b}", "a"), ("{{a}}", "{a"), ("}{a}", "a"), ("a{b}c}d", "b"),
    ])
    func theTaggedPartCounts(_ key: String, _ part: String) {
        #expect(tagged(key) == part)
    }

    @Test(arguments: ["plain", "{}rest", "a{", "{open", "close}", "}{", "}a{", "{}{a}"])
    func theWholeKeyCountsWithoutOne(_ key: String) {
        #expect(tagged(key) == key)
    }

    @Test func bothBytesMayBeTheSame() {
        let tag = HashTag(open: 0x24, close: 0x24)
        #expect(tagged("a$b$c$", tag) == "b")
        #expect(tagged("a$$b$", tag) == "a$$b$")
    }

    @Test func bytesOutsideTheRangeDoNotCount() {
        let bytes = Array("{a}b{c}".utf8)
        let range = unsafe HashTag(open: 0x7b, close: 0x7d).range(in: bytes.span.bytes, from: 1, count: 5)
        #expect(range == 1..<6)
    }
}
