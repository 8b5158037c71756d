internal import Bytes
public import MemcacheProtocol

/// One command on a marker of one node.
public struct MarkerCommand: Equatable, Sendable {
    public enum Action: Equatable, Sendable {
        /// mg: it also keeps the item from being evicted.
        case read
        /// ms, as `condition` says.
        case store([UInt8], Condition)
        /// md, whatever is there.
        case delete
        /// md, of this CAS number only.
        case deleteSame(UInt64)
    }

    public enum Condition: Equatable, Sendable {
        case always, ifMissing
        case ifSame(UInt64)
    }

    public let node: Int
    public let item: MarkerItem
    public let action: Action

    /// Seconds that the item lives; 0 is for ever.
    let life: UInt64

    /// - Parameter life: in seconds; nil is as usual.
    public init(node: Int, item: MarkerItem, _ action: Action, life: UInt64? = nil) {
        self.life = life ?? (item == .lease || item == .dump ? Lease.life : 0)
        self.node = node
        self.item = item
        self.action = action
    }

    /// The command with its CR LF, value included: at most 400 bytes, but for `former`.
    public func bytes(names: [String]) -> [UInt8] {
        let key = item.key(names: names)
        switch action {
        case .read: return Array("mg ".utf8) + key + Array(" v c\r\n".utf8)
        case .delete: return Array("md ".utf8) + key + Array("\r\n".utf8)
        case .deleteSame(let cas): return Array("md ".utf8) + key + Array(" C\(cas)\r\n".utf8)
        case .store(let text, let condition):
            let guardFlag =
                switch condition {
                case .always: ""
                case .ifMissing: " ME"
                case .ifSame(let cas): " C\(cas)"
                }
            return Array("ms ".utf8) + key + Array(" \(text.count) c T\(life)\(guardFlag)\r\n".utf8) + text
                + Array("\r\n".utf8)
        }
    }
}

/// What a node answered to such a command.
public enum MarkerReply: Equatable, Sendable {
    /// VA: the item and its CAS number.
    case value([UInt8], cas: UInt64)
    /// EN, or NF to a md.
    case missing
    /// HD, with the new CAS number after a ms.
    case done(cas: UInt64)
    /// NS, EX, or NF to a ms: someone else was there.
    case refused
    /// No answer, or none that fits.
    case failed
}

extension MarkerItem {
    /// Takes `scrub` for so many seconds, if nobody has it.
    public static func scrubCommand(_ owner: Token, seconds: UInt64) -> [UInt8] {
        let text = MarkerText.token(owner)
        return Array("ms ".utf8) + scrub.key(names: []) + Array(" \(text.count) T\(seconds) ME\r\n".utf8) + text
            + Array("\r\n".utf8)
    }

    /// Counts the tick on, or begins it, and asks for its CAS number.
    public static var tickCommand: [UInt8] { Array("ma ".utf8) + tick.key(names: []) + Array(" N0 c\r\n".utf8) }

    /// The node's CAS number by the answer to that; 0 where it keeps none.
    public static func tickCAS(_ code: ReplyCode, line: RawSpan) -> UInt64 {
        code == .hd ? MarkerReply.cas(in: line) : 0
    }
}
