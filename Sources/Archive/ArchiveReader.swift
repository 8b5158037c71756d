internal import Glibc

/// Reads a backup's file, block by block. Damage is told where it is found, and reading goes on behind it.
public final class ArchiveReader {
    public enum Item: Sendable, Equatable {
        case block(ArchiveBlock)
        case damage(ArchiveDamage)
    }

    private let path: String
    private let backup: UInt64?
    private let file: Int32
    private let size: Int
    private let zstd = Zstd()
    /// Of the file, from `position` on; what is behind `start` is not read yet.
    private var buffer: [UInt8] = []
    private var start = 0
    private var position = 0
    /// Bytes that were found to be no block, and are not told yet.
    private var damaged: Range<Int>?
    private var pending: [Item] = []
    /// The number of the block that ought to come.
    private var expected: UInt32 = 0
    private var hasEnd = false
    private var isOver = false

    /// - Parameter backup: whose blocks count, as the manifest says it; nil is any.
    public init(_ path: String, backup: UInt64?) throws(ArchiveError) {
        (self.path, self.backup) = (path, backup)
        let opened = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard opened >= 0 else { throw ArchiveError("open", path, errno) }
        file = opened
        var status = stat()
        let code = unsafe fstat(opened, &status) == 0 ? (status.st_mode & S_IFMT == S_IFREG ? 0 : EINVAL) : errno
        size = Int(status.st_size)
        guard code == 0 else { throw ArchiveError("read", path, code) }
    }

    deinit { close(file) }

    /// Nil at the end of the file.
    public func next() throws(ArchiveError) -> Item? {
        while pending.isEmpty, !isOver { try step() }
        return pending.isEmpty ? nil : pending.removeFirst()
    }

    private func step() throws(ArchiveError) {
        guard position < size else { return finish() }
        if start == buffer.count { try load(BlockParser.window) }
        switch parsed() {
        case .needMore(let count): try load(max(count, BlockParser.window))
        case .damaged(let count, of: let header):
            if let header {
                spoiled(header)
            } else {
                damaged = (damaged?.lowerBound ?? position)..<(position + count)
            }
            move(count)
        case .unknownVersion(let version, let count):
            tell(.unknownVersion(version, at: position))
            move(count)
        case .end(let header):
            tellDamage()
            if header.number > expected { tell(.missing(expected..<header.number)) }
            (hasEnd, expected) = (true, max(expected, header.number))
            move(BlockHeader.length)
        case .block(let header): take(header)
        }
    }

    private func parsed() -> BlockStep {
        let buffer = buffer
        let bytes = unsafe buffer.span.bytes.extracting(start..<buffer.count)
        return BlockParser.next(bytes, left: size - position, backup: backup)
    }

    private func take(_ header: BlockHeader) {
        let length = BlockHeader.length + Int(header.packedLength)
        let buffer = buffer
        let body = unsafe buffer.span.bytes.extracting((start + BlockHeader.length)..<(start + length))
        let raw = zstd.unpacked(body, count: Int(header.rawLength))
        if let block = raw.flatMap({ ArchiveBlock(header, $0) }) {
            if follows(header) { pending.append(.block(block)) }
        } else {
            spoiled(header)
        }
        move(length)
    }

    private func spoiled(_ header: BlockHeader) {
        if follows(header) { tell(.block(header.number, records: Int(header.records), at: position)) }
    }

    /// What is missing before it is told; false if the block was there already.
    private func follows(_ header: BlockHeader) -> Bool {
        tellDamage()
        guard header.number >= expected else {
            tell(.repeated(header.number, at: position))
            return false
        }
        if header.number > expected { tell(.missing(expected..<header.number)) }
        expected = header.number + 1
        return true
    }

    private func finish() {
        tellDamage()
        if !hasEnd { tell(.cutOff(at: size)) }
        isOver = true
    }

    private func tell(_ damage: ArchiveDamage) { pending.append(.damage(damage)) }

    private func tellDamage() {
        if let damaged { tell(.bytes(damaged)) }
        damaged = nil
    }

    // MARK: The file

    private func move(_ count: Int) { (start, position) = (start + count, position + count) }

    /// At least so many bytes from `position` on, or all that are left. The caller has seen that the file has them:
    /// no header makes the buffer larger than the file.
    private func load(_ wanted: Int) throws(ArchiveError) {
        buffer.removeFirst(start)
        start = 0
        let total = min(wanted, size - position)
        while buffer.count < total {
            let filled = buffer.count
            let room = total - filled
            buffer.append(contentsOf: repeatElement(0, count: room))
            let count = unsafe buffer.withUnsafeMutableBytes { bytes in
                unsafe pread(file, bytes.baseAddress.map { unsafe $0 + filled }, room, position + filled)
            }
            let code = errno
            buffer.removeLast(room - max(0, count))
            if count < 0, code == EINTR { continue }
            if count < 0 { throw ArchiveError("read", path, code) }
            if count == 0 { throw ArchiveError("\(path) was cut off while it was read") }
        }
    }
}

@available(*, unavailable, message: "one thread reads it")
extension ArchiveReader: Sendable {}

/// The records of one block, all of which are valid.
public struct ArchiveBlock: Sendable, Equatable {
    /// In its file, from 0 on.
    public let number: UInt32
    public let count: Int
    private let raw: [UInt8]

    /// Nil unless the bytes are as many valid records as the header says.
    init?(_ header: BlockHeader, _ raw: [UInt8]) {
        (number, count, self.raw) = (header.number, Int(header.records), raw)
        let bytes = unsafe raw.span.bytes
        var (place, found) = (0, 0)
        while place < bytes.byteCount {
            guard let record = ArchiveRecord(bytes, at: place) else { return nil }
            (place, found) = (record.end, found + 1)
        }
        guard found == count else { return nil }
    }

    /// - Parameter body: gets each record and the bytes that its key and value lie in.
    public func forEach(_ body: (ArchiveRecord, RawSpan) -> Void) {
        let bytes = unsafe raw.span.bytes
        var place = 0
        while let record = ArchiveRecord(bytes, at: place) {
            body(record, bytes)
            place = record.end
        }
    }
}
