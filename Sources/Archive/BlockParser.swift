internal import Bytes

/// What comes next in a backup's file: a block, or bytes that are none. One call, one answer; it never stops at damage.
enum BlockStep: Equatable {
    /// So many bytes must be there; at the end of the file it is not answered.
    case needMore(Int)
    /// Its packed records are behind the header.
    case block(BlockHeader)
    case end(BlockHeader)
    /// So many bytes are no block, or of a damaged one; of which is told where its header is intact.
    case damaged(count: Int, of: BlockHeader?)
    /// A header of a later version, and what belongs to it as far as can be seen.
    case unknownVersion(UInt16, count: Int)
}

enum BlockParser {
    /// Bytes that are looked at for a header before damage is told, so that memory stays bounded.
    static let window = 64 << 10

    /// - Parameters:
    ///   - bytes: of the file, from where the last step ended; at least one.
    ///   - left: bytes of the file from there to its end, whether they are in `bytes` or not.
    ///   - backup: whose blocks count; nil is any.
    static func next(_ bytes: RawSpan, left: Int, backup: UInt64?) -> BlockStep {
        let isLast = bytes.byteCount >= left
        guard bytes.byteCount >= BlockHeader.length else {
            return isLast ? .damaged(count: bytes.byteCount, of: nil) : .needMore(BlockHeader.length)
        }
        switch BlockHeader.read(bytes, at: 0) {
        case .none: return .damaged(count: damage(bytes, isLast: isLast), of: nil)
        case .unknownVersion(let version): return .unknownVersion(version, count: damage(bytes, isLast: isLast))
        case .header(let header):
            if let backup, header.backup != backup { return .damaged(count: damage(bytes, isLast: isLast), of: nil) }
            if header.kind == .end { return .end(header) }
            let whole = BlockHeader.length + Int(header.packedLength)
            if whole > bytes.byteCount, whole <= left { return .needMore(whole) }
            // Where bytes of the block were lost, the next one begins early: it is looked for from here on.
            guard whole <= bytes.byteCount,
                BlockHeader.checksum(bytes.extracting(BlockHeader.length..<whole)) == header.bodyChecksum
            else { return .damaged(count: damage(bytes, isLast: isLast), of: header) }
            return .block(header)
        }
    }

    /// How many bytes from the first on are no block's begin, as far as can be seen.
    private static func damage(_ bytes: RawSpan, isLast: Bool) -> Int {
        let last = bytes.byteCount - 8
        var index = 1
        while index <= last {
            if bytes.word(at: index) == BlockHeader.magic { return index }
            index += 1
        }
        // A magic may have begun that goes on behind them.
        return isLast ? bytes.byteCount : max(1, last + 1)
    }
}
