/// Makes one reply of the replies that a pool's nodes gave to the same `stats` request: what memcached's tools and
/// exporters read as one big memcached.
///
/// Names keep the order in which they first came; those of a slab class stand together, by class. A line that is no
/// `STAT name value` is left out, and so a node's error is.
public struct StatsMerger: Sendable {
    private struct Entry {
        var name: String
        /// Of one node, or of those so far.
        var value: String
        /// A sum that met something else than a whole number keeps the first node's value.
        var isFixed = false
        var original: String
        var slabClass: UInt64
    }

    /// Names beyond these are dropped: real nodes have a few thousand at most.
    public static let nameLimit = 65_536

    private let topic: StatsTopic
    private var entries: [Entry] = []
    private var places: [String: Int] = [:]

    public init(topic: StatsTopic) { self.topic = topic }

    /// Takes one node's raw reply. In the order of the nodes: the first one's stands where nothing can be merged.
    public mutating func add(_ reply: [UInt8]) {
        for line in reply.split(separator: UInt8(ascii: "\n")) {
            let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
            let words = line.split(separator: UInt8(ascii: " "), maxSplits: 2, omittingEmptySubsequences: false)
            guard words.count >= 2, words[0].elementsEqual("STAT".utf8), !words[1].isEmpty else { continue }
            add(
                name: String(decoding: words[1], as: UTF8.self),
                value: words.count == 3 ? String(decoding: words[2], as: UTF8.self) : "")
        }
    }

    private mutating func add(name: String, value: String) {
        guard let place = places[name] else {
            guard entries.count < Self.nameLimit else { return }
            places[name] = entries.count
            entries.append(
                Entry(name: name, value: value, original: value, slabClass: Self.slabClass(of: name, in: topic)))
            return
        }
        guard !entries[place].isFixed else { return }
        let rule = StatsRule.of(name, in: topic)
        if rule == .sum, UInt64(value) == nil || UInt64(entries[place].value) == nil {
            entries[place].value = entries[place].original
            entries[place].isFixed = true
            return
        }
        entries[place].value = rule.combine(entries[place].value, value)
    }

    /// Adds or replaces a name of the proxy's own, as it stands.
    public mutating func set(_ name: String, _ value: String) {
        if places[name] == nil { add(name: name, value: value) }
        guard let place = places[name] else { return }
        entries[place].value = value
        entries[place].isFixed = true
    }

    /// The merged reply, with its END.
    public func text() -> [UInt8] {
        var bytes: [UInt8] = []
        for entry in entries.enumerated().sorted(by: {
            ($0.element.slabClass, $0.offset) < ($1.element.slabClass, $1.offset)
        }) {
            bytes.append(contentsOf: "STAT \(entry.element.name) \(entry.element.value)\r\n".utf8)
        }
        bytes.append(contentsOf: "END\r\n".utf8)
        return bytes
    }

    /// All nodes' replies in one call.
    public static func merge(_ replies: [[UInt8]], topic: StatsTopic) -> [UInt8] {
        var merger = StatsMerger(topic: topic)
        for reply in replies { merger.add(reply) }
        return merger.text()
    }

    /// 3 of `items:3:number`, `3:chunk_size` and, a size, of `3`; what has none comes last.
    private static func slabClass(of name: String, in topic: StatsTopic) -> UInt64 {
        let parts = name.split(separator: ":", omittingEmptySubsequences: false)
        switch topic {
        case .items: return parts.count == 3 ? UInt64(parts[1]) ?? .max : .max
        case .slabs: return parts.count == 2 ? UInt64(parts[0]) ?? .max : .max
        case .sizes: return UInt64(name) ?? .max
        case .general, .settings, .other: return .max
        }
    }
}
