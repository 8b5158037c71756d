internal import Glibc

/// A backup's folder: its manifest, and the files that it names. One process works in it at a time.
public final class ArchiveFolder {
    public let path: String
    private let descriptor: Int32

    /// - Parameter makes: it is made if it is not there; the one that it lies in must be.
    public init(_ path: String, makes: Bool) throws(ArchiveError) {
        self.path = path
        if makes, unsafe mkdir(path, 0o700) != 0, errno != EEXIST { throw ArchiveError("make", path, errno) }
        let opened = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard opened >= 0 else { throw ArchiveError("open", path, errno) }
        descriptor = opened
        guard flock(opened, LOCK_EX | LOCK_NB) == 0 else {
            throw errno == EWOULDBLOCK
                ? ArchiveError("another backup or restore uses \(path)") : ArchiveError("lock", path, errno)
        }
    }

    deinit { close(descriptor) }

    public func file(_ name: String) -> String { "\(path)/\(name)" }

    // MARK: The manifest

    /// Nil if there is none.
    public func manifest() throws(ArchiveError) -> ArchiveManifest? {
        let name = file("manifest")
        let source = unsafe open(name, O_RDONLY | O_CLOEXEC)
        guard source >= 0 else {
            if errno == ENOENT { return nil }
            throw ArchiveError("open", name, errno)
        }
        defer { close(source) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= ArchiveManifest.limit {
            let count = unsafe block.withUnsafeMutableBytes { unsafe read(source, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw ArchiveError("read", name, errno) }
            if count == 0 { return try ArchiveManifest(bytes, name: name) }
            bytes += block[..<count]
        }
        throw ArchiveError("\(name) is larger than \(ArchiveManifest.limit >> 20) MiB")
    }

    /// The files that it names must be finished. It is on the disk when this returns, and so are their names.
    public func write(_ manifest: ArchiveManifest) throws(ArchiveError) {
        // Their names first: the manifest must never name what is not there.
        try sync()
        let writer = try ArchiveWriter(file("manifest"))
        try writer.write(Array(manifest.text.utf8))
        try writer.finish()
        try sync()
    }

    private func sync() throws(ArchiveError) {
        guard fsync(descriptor) == 0 else { throw ArchiveError("write", path, errno) }
    }

    // MARK: Resuming

    /// What a backup of a pool goes on with: its manifest, or nil for a new one. What an interrupted run has left
    /// unfinished, or finished and not named in the manifest, is dropped.
    public func resume(pool: String) throws(ArchiveError) -> ArchiveManifest? {
        let manifest = try manifest()
        if let manifest {
            guard manifest.pool == pool else { throw ArchiveError("\(path) holds a backup of pool \(manifest.pool)") }
            guard !manifest.isComplete else { throw ArchiveError("\(path) holds a backup that is complete") }
        }
        let named = Set(manifest?.files.map(\.name) ?? []).union(["manifest"])
        for name in try names() where !named.contains(name) {
            // The manifest comes first of all, so that without it nothing here is a backup's.
            let isOurs = manifest != nil && name.hasSuffix(Self.suffix)
            guard isOurs || name.hasSuffix(ArchiveWriter.temporarySuffix) else {
                if manifest == nil { throw ArchiveError("\(path) is not empty, and holds no backup") }
                continue
            }
            guard unsafe unlink(file(name)) == 0 else { throw ArchiveError("drop", file(name), errno) }
        }
        return manifest
    }

    /// Of the files with blocks.
    static let suffix = ".blocks"

    /// Of the file with a part's items from one node.
    public static func name(part: Int, node: Int) -> String { "\(part)-\(node)\(suffix)" }

    private func names() throws(ArchiveError) -> [String] {
        guard let folder = unsafe opendir(path) else { throw ArchiveError("read", path, errno) }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
                unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}

@available(*, unavailable, message: "one thread works in it")
extension ArchiveFolder: Sendable {}
