import Bytes
import DroverTesting
import Glibc
import Testing

@testable import Archive

/// The manifest, and what becomes of runs that were interrupted.
struct FolderTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private static let manifest = {
        var manifest = ArchiveManifest(pool: "ma in %\u{e9}\n", backup: .max, created: 1_795_225_659, parts: 4)
        manifest.finish(part: 2, [])
        let files = [ArchiveManifest.File(name: "1-0.blocks", part: 1, records: 10, blocks: 2, bytes: 3000)]
        manifest.finish(part: 1, files + [.init(name: "1-2.blocks", part: 1, records: 1, blocks: 1, bytes: 100)])
        return manifest
    }()

    @Test func theManifestReadsAsDocumented() {
        var manifest = ArchiveManifest(pool: "main", backup: 5, created: 100, parts: 2)
        manifest.finish(part: 1, [.init(name: "1-0.blocks", part: 1, records: 10, blocks: 2, bytes: 3000)])
        let lines = manifest.text.split(separator: "\n")
        #expect(
            lines.dropLast() == [
                "drover-backup 1", "pool main", "backup 5", "created 100", "parts 2", "file 1-0.blocks 1 10 2 3000",
                "done 1",
            ])
        #expect(lines.last?.hasPrefix("checksum ") == true)
    }

    @Test func theManifestIsReadAsItWasWritten() throws {
        let folder = try ArchiveFolder(directory.path, makes: false)
        #expect(try folder.manifest() == nil)
        try folder.write(Self.manifest)
        #expect(try folder.manifest() == Self.manifest)
    }

    @Test func everyByteOfTheManifestCounts() throws {
        let text = Array(Self.manifest.text.utf8)
        for place in text.indices {
            var changed = text
            changed[place] ^= 1
            #expect(throws: ArchiveError.self) { try ArchiveManifest(changed, name: "manifest") }
            #expect(throws: ArchiveError.self) { try ArchiveManifest(Array(text[..<place]), name: "manifest") }
        }
        var later = text
        later[14] = 0x32
        #expect { try ArchiveManifest(later, name: "DIR/manifest") } throws: {
            "\($0)" == "DIR/manifest has version 2, and this program knows 1"
        }
    }

    @Test(arguments: ["../x.blocks", "a/b", ".hidden", "", "x.unfinished", "X", "a b"])
    func aFileStaysInTheFolder(name: String) {
        #expect(!ArchiveManifest.isFileName(name))
        #expect(ArchiveManifest.isFileName(ArchiveFolder.name(part: 12, node: 345)))
    }

    @Test func anInterruptedRunGoesOnAtItsParts() throws {
        var manifest = ArchiveManifest(pool: "main", backup: 5, created: 100, parts: 2)
        do {
            let folder = try ArchiveFolder(directory.path, makes: true)
            #expect(try folder.resume(pool: "main") == nil)
            try folder.write(manifest)
            try Self.write(folder.file("0-0.blocks"))
            manifest.finish(part: 0, [.init(name: "0-0.blocks", part: 0, records: 0, blocks: 0, bytes: 56)])
            try folder.write(manifest)
            // Finished, but not in the manifest; not finished; and another's.
            try Self.write(folder.file("1-0.blocks"))
            try Self.write(folder.file("1-1.blocks.unfinished"))
            try Self.write(folder.file("notes"))
        }
        let folder = try ArchiveFolder(directory.path, makes: true)
        #expect(try folder.resume(pool: "main") == manifest)
        #expect(Self.exists(folder.file("0-0.blocks")))
        #expect(Self.exists(folder.file("notes")))
        #expect(!Self.exists(folder.file("1-0.blocks")))
        #expect(!Self.exists(folder.file("1-1.blocks.unfinished")))
        #expect(throws: ArchiveError.self) { try folder.resume(pool: "other") }
        manifest.finish(part: 1, [])
        #expect(manifest.isComplete)
        try folder.write(manifest)
        #expect(throws: ArchiveError.self) { try folder.resume(pool: "main") }
    }

    @Test func aFolderWithOtherThingsIsLeftAlone() throws {
        for name in ["notes", "0-0.blocks"] {
            let inner = try TemporaryDirectory()
            try Self.write(inner.file(name))
            let folder = try ArchiveFolder(inner.path, makes: true)
            #expect(throws: ArchiveError.self) { try folder.resume(pool: "main") }
            #expect(Self.exists(folder.file(name)))
        }
    }

    @Test func oneProcessWorksInAFolder() throws {
        let first = try ArchiveFolder(directory.path, makes: false)
        #expect { try ArchiveFolder(directory.path, makes: false) } throws: {
            "\($0)" == "another backup or restore uses \(first.path)"
        }
    }

    @Test func aFileHasItsNameWhenItIsWhole() throws {
        let path = directory.file("0-0.blocks")
        do {
            let writer = try ArchiveWriter(path)
            try writer.write([1, 2, 3])
            #expect(!Self.exists(path))
        }
        #expect(!Self.exists(path + ".unfinished"))
        try Self.write(path)
        #expect(Self.exists(path))
    }

    @Test func whatCannotBeReadIsSaid() throws {
        #expect { try ArchiveReader(directory.file("none"), backup: nil) } throws: {
            "\($0)" == "cannot open \(directory.file("none")): No such file or directory"
        }
        #expect(throws: ArchiveError.self) { try ArchiveReader(directory.path, backup: nil) }
        #expect(throws: ArchiveError.self) { try ArchiveFolder(directory.file("none"), makes: false) }
    }

    private static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    private static func write(_ path: String) throws {
        let writer = try ArchiveWriter(path)
        try writer.write([0])
        try writer.finish()
    }
}
