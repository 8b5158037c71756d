internal import Glibc
internal import ProxyCore

/// The config file: YAML in, `Settings` or every mistake out.
public enum ConfigFile {
    /// Bytes that a config file may have.
    public static let maxBytes = 4 << 20

    /// Reads and checks the file at a path.
    /// - Parameter zone: that this proxy is in, whatever the file says.
    public static func load(_ path: String, zone: String? = nil) throws(ConfigErrors) -> LoadedConfig {
        try parse(bytes: try read(path), file: path, zone: zone)
    }

    /// Checks a text; `file` is only what messages call it.
    public static func parse(text: String, file: String, zone: String? = nil) throws(ConfigErrors) -> LoadedConfig {
        try parse(bytes: Array(text.utf8), file: file, zone: zone)
    }

    static func parse(bytes: [UInt8], file: String, zone: String? = nil) throws(ConfigErrors) -> LoadedConfig {
        let root = try tree(bytes: bytes, file: file)
        var reader = SettingsReader(file: file, zone: zone)
        let settings = reader.settings(root)
        return LoadedConfig(settings: settings, warnings: try reader.log.finish(), text: bytes)
    }

    /// The text's tree, with YAML's own complaints as the one error.
    static func tree(bytes: [UInt8], file: String) throws(ConfigErrors) -> YamlNode {
        guard bytes.count <= maxBytes else {
            let message = "larger than \(maxBytes >> 20) MiB; is it a config file?"
            throw ConfigErrors(cause: .invalid, errors: [ConfigFinding(file: file, message: message)])
        }
        do {
            return try YamlTree.parse(bytes)
        } catch {
            let finding = ConfigFinding(
                file: file, line: error.position.line, column: error.position.column, message: error.message)
            throw ConfigErrors(cause: .invalid, errors: [finding])
        }
    }

    /// All bytes of a file, or one more than `maxBytes` of them.
    static func read(_ path: String) throws(ConfigErrors) -> [UInt8] {
        func failed(_ what: String) -> ConfigErrors {
            let reason = unsafe String(cString: strerror(errno))
            return ConfigErrors(
                cause: .unreadable, errors: [ConfigFinding(file: path, message: "cannot \(what): \(reason)")])
        }
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failed("open the config") }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= maxBytes {
            let count = unsafe block.withUnsafeMutableBytes { room in
                unsafe Glibc.read(descriptor, room.baseAddress, room.count)
            }
            if count == 0 { break }
            if count < 0 {
                if errno == EINTR { continue }
                throw failed("read the config")
            }
            bytes += block.prefix(count)
        }
        return bytes
    }
}
