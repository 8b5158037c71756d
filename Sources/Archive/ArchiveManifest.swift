/// What a backup's folder holds, as its file `manifest` says it: lines of text, the last one the checksum (XXH3) of all
/// before it. It is replaced as a whole whenever a part of the keys is done, so that a run that was interrupted goes on
/// there.
public struct ArchiveManifest: Sendable, Equatable {
    /// A file, whole and on the disk.
    public struct File: Sendable, Equatable {
        /// In the folder.
        public var name: String
        public var part: Int
        public var records: Int
        public var blocks: Int
        public var bytes: Int

        public init(name: String, part: Int, records: Int, blocks: Int, bytes: Int) {
            (self.name, self.part) = (name, part)
            (self.records, self.blocks, self.bytes) = (records, blocks, bytes)
        }
    }

    public static let version = 1
    /// The larger one is no manifest.
    public static let limit = 16 << 20
    public static let partLimit = 1024

    public var pool: String
    /// That its blocks bear.
    public var backup: UInt64
    /// Seconds since 1970, by the clock of the proxy that began it.
    public var created: Int64
    /// Keys are dealt out to so many parts by their hash, whatever the pool's nodes are: a part that is done stays so.
    public var parts: Int
    public var files: [File] = []
    /// Parts of which all files are there.
    public var doneParts: Set<Int> = []

    /// - Parameter backup: drawn at random.
    public init(pool: String, backup: UInt64, created: Int64, parts: Int) {
        precondition((1...Self.partLimit).contains(parts))
        (self.pool, self.backup, self.created, self.parts) = (pool, backup, created, parts)
    }

    public var isComplete: Bool { doneParts.count == parts }
    public var recordCount: Int { files.reduce(0) { $0 + $1.records } }

    /// All files of a part are on the disk.
    public mutating func finish(part: Int, _ made: [File]) {
        precondition((0..<parts).contains(part) && !doneParts.contains(part) && made.allSatisfy { $0.part == part })
        files += made
        doneParts.insert(part)
    }
}
