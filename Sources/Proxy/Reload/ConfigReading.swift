public import ProxyCore

/// A config, and the text that it was read from.
public struct ConfigSource: Sendable {
    public var settings: Settings
    public var file: String
    public var text: [UInt8]

    public init(_ settings: Settings, file: String, text: [UInt8]) {
        (self.settings, self.file, self.text) = (settings, file, text)
    }
}

/// What came of reading the config once more.
public enum ConfigReading: Sendable {
    case settings(ConfigSource, warnings: [String])
    /// It cannot be read, or is wrong: each with file, line and reason.
    case refused([String])
}
