internal import Distribution
internal import ProxyCore

/// twemproxy's `nutcracker.yml` in our words: the same keys on the same nodes.
public enum TwemproxyFile {
    /// A file of ours, and what it could not keep.
    public struct Converted: Sendable, Equatable {
        /// YAML that `ConfigFile.parse` takes.
        public var text: String
        /// What is lost or differs, in the order of twemproxy's file.
        public var notes: [ConfigFinding]
    }

    /// Reads and converts the file at a path.
    public static func convert(path: String) throws(ConfigErrors) -> Converted {
        try convert(bytes: try ConfigFile.read(path), file: path)
    }

    /// Converts a text; `file` is only what messages call it.
    public static func convert(text: String, file: String) throws(ConfigErrors) -> Converted {
        try convert(bytes: Array(text.utf8), file: file)
    }

    private static func convert(bytes: [UInt8], file: String) throws(ConfigErrors) -> Converted {
        let root = try ConfigFile.tree(bytes: bytes, file: file)
        var reader = TwemproxyReader(file: file)
        let pools = reader.pools(root)
        let notes = try reader.values.log.finish()
        let text = TwemproxyText.file(pools)
        // What twemproxy takes and we do not (two nodes of one address, say) shows here.
        do {
            _ = try ConfigFile.parse(text: text, file: "\(file), converted")
        } catch {
            throw ConfigErrors(cause: .invalid, errors: error.errors, warnings: notes)
        }
        return Converted(text: text, notes: notes)
    }
}

/// One pool of twemproxy's file, its meaning in our types.
struct TwemproxyPool {
    var settings: PoolSettings
    /// nil is no limit, twemproxy's default.
    var clients: Int?
    var ejects = false
}

/// Our YAML from twemproxy's pools. Every value that bears on placement or failure is written out.
enum TwemproxyText {
    static func file(_ pools: [TwemproxyPool]) -> String {
        "pools:\n" + pools.map(pool).joined(separator: "\n")
    }

    private static func pool(_ pool: TwemproxyPool) -> String {
        let settings = pool.settings
        var lines = ["  \(settings.name):"]
        lines.append("    listen: [" + settings.listen.map { quoted($0.description) }.joined(separator: ", ") + "]")
        lines.append("    nodes:")
        lines += settings.nodes.map { "      - " + quoted(node($0)) }
        lines.append("    distribution: \(settings.distribution.rawValue)")
        lines.append("    hash: \(settings.hash.rawValue)")
        if let tag = settings.hashTag {
            lines.append("    hash_tag: " + quoted(String(decoding: [tag.open, tag.close], as: UTF8.self)))
        }
        lines.append("    when_down: \(settings.whenDown.rawValue)")
        if pool.ejects { lines.append("    proxies: \(settings.proxies.rawValue)") }
        lines.append("    timeout: \(Units.text(ofDuration: settings.timeout))")
        lines.append("    connect_timeout: \(Units.text(ofDuration: settings.connectTimeout))")
        if pool.ejects {
            let interval = Units.text(ofDuration: settings.probeInterval)
            lines.append("    fail_after: \(settings.failAfter)")
            lines.append("    probe: {interval: \(interval), max: \(interval)}")
        }
        if let clients = pool.clients { lines.append("    limits: {clients: \(clients)}") }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func node(_ node: NodeSettings) -> String {
        let name = node.name.map { " " + $0 } ?? ""
        return "\(node.address):\(node.weight)\(name)"
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for character in text.unicodeScalars {
            if character == "\"" || character == "\\" { result += "\\" }
            result.unicodeScalars.append(character)
        }
        return result + "\""
    }
}
