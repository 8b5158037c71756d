import Bytes
import Testing

struct LineBufferTests {
    private func text(_ bytes: RawSpan) -> String {
        String(decoding: (0..<bytes.byteCount).map { bytes.byte(at: $0) }, as: UTF8.self)
    }

    @Test func decimals() {
        for number: UInt64 in [0, 1, 9, 10, 99, 100, 12_345, 999_999_999, 1 << 52, 1 << 63, .max - 1, .max] {
            let digits = Decimal(number)
            #expect(text(digits.bytes) == "\(number)")
            #expect(digits.count == "\(number)".utf8.count)
        }
    }

    @Test func linesAreMadeInOnePlace() {
        var line = LineBuffer()
        for _ in 0..<2 {
            line.clear()
            line.append("ms ")
            unsafe line.append(Array("key".utf8).span.bytes)
            unsafe line.append([UInt8]().span.bytes)
            line.append(" C")
            line.append(UInt64(120))
            #expect(text(line.bytes) == "ms key C120")
        }
    }

    @Test func whatDoesNotFitIsSaid() {
        var line = LineBuffer()
        let half = [UInt8](repeating: 7, count: LineBuffer.capacity / 2)
        unsafe line.append(half.span.bytes)
        unsafe line.append(half.span.bytes)
        #expect(line.count == LineBuffer.capacity && !line.hasOverflowed)
        line.append("x")
        #expect(line.count == LineBuffer.capacity && line.hasOverflowed)
        line.clear()
        #expect(line.count == 0 && !line.hasOverflowed)
    }
}
