internal import Bytes
internal import Glibc
internal import ProxyCore

/// The keys of a dump until their turn comes, whatever their number: put in order by when they were used last, and
/// beyond a few megabytes in a file that has no name.
///
/// Keys that were used at about the same time share a class. A class is a chain of blocks, the last one open; a block
/// begins with the number of the one before it. The first blocks stay in memory, the others go to the file.
final class KeySpill {
    static let blockSize = 8192
    private static let noBlock = UInt32.max

    /// A node's CAS number and expiry are kept, too.
    let keepsItem: Bool
    /// The open block of each class, and the one before it.
    private var open: [[UInt8]]
    private var last: [UInt32]
    private var inMemory: [[UInt8]] = []
    private let memoryBlocks: Int
    private var file: Int32 = -1
    private var blockCount: UInt32 = 0
    /// Records that were added and not taken yet.
    private(set) var count = 0
    /// The errno of the file, once it has failed: records are missing then.
    private(set) var failure: Int32?

    /// What is being read: a class, a block of it, and a place in that.
    private var readClass = 0
    private var hasReadOpen = false
    private var block: [UInt8] = []
    private var position = 0

    /// - Parameter memory: bytes that may stay in memory, beside the open blocks.
    init(keepsItem: Bool, memory: Int) {
        self.keepsItem = keepsItem
        memoryBlocks = memory / Self.blockSize
        open = Array(repeating: [], count: Recency.count)
        last = Array(repeating: Self.noBlock, count: Recency.count)
    }

    deinit { if file >= 0 { close(file) } }

    /// All are added before the first is taken.
    func add(_ key: RawSpan, _ item: DumpedItem, recency: Int) {
        if open[recency].count + SpillRecord.limit > Self.blockSize { put(recency) }
        if open[recency].isEmpty {
            open[recency].reserveCapacity(Self.blockSize)
            for place in 0..<4 { open[recency].append(UInt8(truncatingIfNeeded: last[recency] >> UInt32(8 * place))) }
        }
        SpillRecord.append(key, item, keepsItem: keepsItem, to: &open[recency])
        count += 1
    }

    /// The next record, of those used last; nil if there is none, or the file has failed.
    ///
    /// - Parameter body: gets the record and the bytes that its key lies in.
    func take<Result>(_ body: (SpillRecord, RawSpan) -> Result) -> Result? {
        while failure == nil {
            if position < block.count, block[position] != 0 {
                let block = block
                let bytes = unsafe block.span.bytes
                guard let record = SpillRecord(bytes, at: position, keepsItem: keepsItem) else {
                    failure = EIO
                    return nil
                }
                position = record.end
                count -= 1
                return body(record, bytes)
            }
            guard nextBlock() else { return nil }
        }
        return nil
    }

    // MARK: Blocks

    /// Closes the open block of a class.
    private func put(_ recency: Int) {
        let number = Int(blockCount)
        if number < memoryBlocks {
            inMemory.append(open[recency])
            open[recency] = []
        } else {
            // What is not filled reads as the end of the block.
            while open[recency].count < Self.blockSize { open[recency].append(0) }
            write(open[recency], at: number - memoryBlocks)
            open[recency].removeAll(keepingCapacity: true)
        }
        last[recency] = blockCount
        blockCount += 1
    }

    private func nextBlock() -> Bool {
        while readClass < Recency.count {
            if !hasReadOpen {
                hasReadOpen = true
                if !open[readClass].isEmpty {
                    block = open[readClass]
                    open[readClass] = []
                    position = 4
                    return true
                }
                block = []
                if read(last[readClass]) { return true }
            } else if !block.isEmpty {
                let before = (0..<4).reduce(UInt32(0)) { $0 | UInt32(block[$1]) << UInt32(8 * $1) }
                if read(before) { return true }
            }
            guard failure == nil else { return false }
            (readClass, hasReadOpen, block, position) = (readClass + 1, false, [], 0)
        }
        return false
    }

    private func read(_ number: UInt32) -> Bool {
        guard number != Self.noBlock else { return false }
        position = 4
        if Int(number) < inMemory.count {
            block = inMemory[Int(number)]
            inMemory[Int(number)] = []
            return true
        }
        if block.count != Self.blockSize { block = Array(repeating: 0, count: Self.blockSize) }
        let offset = (Int(number) - memoryBlocks) * Self.blockSize
        let count = unsafe block.withUnsafeMutableBytes { unsafe pread(file, $0.baseAddress, $0.count, offset) }
        if count != Self.blockSize { failure = count < 0 ? errno : EIO }
        return failure == nil
    }

    // MARK: The file

    private func write(_ block: [UInt8], at number: Int) {
        if file < 0 { makeFile() }
        guard failure == nil else { return }
        let offset = number * Self.blockSize
        let count = unsafe block.withUnsafeBytes { unsafe pwrite(file, $0.baseAddress, $0.count, offset) }
        if count != block.count { failure = count < 0 ? errno : ENOSPC }
    }

    /// In TMPDIR, else in /tmp; it is gone with the process.
    private func makeFile() {
        let folder = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? ""
        var path = Array("\(folder.isEmpty ? "/tmp" : folder)/drover-keys-XXXXXX".utf8CString)
        file = unsafe mkstemp(&path)
        guard file >= 0 else {
            failure = errno
            return
        }
        _ = fcntl(file, F_SETFD, FD_CLOEXEC)
        _ = unsafe unlink(path)
    }
}
