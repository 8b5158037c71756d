import Bytes
import MemcacheProtocol
import Testing

@Suite("Parts of the parsers")
struct PartsTests {
    private func decode(_ text: String) -> [UInt8]? {
        var key = InlineArray<192, UInt8>(repeating: 0)
        let bytes = Array(text.utf8)
        let length = unsafe Base64.decode(bytes.span.bytes, into: &key)
        return length == 0 ? nil : (0..<length).map { key[$0] }
    }

    @Test("Base64 as memcached reads it")
    func base64() {
        #expect(decode("YWJj") == Array("abc".utf8))
        #expect(decode("YWI=") == Array("ab".utf8))
        #expect(decode("YQ==") == Array("a".utf8))
        #expect(decode("AAEC/+8=") == [0, 1, 2, 255, 239])
        #expect(decode("Y\u{1}W-J_j") == Array("abc".utf8))
        #expect(decode("YQ==YQ==") == Array("a".utf8))
        #expect(decode("=AAA") == [0, 0])
        for bad in ["", "Y", "YWJ", "YWJjZ", "A===", "====", "....", "YWJ."] { #expect(decode(bad) == nil, "\(bad)") }
        #expect(decode(String(repeating: "YWJj", count: 62))?.count == 186)
    }

    @Test("A hit is taken whole only where the parser finds a value and the END behind it")
    func wholeHits() {
        let ends = ["END\r\n", "END\r\nVALUE k 0 1\r\n", "VALUE b 0 1\r\nx\r\nEND\r\n", "EN", "end\r\n", ""]
        var hits = 0
        for key in ["k", "key:000123", String(repeating: "k", count: 250)] {
            for numbers in [
                "0 0", "0 5", "0 100", "12 999", "0 1234", "4294967295 3 77", "0 5 18446744073709551615", "0 x",
            ] {
                for end in ends {
                    let count = Int(numbers.split(separator: " ")[1]) ?? 1
                    let text = "VALUE \(key) \(numbers)\r\n" + String(repeating: "v", count: count) + "\r\n" + end
                    hits += compareWholeHit(Array(text.utf8), keyLength: key.utf8.count)
                }
            }
        }
        #expect(hits > 3 * 7 * 2)
        #expect(compareWholeHit(Array("END\r\n".utf8), keyLength: 1) == 0)
    }

    /// For each part of the answer from its start; says how many were taken whole.
    private func compareWholeHit(_ answer: [UInt8], keyLength: Int) -> Int {
        var hits = 0
        for length in Set([0, 1, 7, 14, answer.count / 2, answer.count - 1, answer.count]) where length <= answer.count
        {
            let window = Array(answer[..<length])
            let bytes = unsafe window.span.bytes
            var expected: Int?
            if case .value(let head) = ReplyParser.parse(bytes, for: .get), head.totalLength <= length,
                case .end(let end) = ReplyParser.parse(bytes.extracting(head.totalLength...), for: .get)
            {
                expected = head.totalLength + end
            }
            let found = ReplyParser.wholeHit(bytes, keyLength: keyLength)
            #expect(found == expected, "\(String(decoding: window.prefix(300), as: UTF8.self))")
            if found != nil { hits += 1 }
        }
        return hits
    }

    @Test("A word never reads past its span")
    func words() {
        let bytes: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
        for count in 0...bytes.count {
            let window = Array(bytes[..<count])
            for offset in 0...count + 3 {
                var expected: UInt64 = 0
                for index in 0..<8 where offset + index < count {
                    expected |= UInt64(bytes[offset + index]) << UInt64(8 * index)
                }
                let word = unsafe window.span.bytes.word(at: offset)
                #expect(word == expected, "\(count) bytes, at \(offset)")
            }
        }
    }

    @Test("Decimal numbers of a word")
    func decimals() {
        func read(_ text: String) -> [Int] {
            let (value, count) = unsafe ASCII.decimal(Array(text.utf8).span.bytes.word(at: 0))
            return [Int(value), count]
        }
        #expect(read("0 ") == [0, 1])
        #expect(read("7") == [7, 1])
        #expect(read("42\r\n") == [42, 2])
        #expect(read("1234567 ") == [1_234_567, 7])
        #expect(read("007:") == [7, 3])
        for none in ["", " 1", "/", ":", "-1", "x", "\u{ff}", "12345678"] { #expect(read(none)[1] == 0, "\(none)") }
        for number in stride(from: 0, to: 9_999_999, by: 7919) {
            #expect(read("\(number)é") == [number, "\(number)".utf8.count])
        }
    }

    @Test("Decimal numbers of any length, up to 64 bits")
    func longDecimals() {
        func read(_ text: String, at start: Int = 0) -> [UInt64] {
            guard let (value, end) = unsafe Array(text.utf8).span.bytes.decimal(at: start) else { return [] }
            return [value, UInt64(end)]
        }
        for number: UInt64 in [0, 9, 9_999_999, 12_345_678, 123_456_789, 1_795_225_659, 9_999_999_999_999_999, .max] {
            let count = UInt64("\(number)".utf8.count)
            for rest in ["", " ", "x", "\r\n", " 12345678"] {
                #expect(read("\(number)\(rest)") == [number, count], "\(number)\(rest)")
                #expect(read("cas=\(number)\(rest)", at: 4) == [number, 4 + count], "\(number)\(rest)")
            }
        }
        #expect(read("0000000000000000000000000042 ") == [42, 28])
        for none in ["", " 1", "-1", "x", "18446744073709551616", "99999999999999999999", "100000000000000000000000"] {
            #expect(read(none) == [], "\(none)")
        }
        #expect(read("12", at: 2) == [])
    }
}
