import Glibc
import ProxyConfig
import ProxyCore
import Testing

/// The files in `conf/` are what the README shows: each is right and without warnings.
struct ExampleTests {
    /// `conf/` beside `Tests/`.
    static let folder: String = {
        let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        return parts.joined(separator: "/") + "/conf"
    }()

    static func names() -> [String] {
        guard let directory = unsafe opendir(folder) else { return [] }
        defer { unsafe _ = closedir(directory) }
        var names: [String] = []
        while let entry = unsafe readdir(directory) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(".yml") { names.append(name) }
        }
        return names.sorted()
    }

    @Test func everyFileIsRight() throws {
        let names = Self.names()
        for name in ["drover", "sidecar", "tier", "replicated", "standby", "hybrid"] {
            #expect(names.contains("\(name).yml"))
        }
        for name in names {
            let loaded = try ConfigFile.load("\(Self.folder)/\(name)")
            #expect(loaded.warnings == [], "\(name)")
            #expect(!loaded.settings.pools.isEmpty)
        }
    }

    /// The annotated file says of each value that it is the default, and these are.
    @Test func theAnnotatedFileShowsTheDefaults() throws {
        var settings = try ConfigFile.load("\(Self.folder)/drover.yml").settings
        settings.pools[0].hashTag = nil
        settings.pools[0].ownZone = nil
        let plain = PoolSettings(name: "main", listen: settings.pools[0].listen, nodes: settings.pools[0].nodes)
        #expect(settings.workers == nil)
        #expect(settings.pools == [plain])
    }
}
