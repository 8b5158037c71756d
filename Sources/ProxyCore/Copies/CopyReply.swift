internal import Bytes
public import MemcacheProtocol

/// What one copy's answer to a command says of the item.
public struct CopyReply: BitwiseCopyable, Equatable, Sendable {
    public var code: ReplyCode
    /// incr, decr, and ma with `v`: the counter's value.
    public var number: UInt64 = 0
    /// mg: who is to fill the cache anew.
    public var marks: RecacheMarks = []

    public init(_ code: ReplyCode, number: UInt64 = 0, marks: RecacheMarks = []) {
        self.code = code
        self.number = number
        self.marks = marks
    }

    /// - Parameters:
    ///   - header: the line, or the header before a value, with its CR LF.
    ///   - value: the value behind a header, with its CR LF or without; empty if there is none.
    public init(_ code: ReplyCode, to verb: Verb, header: RawSpan, value: RawSpan) {
        self.code = code
        switch (verb, code) {
        case (.incr, .number), (.decr, .number): number = Self.number(header)
        case (.metaArithmetic, .value): number = Self.number(value)
        case (.metaGet, .hd), (.metaGet, .value): marks = RecacheMarks(in: header)
        default: break
        }
    }

    /// The digits that the bytes begin with; a counter has 64 bits.
    private static func number(_ bytes: RawSpan) -> UInt64 {
        var number: UInt64 = 0
        for index in 0..<bytes.byteCount {
            let digit = bytes.byte(at: index) &- ASCII.zero
            guard digit < 10 else { break }
            number = number &* 10 &+ UInt64(digit)
        }
        return number
    }
}
