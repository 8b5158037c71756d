import Bytes

/// Numbers read as memcached reads them: C's `strtol` family, and white space or the token's end behind the digits.
///
/// So leading white space other than the space, and a `+`, are fine; `5<tab>x` is 5; a number that does not fit 64 bits
/// is none, while one that does not fit the field it goes to is cut to it by the caller.
enum CNumber {
    /// `safe_strtoull`, and `safe_strtoul` before its cut. A negative number wraps, unless that makes it a huge one.
    static func unsigned(_ bytes: RawSpan, _ token: ByteRange, skipping lead: Int = 0) -> UInt64? {
        if let plain = plain(bytes, token, lead) { return plain }
        guard let (magnitude, negative) = scan(bytes, token, lead) else { return nil }
        if !negative { return magnitude }
        let wrapped = 0 &- magnitude
        return Int64(bitPattern: wrapped) < 0 ? nil : wrapped
    }

    /// `safe_strtol`: the number cut to 32 bits, as memcached cuts it.
    static func signed(_ bytes: RawSpan, _ token: ByteRange, skipping lead: Int = 0) -> Int32? {
        if let plain = plain(bytes, token, lead) { return Int32(truncatingIfNeeded: plain) }
        guard let (magnitude, negative) = scan(bytes, token, lead) else { return nil }
        let limit: UInt64 = negative ? 1 << 63 : (1 << 63) - 1
        guard magnitude <= limit else { return nil }
        let value = Int64(bitPattern: negative ? 0 &- magnitude : magnitude)
        return Int32(truncatingIfNeeded: value)
    }

    /// Up to seven digits and nothing else, as nearly every number is.
    @inline(__always)
    private static func plain(_ bytes: RawSpan, _ token: ByteRange, _ lead: Int) -> UInt64? {
        let (value, count) = ASCII.decimal(bytes.word(at: token.start &+ lead))
        return count > 0 && count == token.count &- lead ? value : nil
    }

    private static func scan(
        _ bytes: RawSpan, _ token: ByteRange, _ lead: Int
    ) -> (magnitude: UInt64, negative: Bool)? {
        var index = token.start + lead
        let end = token.end
        while index < end, ASCII.isSpace(bytes.byte(at: index)) { index += 1 }
        guard index < end else { return nil }
        let sign = bytes.byte(at: index)
        let negative = sign == ASCII.minus
        if negative || sign == 0x2b { index += 1 }
        let first = index
        var magnitude: UInt64 = 0
        while index < end {
            let digit = bytes.byte(at: index) &- ASCII.zero
            guard digit < 10 else { break }
            let (tens, tooMany) = magnitude.multipliedReportingOverflow(by: 10)
            let (sum, carried) = tens.addingReportingOverflow(UInt64(digit))
            if tooMany || carried { return nil }
            magnitude = sum
            index += 1
        }
        guard index > first, index == end || ASCII.isSpace(bytes.byte(at: index)) else { return nil }
        return (magnitude, negative)
    }
}
