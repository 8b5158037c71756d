internal import ProxyCore

/// Reads a tree into settings. A wrong value is logged and its default stands in, so that the rest is still checked.
struct SettingsReader {
    /// Pools that one process may have.
    static let maxPools = 256
    static let rootKeys = ["workers", "admin", "zone", "pools"]

    var log: FindingLog
    /// Where each listener was written, for the checks across pools.
    var listeners: [(endpoint: Endpoint, position: TextPosition, owner: String)] = []

    /// Where each node was written, for the same.
    var nodes: [(endpoint: Endpoint, position: TextPosition, pool: String, hasCopies: Bool)] = []

    /// The zone that this proxy is in.
    var ownZone: String?

    /// - Parameter zone: stands before the file's.
    init(file: String, zone: String? = nil) {
        log = FindingLog(file: file)
        ownZone = zone
    }

    mutating func settings(_ root: YamlNode) -> Settings {
        var settings = Settings()
        if root.isNull {
            log.error(root.position, "the file is empty; a config needs at least pools: with one pool in it")
            return settings
        }
        if isTwemproxy(root) {
            log.error(root.position, "this is twemproxy's file; convert it with drover check --from \(log.file)")
            return settings
        }
        let before = log.errors.count
        guard let map = fields(root, of: "the config", known: Self.rootKeys) else { return settings }
        let isMisspelt = log.errors.count > before
        settings.workers = workers(map["workers"])
        if let node = map["admin"] { settings.admin = admin(node) }
        let zone = value(map["zone"], key: "zone", NodeText.checkedName)
        ownZone = ownZone ?? zone
        if let node = map["pools"] {
            settings.pools = pools(node)
        } else if !isMisspelt {
            // A misspelt or empty pools: has been told already.
            log.error(root.position, "there is no pools: in the file; a config needs at least one pool")
        }
        checkListeners()
        checkSharedNodes()
        return settings
    }

    /// Whether the file's pools are at the top and have `servers`.
    private func isTwemproxy(_ root: YamlNode) -> Bool {
        guard case .mapping(let entries) = root.content else { return false }
        return entries.contains { entry in
            guard case .mapping(let inner) = entry.value.content else { return false }
            return inner.contains { $0.key == "servers" }
        }
    }

    private mutating func workers(_ node: YamlNode?) -> Int? {
        guard let node, let text = scalar(node, key: "workers"), text != "auto" else { return nil }
        guard let count = try? Units.integer(text) else {
            log.error(node.position, "workers: \"\(text)\" is not a number; write auto or a number of 1 to 1024")
            return nil
        }
        return inRange(count, 1...1024, key: "workers", at: node.position) ? count : nil
    }

    private mutating func admin(_ node: YamlNode) -> Endpoint? {
        guard let text = scalar(node, key: "admin"), text != "off", text != "false" else { return nil }
        guard let endpoint = listener(text, key: "admin", owner: "admin", port: 9411, at: node.position) else {
            return nil
        }
        guard case .tcp(let host, _) = endpoint else {
            log.error(node.position, "admin: a Unix socket cannot serve HTTP here; write 127.0.0.1:9411")
            return nil
        }
        if !Self.isLoopback(host) {
            log.warn(node.position, "admin: \(text) is open to other hosts and asks for no password; prefer 127.0.0.1")
        }
        return endpoint
    }

    private mutating func pools(_ node: YamlNode) -> [PoolSettings] {
        guard case .mapping(let entries) = node.content, !entries.isEmpty else {
            log.error(
                node.position, "pools: is \(node.kind); it needs a map of pools, such as main: {listen: …, nodes: …}")
            return []
        }
        guard entries.count <= Self.maxPools else {
            log.error(node.position, "pools: has \(entries.count) pools; at most \(Self.maxPools) fit one process")
            return []
        }
        return entries.compactMap { pool($0) }
    }

    static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || (host.hasPrefix("127.") && EndpointText.isIPv4(host))
    }

    /// Whether an address means every interface.
    static func isWildcard(_ host: String) -> Bool { host == "0.0.0.0" || host == "::" }
}

