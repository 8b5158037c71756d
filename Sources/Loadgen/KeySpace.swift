internal import Bytes
internal import Glibc

/// The text of every key and the bytes of every value, laid out once so that a request is a few copies.
///
/// All keys have one length. A value is a cut out of one random pattern, at a place that the key's number tells: it can
/// be sent and checked without being kept.
final class KeySpace: Sendable {
    private static let patternPeriod = 1 << 20

    /// `VERB KEY CR LF` for each key, one behind the other.
    private let lines: [UInt8]
    private let verbLength: Int
    private let stride: Int
    private let digits: Int
    let keyLength: Int
    let keyCount: Int
    private let pattern: [UInt8]
    private let sizes: ClosedRange<Int>

    init(plan: LoadPlan) {
        let verb = plan.meta ? "mg" : "get"
        let digits = String(plan.keyCount - 1).utf8.count
        self.digits = digits
        keyCount = plan.keyCount
        verbLength = verb.utf8.count
        keyLength = plan.keyPrefix.utf8.count + digits
        stride = verbLength + 1 + keyLength + 2
        var lines: [UInt8] = []
        lines.reserveCapacity(stride * plan.keyCount)
        for number in 0..<plan.keyCount {
            lines += (verb + " " + plan.keyPrefix).utf8
            let text = String(number).utf8
            lines += repeatElement(UInt8(ascii: "0"), count: digits - text.count)
            lines += text
            lines += "\r\n".utf8
        }
        self.lines = lines
        sizes = plan.valueSizes
        pattern = (0..<(Self.patternPeriod + sizes.upperBound)).map { index in
            UInt8(truncatingIfNeeded: mixed(UInt64(index % Self.patternPeriod) &+ 0x5eed))
        }
    }

    /// The whole line of a get: verb, key, CR LF.
    var line: Range<Int> { 0..<stride }
    /// Verb, space, key.
    var verbAndKey: Range<Int> { 0..<(stride - 2) }
    /// A space and the key.
    var spaceAndKey: Range<Int> { verbLength..<(stride - 2) }
    private var key: Range<Int> { (verbLength + 1)..<(stride - 2) }

    /// Bytes of key `number`'s value.
    func valueLength(_ number: Int) -> Int {
        sizes.lowerBound + Int(mixed(UInt64(number) &+ 0x1e_4617) % UInt64(sizes.count))
    }

    /// Neighbouring numbers start far apart, and no two of the first 2^20 start at the same place.
    private func valueStart(_ number: Int) -> Int { (number &* 0x9e375) & (Self.patternPeriod - 1) }

    /// Queues a part of key `number`'s line; false at the memory limit.
    func append(
        _ part: Range<Int>, of number: Int, to queue: inout ByteQueue, of queues: borrowing ByteQueues,
        through open: inout OpenChunk
    ) -> Bool {
        let from = number * stride
        let lines = lines
        let bytes = unsafe lines.span.bytes
        return queues.append(
            bytes.extracting((from + part.lowerBound)..<(from + part.upperBound)), to: &queue, through: &open)
    }

    func appendValue(
        _ number: Int, to queue: inout ByteQueue, of queues: borrowing ByteQueues, through open: inout OpenChunk
    ) -> Bool {
        let start = valueStart(number)
        let pattern = pattern
        let bytes = unsafe pattern.span.bytes
        return queues.append(
            bytes.extracting(start..<(start + valueLength(number))), to: &queue, through: &open)
    }

    func isKey(_ number: Int, _ text: RawSpan) -> Bool {
        guard text.byteCount == keyLength else { return false }
        let lines = lines
        let bytes = unsafe lines.span.bytes
        return Self.equal(text, bytes.extracting((number * stride + key.lowerBound)...))
    }

    /// The number of a key that some reply names; nil when it is no key of ours.
    func number(of text: RawSpan) -> Int? {
        guard text.byteCount == keyLength else { return nil }
        guard let number = decimal(text.extracting(last: digits)), number < keyCount,
            isKey(number, text)
        else { return nil }
        return number
    }

    /// Whether `part` is what key `number`'s value holds from `offset` on.
    func isValue(_ number: Int, from offset: Int, _ part: RawSpan) -> Bool {
        guard offset + part.byteCount <= valueLength(number) else { return false }
        let pattern = pattern
        let bytes = unsafe pattern.span.bytes
        return Self.equal(part, bytes.extracting((valueStart(number) + offset)...))
    }

    /// Whether `whole` starts with `part`; it is at least as long.
    private static func equal(_ part: RawSpan, _ whole: RawSpan) -> Bool {
        unsafe part.withUnsafeBytes { part in
            unsafe whole.withUnsafeBytes { whole in
                guard let left = part.baseAddress, let right = whole.baseAddress else { return true }
                return unsafe memcmp(left, right, part.count) == 0
            }
        }
    }
}

/// An unsigned decimal of 1 to 18 digits and nothing else.
func decimal(_ text: RawSpan) -> Int? {
    guard text.byteCount > 0, text.byteCount <= 18 else { return nil }
    var value = 0
    for index in 0..<text.byteCount {
        let digit = unsafe text.unsafeLoad(fromByteOffset: index, as: UInt8.self) &- UInt8(ascii: "0")
        guard digit < 10 else { return nil }
        value = value * 10 + Int(digit)
    }
    return value
}
