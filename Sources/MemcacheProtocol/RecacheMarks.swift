internal import Bytes

/// What the answer to a mg says, behind the flags that were asked for, of who is to fill the cache anew.
public struct RecacheMarks: OptionSet, BitwiseCopyable, Sendable {
    public let rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// `W`: who asked.
    @inlinable public static var won: RecacheMarks { RecacheMarks(rawValue: 1 << 0) }
    /// `X`: the item is stale.
    @inlinable public static var stale: RecacheMarks { RecacheMarks(rawValue: 1 << 1) }
    /// `Z`: somebody else has been told to.
    @inlinable public static var sent: RecacheMarks { RecacheMarks(rawValue: 1 << 2) }

    /// - Parameter header: the line, or the header before the value, with its CR LF.
    ///
    /// Wrong only for a key that is given in base64, echoed decoded as the last flag, and ends like such marks.
    public init(in header: RawSpan) {
        self = []
        var end = header.byteCount - 2
        while end > 3, header.byte(at: end - 2) == ASCII.space {
            switch header.byte(at: end - 1) {
            case 0x57: insert(.won)
            case 0x58: insert(.stale)
            case 0x5a: insert(.sent)
            default: return
            }
            end -= 2
        }
    }
}
