internal import Bytes

/// What stands in a marker: fields of fixed length, so that there is one way to write a thing, and nothing to measure.
///
///     ready, lease, …  1 0123456789abcdef                                     token
///     filling          1 0123456789abcdef +                                   is what was there before known (+ or -)
///     standing         1 0123456789abcdef - > 00000000000004d2 fedcba9876543210 token, counts (+ or -), what it missed
///
/// The 1 is the version. What reads differently was not written by a proxy and is taken as if it were not there.
public enum MarkerText {
    /// The longest of them.
    public static let limit = 64

    public static func token(_ token: Token) -> [UInt8] { text("1 ", token.number) }

    public static func token(in text: RawSpan) -> Token? {
        guard text.byteCount == 18, text.isEqual(to: "1 ", at: 0) else { return nil }
        return number(in: text, at: 2).flatMap(Token.init)
    }

    static func text(_ start: StaticString, _ number: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        start.withUTF8Buffer { unsafe bytes.append(contentsOf: $0) }
        return bytes + hexadecimal(number)
    }

    /// Sixteen digits.
    static func hexadecimal(_ number: UInt64) -> [UInt8] {
        (0..<16).map { index in
            let digit = UInt8(truncatingIfNeeded: number >> (60 - 4 * UInt64(index)) & 15)
            return digit < 10 ? 0x30 + digit : 0x57 + digit
        }
    }

    /// The number in the sixteen digits from `start` on; nil if they are not.
    static func number(in text: RawSpan, at start: Int) -> UInt64? {
        guard start >= 0, text.byteCount - start >= 16 else { return nil }
        var number: UInt64 = 0
        for index in start..<(start + 16) {
            let byte = text.byte(at: index)
            switch byte {
            case 0x30...0x39: number = number << 4 | UInt64(byte - 0x30)
            case 0x61...0x66: number = number << 4 | UInt64(byte - 0x57)
            default: return nil
            }
        }
        return number
    }
}

/// The marker of a node that is being filled.
public struct Filling: Equatable, Sendable {
    /// What its ready marker will carry.
    public var token: Token
    /// What the node held when it began was an earlier filling, and nothing else: so a watermark tells what of it may
    /// stay.
    public var hadFilling: Bool

    public init(token: Token, hadFilling: Bool) {
        self.token = token
        self.hadFilling = hadFilling
    }

    public init?(text: RawSpan) {
        guard text.byteCount == 20, text.isEqual(to: "1 ", at: 0) else { return nil }
        guard let token = MarkerText.number(in: text, at: 2).flatMap(Token.init) else { return nil }
        if text.isEqual(to: " +", at: 18) {
            self.init(token: token, hadFilling: true)
        } else if text.isEqual(to: " -", at: 18) {
            self.init(token: token, hadFilling: false)
        } else {
            return nil
        }
    }

    public var text: [UInt8] { MarkerText.token(token) + Array(hadFilling ? " +".utf8 : " -".utf8) }
}
