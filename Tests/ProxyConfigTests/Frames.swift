import ProxyConfig
import ProxyCore

/// Right configs with one gap, for texts that are wrong or right in that gap.
enum Frame {
    static func pool(_ line: String) -> String {
        """
        pools:
          main:
            listen: 127.0.0.1:11311
            nodes: [10.0.0.1:11211, 10.0.0.2:11211]
            \(line)

        """
    }

    /// Two copies, on nodes in two zones.
    static func zoned(_ line: String) -> String {
        """
        pools:
          main:
            listen: 127.0.0.1:11311
            nodes:
              - {address: "10.0.0.1:11211", zone: a}
              - {address: "10.0.0.2:11211", zone: b}
            \(line)
            replicas: 2

        """
    }

    static func nodes(_ count: Int, _ line: String) -> String {
        """
        pools:
          main:
            listen: 127.0.0.1:11311
            nodes: [\((1...count).map { "n\($0):1" }.joined(separator: ", "))]
            \(line)

        """
    }

    /// To be put behind one of the others.
    static func secondPool(nodes: [String]) -> String {
        """
          more:
            listen: 127.0.0.1:11312
            nodes: [\(nodes.joined(separator: ", "))]

        """
    }

    static func node(_ node: String) -> String {
        """
        pools:
          main:
            listen: 127.0.0.1:11311
            nodes:
              - 10.0.0.1:11211
              - \(node)

        """
    }

    static func listen(_ listen: String) -> String {
        """
        pools:
          main:
            listen: \(listen)
            nodes: [10.0.0.1:11211, 10.0.0.2:11211]

        """
    }
}

/// The errors of a text as `LINE:COLUMN: message`; none if it is right.
func errors(of text: String) -> [String] {
    do {
        _ = try ConfigFile.parse(text: text, file: "c")
        return []
    } catch {
        return error.errors.map { String($0.description.dropFirst(2)) }
    }
}

/// The warnings of a right text as `LINE:COLUMN: message`.
func warnings(of text: String) throws -> [String] {
    try ConfigFile.parse(text: text, file: "c").warnings.map { String($0.description.dropFirst(2)) }
}

/// The only pool of a right text.
func pool(of text: String) throws -> PoolSettings {
    try ConfigFile.parse(text: text, file: "c").settings.pools[0]
}
