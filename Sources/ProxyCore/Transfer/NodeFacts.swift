internal import Bytes
public import MemcacheProtocol

/// What a transfer has to know of a node before it can begin, from its `stats` and `stats settings`.
public struct NodeFacts: BitwiseCopyable, Sendable, Equatable {
    /// By the node's clock, in seconds.
    public private(set) var unixTime: Int64?
    public private(set) var version = ServerVersion.unknown
    /// Bytes of the largest item, key and header included.
    public private(set) var itemSizeMax: Int?
    /// It gives CAS numbers.
    public private(set) var keepsCAS = true

    public init() {}

    /// - Parameter line: `STAT time 1795225659` and the like, with its CR LF or without.
    public mutating func read(_ line: RawSpan) {
        if let number = Self.number(line, behind: "STAT time ") {
            unixTime = Int64(number)
        } else if let number = Self.number(line, behind: "STAT item_size_max ") {
            itemSizeMax = number
        } else if line.isEqual(to: "STAT cas_enabled no", at: 0) {
            keepsCAS = false
        } else if line.isEqual(to: "STAT version ", at: 0) {
            version = ServerVersion(line, from: 13)
        }
    }

    /// Before 1.6.10 the commands of a transfer were spelled differently.
    public var isTooOld: Bool { version.lacksMetaSet }

    public enum Dump: BitwiseCopyable, Sendable, Equatable {
        /// All keys that are there while it runs. Before 1.6.19 a reader that stops, and be it because its process is
        /// frozen, stops the whole node.
        case hash
        /// A few in ten thousand may be missing; a reader that stops harms nobody.
        case all

        public var command: StaticString {
            switch self {
            case .hash: "lru_crawler metadump hash\r\n"
            case .all: "lru_crawler metadump all\r\n"
            }
        }
    }

    /// - Parameter servesReads: clients read from the node, and what is missing in the dump will be a miss. Otherwise
    ///   what is missing might stay on the node although it is stale.
    public func dump(servesReads: Bool) -> Dump { servesReads && version.dumpsMayLackItems ? .all : .hash }

    private static func number(_ line: RawSpan, behind name: StaticString) -> Int? {
        guard line.isEqual(to: name, at: 0) else { return nil }
        return digits(line, from: name.utf8CodeUnitCount)?.value
    }

    /// A number of at most twelve digits.
    private static func digits(_ line: RawSpan, from start: Int) -> (value: Int, end: Int)? {
        var (value, index) = (0, start)
        while index < line.byteCount, index < start + 12 {
            let digit = line.byte(at: index) &- ASCII.zero
            guard digit <= 9 else { break }
            value = value * 10 + Int(digit)
            index += 1
        }
        return index > start ? (value, index) : nil
    }
}

extension ServerVersion {
    /// Before 1.6.10 ms was spelled differently: its data block would be taken for a command.
    public var lacksMetaSet: Bool { self < ServerVersion(1, 6, 10) }

    /// A dump of all that is there, without harm, is 1.6.19's.
    public var dumpsMayLackItems: Bool { self < ServerVersion(1, 6, 19) }
}
