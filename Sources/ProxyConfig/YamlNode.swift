/// A place in a file; both count from 1, columns in characters.
struct TextPosition: Equatable {
    var line: Int
    var column: Int
}

/// One value of a YAML file, with the place where it starts.
struct YamlNode {
    enum Content {
        /// Its text; `plain` is without quotes, which is where `null` and `~` mean nothing is there.
        case scalar(String, plain: Bool)
        case sequence([YamlNode])
        case mapping([YamlEntry])
    }

    var content: Content
    var position: TextPosition
    /// How many values this one holds, itself and what aliases repeat included.
    var size: Int

    /// Whether the file says nothing here: `key:`, `key: ~` or `key: null`.
    var isNull: Bool {
        guard case .scalar(let text, plain: true) = content else { return false }
        return text.isEmpty || text == "~" || text == "null"
    }

    /// What kind of value this is, for messages.
    var kind: String {
        switch content {
        case .scalar: isNull ? "nothing" : "a single value"
        case .sequence: "a list"
        case .mapping: "a map"
        }
    }
}

/// One `key: value` of a mapping.
struct YamlEntry {
    var key: String
    var position: TextPosition
    var value: YamlNode
}

/// Why a text is not YAML, or not YAML that a config may use.
struct YamlProblem: Error {
    var message: String
    var position: TextPosition
}
