internal import Bytes

/// Gathers the records of one block after the other.
public struct BlockBuilder: ~Copyable {
    private let backup: UInt64
    private let zstd = Zstd()
    private var raw: [UInt8] = []
    private var records: UInt32 = 0
    public private(set) var blockCount: UInt32 = 0
    /// All of the file, those included that are not in a block yet.
    public private(set) var recordCount = 0

    public init(backup: UInt64) { self.backup = backup }

    /// Time for `takeBlock`.
    public var isFull: Bool { raw.count >= BlockHeader.target }
    public var isEmpty: Bool { records == 0 }

    /// Adds an item; the block must not be full.
    ///
    /// - Parameters:
    ///   - key: 1 to 250 bytes.
    ///   - expiry: seconds since 1970; -1 is never.
    ///   - valueLength: what `fill` will append, at most `ArchiveRecord.valueLimit`.
    public mutating func append(
        _ key: RawSpan, flags: UInt32, expiry: Int64, valueLength: Int, fill: (inout [UInt8]) -> Void
    ) {
        precondition(!isFull)
        if raw.isEmpty { raw.reserveCapacity(BlockHeader.target + BlockHeader.target / 8) }
        ArchiveRecord.append(key, flags: flags, expiry: expiry, valueLength: valueLength, to: &raw)
        let end = raw.count + valueLength
        fill(&raw)
        precondition(raw.count == end, "the value is not as long as was said")
        records += 1
        recordCount += 1
    }

    /// The block with its header; nil if there is no memory for it. There must be a record.
    public mutating func takeBlock() -> [UInt8]? {
        precondition(!isEmpty)
        guard let packed = zstd.packed(raw) else { return nil }
        let header = unsafe BlockHeader(
            .records, number: blockCount, records: records, rawLength: raw.count, packedLength: packed.count,
            backup: backup, bodyChecksum: BlockHeader.checksum(packed.span.bytes))
        var block: [UInt8] = []
        block.reserveCapacity(BlockHeader.length + packed.count)
        header.append(to: &block)
        block.append(contentsOf: packed)
        raw.removeAll(keepingCapacity: raw.count < 2 * BlockHeader.target)
        records = 0
        blockCount += 1
        return block
    }

    /// What ends the file. No record may be left.
    public func end() -> [UInt8] {
        precondition(isEmpty)
        let nothing: [UInt8] = []
        var block: [UInt8] = []
        unsafe BlockHeader(
            .end, number: blockCount, backup: backup, bodyChecksum: BlockHeader.checksum(nothing.span.bytes)
        ).append(to: &block)
        return block
    }
}
