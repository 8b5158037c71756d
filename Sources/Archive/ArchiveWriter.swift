internal import Bytes
internal import Glibc

/// Writes a file of a backup. It has a temporary name until it is whole and on the disk: what has its name is whole.
public final class ArchiveWriter {
    /// What marks a file that is not whole; the folder drops those that a run has left.
    static let temporarySuffix = ".unfinished"

    private let path: String
    private var file: Int32
    public private(set) var byteCount = 0

    public init(_ path: String) throws(ArchiveError) {
        self.path = path
        let name = path + Self.temporarySuffix
        file = unsafe open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw ArchiveError("make", name, errno) }
    }

    /// Drops what is not finished.
    deinit {
        guard file >= 0 else { return }
        close(file)
        _ = unsafe unlink(path + Self.temporarySuffix)
    }

    public func write(_ bytes: [UInt8]) throws(ArchiveError) {
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { all in
                unsafe Glibc.write(file, all.baseAddress.map { unsafe $0 + done }, all.count - done)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw ArchiveError("write", path, count < 0 ? errno : ENOSPC) }
            done += count
        }
        byteCount += done
    }

    /// It is whole: on the disk first, under its name then. That the name is on the disk is up to the folder.
    public func finish() throws(ArchiveError) {
        guard fsync(file) == 0 else { throw ArchiveError("write", path, errno) }
        let closed = close(file)
        file = -1
        guard closed == 0, unsafe rename(path + Self.temporarySuffix, path) == 0 else {
            throw ArchiveError("write", path, errno)
        }
    }
}

@available(*, unavailable, message: "one thread writes it")
extension ArchiveWriter: Sendable {}
