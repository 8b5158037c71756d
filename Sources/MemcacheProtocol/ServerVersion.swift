internal import Bytes

/// A memcached's version: what it can do follows from it.
public struct ServerVersion: BitwiseCopyable, Sendable, Equatable, Comparable {
    /// Ordered as versions are; 0 is none.
    private var number: UInt32

    /// One that was not told, older than any.
    public static let unknown = ServerVersion(number: 0)

    private init(number: UInt32) { self.number = number }

    public init(_ major: UInt16, _ minor: UInt8, _ patch: UInt8) {
        number = UInt32(major) << 16 | UInt32(minor) << 8 | UInt32(patch)
    }

    /// Three numbers with points between; whatever stands behind them does not count. `unknown` if they are not there.
    public init(_ line: RawSpan, from start: Int) {
        var index = start
        var parts = (UInt64(0), UInt64(0), UInt64(0))
        guard Self.part(line, &index, &parts.0), Self.point(line, &index), Self.part(line, &index, &parts.1),
            Self.point(line, &index), Self.part(line, &index, &parts.2)
        else {
            self = .unknown
            return
        }
        self.init(UInt16(min(parts.0, 65535)), UInt8(min(parts.1, 255)), UInt8(min(parts.2, 255)))
    }

    private static func part(_ line: RawSpan, _ index: inout Int, _ part: inout UInt64) -> Bool {
        guard let digits = ReplyParser.digits(line, &index) else { return false }
        part = digits
        return true
    }

    private static func point(_ line: RawSpan, _ index: inout Int) -> Bool {
        guard index < line.byteCount, line.byte(at: index) == 0x2e else { return false }
        index += 1
        return true
    }

    public static func < (left: ServerVersion, right: ServerVersion) -> Bool { left.number < right.number }
}

extension ServerVersion: CustomStringConvertible {
    public var description: String {
        self == .unknown ? "unknown" : "\(number >> 16).\(number >> 8 & 0xff).\(number & 0xff)"
    }
}
