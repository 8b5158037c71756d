internal import Bytes
internal import Distribution

/// What stands in front of each block of a backup's file.
///
///     magic (8) | version (2) | kind (1) | 0 (1) | number (4) | records (4) | unpacked length (4) | packed length (4)
///     | 0 (4) | backup (8) | checksum of what follows (8) | checksum of the 48 bytes before (8) | packed records
///
/// Checksums are XXH3 with 64 bits. Later versions may mean other things by the fields, but keep the length of the
/// header, its magic and version, and the checksum at its end: a reader can say what it does not know.
struct BlockHeader: BitwiseCopyable, Sendable, Equatable {
    enum Kind: UInt8, BitwiseCopyable, Sendable {
        case records = 1
        /// The last one, without records; its number tells how many are before it.
        case end = 2
    }

    /// `\x89DROVER\n`: no text, and broken by whatever changes line ends or drops eighth bits.
    static let magic: UInt64 = 0x0a52_4556_4f52_4489
    static let version: UInt16 = 1
    static let length = 56
    /// Bytes of records after which a block is closed; the last one may be as long as it is.
    static let target = 256 << 10
    static let rawLimit = target + ArchiveRecord.headLength + ArchiveRecord.keyLimit + ArchiveRecord.valueLimit
    /// libzstd's own bound for bytes that cannot be compressed, roughly.
    static let packedLimit = rawLimit + rawLimit / 128

    var kind: Kind
    /// In its file, from 0 on.
    var number: UInt32
    var records: UInt32
    var rawLength: UInt32
    var packedLength: UInt32
    /// Which backup it belongs to: a number drawn at random, so that nothing else passes for its block, be it bytes
    /// that a client has put into a value.
    var backup: UInt64
    var bodyChecksum: UInt64

    init(
        _ kind: Kind, number: UInt32, records: UInt32 = 0, rawLength: Int = 0, packedLength: Int = 0, backup: UInt64,
        bodyChecksum: UInt64
    ) {
        (self.kind, self.number, self.records, self.backup) = (kind, number, records, backup)
        (self.rawLength, self.packedLength) = (UInt32(rawLength), UInt32(packedLength))
        self.bodyChecksum = bodyChecksum
    }

    enum Reading: Equatable {
        case header(BlockHeader)
        /// Intact, but of a version that this program does not know.
        case unknownVersion(UInt16)
        case none
    }

    /// - Parameter start: `length` bytes must be there.
    static func read(_ bytes: RawSpan, at start: Int) -> Reading {
        guard bytes.word(at: start) == magic,
            checksum(bytes.extracting(start..<(start + length - 8))) == bytes.word(at: start + length - 8)
        else { return .none }
        let version = UInt16(truncatingIfNeeded: bytes.word(at: start + 8))
        guard version == Self.version else { return .unknownVersion(version) }
        func number(_ offset: Int) -> UInt32 { UInt32(truncatingIfNeeded: bytes.word(at: start + offset)) }
        guard let kind = Kind(rawValue: bytes.byte(at: start + 10)), bytes.byte(at: start + 11) == 0, number(28) == 0
        else { return .none }
        let header = BlockHeader(
            kind, number: number(12), records: number(16), rawLength: Int(number(20)), packedLength: Int(number(24)),
            backup: bytes.word(at: start + 32), bodyChecksum: bytes.word(at: start + 40))
        return header.isSensible ? .header(header) : .none
    }

    /// Its lengths are such as a writer writes.
    private var isSensible: Bool {
        switch kind {
        case .end: records == 0 && rawLength == 0 && packedLength == 0
        case .records:
            Int(rawLength) <= Self.rawLimit && Int(packedLength) <= Self.packedLimit && records > 0
                && number < .max && Int(records) <= Int(rawLength) / (ArchiveRecord.headLength + 1)
        }
    }

    func append(to bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.append(number: Self.magic, count: 8)
        bytes.append(number: UInt64(Self.version), count: 2)
        bytes.append(number: UInt64(kind.rawValue), count: 2)
        for field in [number, records, rawLength, packedLength, 0] { bytes.append(number: UInt64(field), count: 4) }
        bytes.append(number: backup, count: 8)
        bytes.append(number: bodyChecksum, count: 8)
        let sum = unsafe Self.checksum(bytes.span.bytes.extracting(start..<bytes.count))
        bytes.append(number: sum, count: 8)
    }

    static func checksum(_ bytes: RawSpan) -> UInt64 { KeyHash.xxh3.hash(bytes) }
}
