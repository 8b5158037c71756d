public import ProxyCore

/// One thing to say about a file, and where.
public struct ConfigFinding: Sendable, Equatable, CustomStringConvertible {
    public var file: String
    /// From 1; 0 is the file as a whole.
    public var line: Int
    /// From 1, in characters; 0 is the file as a whole.
    public var column: Int
    /// What is wrong and what to do about it, on one line.
    public var message: String

    public init(file: String, line: Int = 0, column: Int = 0, message: String) {
        self.file = file
        self.line = line
        self.column = column
        self.message = message
    }

    /// `FILE:LINE:COLUMN: message`, as compilers write it.
    public var description: String {
        line == 0 ? "\(file): \(message)" : "\(file):\(line):\(column): \(message)"
    }
}

/// Every mistake of a file, in the file's order; never empty.
public struct ConfigErrors: Error, Sendable, Equatable, CustomStringConvertible {
    public enum Cause: Sendable, Equatable {
        /// The file could not be read at all.
        case unreadable
        /// It was read and is wrong.
        case invalid
    }

    public var cause: Cause
    public var errors: [ConfigFinding]
    /// What was noticed besides.
    public var warnings: [ConfigFinding] = []

    public var description: String {
        errors.map(\.description).joined(separator: "\n")
    }
}

/// A config that may be run.
public struct LoadedConfig: Sendable, Equatable {
    public var settings: Settings
    /// What is allowed and will hurt, in the file's order.
    public var warnings: [ConfigFinding]
    /// The file as it was read.
    public var text: [UInt8]
}