// MARK: - Values

extension SettingsReader {
    /// A mapping's values by key; keys that are not known are errors. Null values count as absent, with an error.
    /// `foreign` is whether keys of other files and levels are worth a hint.
    mutating func fields(
        _ node: YamlNode, of place: String, known: [String], foreign: Bool = true
    ) -> [String: YamlNode]? {
        guard case .mapping(let entries) = node.content else {
            log.error(node.position, "\(place) is \(node.kind); it must be a map of \(known.joined(separator: ", "))")
            return nil
        }
        var result: [String: YamlNode] = [:]
        for entry in entries {
            guard known.contains(entry.key) else {
                let hint = (foreign ? ForeignKeys.hint(entry.key) : nil) ?? NearestName.hint(entry.key, in: known)
                log.error(entry.position, "unknown key \"\(entry.key)\" in \(place); \(hint)")
                continue
            }
            if entry.value.isNull {
                log.error(entry.position, "\(entry.key): has no value; give it one or remove the line")
                continue
            }
            result[entry.key] = entry.value
        }
        return result
    }

    mutating func scalar(_ node: YamlNode, key: String) -> String? {
        guard case .scalar(let text, _) = node.content else {
            log.error(node.position, "\(key): is \(node.kind); it takes a single value")
            return nil
        }
        guard !text.isEmpty && !node.isNull else {
            log.error(node.position, "\(key): is empty; give it a value or remove the line")
            return nil
        }
        return text
    }

    /// A scalar through one of the parsers; a refusal is logged under the key.
    mutating func value<T>(_ node: YamlNode?, key: String, _ parse: (String) throws(Refusal) -> T) -> T? {
        guard let node, let text = scalar(node, key: key) else { return nil }
        do {
            return try parse(text)
        } catch {
            log.error(node.position, "\(key): \(error.reason)")
            return nil
        }
    }

    mutating func inRange(_ value: Int, _ range: ClosedRange<Int>, key: String, at position: TextPosition) -> Bool {
        if range.contains(value) { return true }
        log.error(position, "\(key): \(value) is out of range; it may be \(range.lowerBound) to \(range.upperBound)")
        return false
    }

    mutating func integer(_ node: YamlNode?, key: String, _ range: ClosedRange<Int>, into target: inout Int) {
        guard let node, let value = value(node, key: key, Units.integer) else { return }
        if inRange(value, range, key: key, at: node.position) { target = value }
    }

    mutating func size(_ node: YamlNode?, key: String, _ range: ClosedRange<Int>, into target: inout Int) {
        guard let node, let value = value(node, key: key, Units.size) else { return }
        guard range.contains(value) else {
            let bounds = "\(Units.text(ofSize: range.lowerBound)) to \(Units.text(ofSize: range.upperBound))"
            log.error(node.position, "\(key): \(scalar(node, key: key) ?? "") is out of range; it may be \(bounds)")
            return
        }
        target = value
    }

    mutating func duration(_ node: YamlNode?, key: String, _ range: ClosedRange<UInt64>, into target: inout UInt64) {
        guard let node, let value = value(node, key: key, Units.duration) else { return }
        guard range.contains(value) else {
            let bounds = "\(Units.text(ofDuration: range.lowerBound)) to \(Units.text(ofDuration: range.upperBound))"
            log.error(node.position, "\(key): \(scalar(node, key: key) ?? "") is out of range; it may be \(bounds)")
            return
        }
        target = value
    }

    /// One word of a closed set.
    mutating func choice<T>(_ node: YamlNode?, key: String, into target: inout T)
    where T: RawRepresentable & CaseIterable, T.RawValue == String {
        guard let node, let text = scalar(node, key: key) else { return }
        guard let value = T(rawValue: text) else {
            let names = T.allCases.map(\.rawValue)
            log.error(node.position, "\(key): \"\(text)\" is unknown; \(NearestName.hint(text, in: names))")
            return
        }
        target = value
    }
}
