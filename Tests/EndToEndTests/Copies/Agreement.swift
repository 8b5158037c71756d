import DroverTesting

/// One copy of a key, as its node has it.
struct StoredItem: Equatable, CustomStringConvertible {
    var flags: String
    /// Remaining seconds; -1 is for ever.
    var ttl: Int
    var value: [UInt8]

    var description: String { "flags \(flags), ttl \(ttl), \(value.count) bytes \(quoted(value, limit: 60))" }

    /// The same value and flags, and time left to a second.
    func agrees(with other: StoredItem) -> Bool {
        value == other.value && flags == other.flags
            && (ttl == other.ttl || (ttl != -1 && other.ttl != -1 && abs(ttl - other.ttl) <= 1))
    }
}

extension RawClient {
    /// The item on the node that this client is connected to, without marking it as used; nil is a miss.
    func stored(_ key: String) throws -> StoredItem? {
        let line = try roundTrip("mg \(key) v f t u\r\n")
        if line == "EN\r\n" { return nil }
        let words = line.dropLast().split(separator: " ")
        guard words.count >= 4, words[0] == "VA", let count = Int(words[1]), words[2].first == "f",
            words[3].first == "t", let ttl = Int(words[3].dropFirst())
        else { throw TestFailure("mg \(key): \(line)") }
        return StoredItem(
            flags: String(words[2].dropFirst()), ttl: ttl, value: Array(try read(exactly: count + 2).dropLast(2)))
    }
}

extension CopiesCluster {
    /// Reads each key on every node: its copies must agree, and no other node may hold it. What does not, in words.
    ///
    /// Nodes count seconds each by its own clock, so that two that agree seem a second further apart for a part of each
    /// second: what differs by time alone is looked at for a while.
    /// - Parameter without: nodes that are not asked, as they are dead.
    func disagreements(on keys: [String], without: Set<Int> = []) throws -> [String] {
        let copies = try copies(of: keys)
        let asked = nodes.indices.filter { !without.contains($0) }
        let clients = Dictionary(uniqueKeysWithValues: try asked.map { ($0, try nodes[$0].client()) })
        var found: [String] = []
        for key in keys {
            let homes = copies[key]!.filter { !without.contains($0) }
            var items = [StoredItem?]()
            let end = Deadline(seconds: 1.5)
            repeat {
                items = try homes.map { try clients[$0]!.stored(key) }
            } while Self.differByTimeAlone(items) && !end.hasPassed
            if !Self.agree(items) {
                let lines = zip(homes, items).map { "  node \($0): \($1.map(\.description) ?? "a miss")" }
                found.append("\(key):\n\(lines.joined(separator: "\n"))")
            }
            for node in asked where !homes.contains(node) {
                if let item = try clients[node]!.stored(key) {
                    found.append("\(key) is on node \(node), which is none of its copies': \(item)")
                }
            }
        }
        return found
    }

    private static func agree(_ items: [StoredItem?]) -> Bool {
        guard let first = items.first, let first else { return items.allSatisfy { $0 == nil } }
        return items.allSatisfy { $0?.agrees(with: first) == true }
    }

    private static func differByTimeAlone(_ items: [StoredItem?]) -> Bool {
        guard !agree(items), let first = items.first, let first else { return false }
        return items.allSatisfy { item in
            guard let item else { return false }
            return item.value == first.value && item.flags == first.flags && abs(item.ttl - first.ttl) == 2
                || item.agrees(with: first)
        }
    }
}
