internal import Glibc

/// A file or folder of a backup could not be read or written, or is no such thing.
public struct ArchiveError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) { self.description = description }

    /// What the system said when something could not be done.
    init(_ what: String, _ path: String, _ code: Int32) {
        let reason = unsafe strerror(code).map { unsafe String(cString: $0) } ?? "errno \(code)"
        description = "cannot \(what) \(path): \(reason)"
    }
}

/// What of a backup's file cannot be restored.
public enum ArchiveDamage: Sendable, Equatable {
    /// These bytes of the file are no block.
    case bytes(Range<Int>)
    /// The block's records, so many, do not have the checksum that they were written with, or make no sense.
    case block(UInt32, records: Int, at: Int)
    /// These blocks are not there.
    case missing(Range<UInt32>)
    /// The block is there once more.
    case repeated(UInt32, at: Int)
    /// The file ends before its last block.
    case cutOff(at: Int)
    /// A block of a later version.
    case unknownVersion(UInt16, at: Int)

    public var text: String {
        switch self {
        case .bytes(let range): "bytes \(range.lowerBound) to \(range.upperBound - 1) are no block"
        case .block(let number, let records, let offset):
            "block \(number) at byte \(offset) is damaged: \(records) items are lost"
        case .missing(let numbers) where numbers.count == 1: "block \(numbers.lowerBound) is missing"
        case .missing(let numbers): "blocks \(numbers.lowerBound) to \(numbers.upperBound - 1) are missing"
        case .repeated(let number, let offset): "block \(number) is there again at byte \(offset)"
        case .cutOff(let offset): "it is cut off at byte \(offset)"
        case .unknownVersion(let version, let offset):
            "the block at byte \(offset) has version \(version), and this program knows \(BlockHeader.version)"
        }
    }
}
