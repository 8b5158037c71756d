/// Which of memcached's `stats` a request asks for, by its argument.
public enum StatsTopic: BitwiseCopyable, Sendable, Equatable {
    case general, settings, items, slabs, sizes
    /// Anything else: `conns`, `extstore`, `detail dump`, ...
    case other

    /// - Parameter argument: the first word after `stats`; empty for none.
    public init(argument: String) {
        switch argument {
        case "": self = .general
        case "settings": self = .settings
        case "items": self = .items
        case "slabs": self = .slabs
        case "sizes": self = .sizes
        default: self = .other
        }
    }
}

/// How the values that several nodes give for one name become one.
enum StatsRule: Equatable {
    /// The first node's, as it stands.
    case first
    /// Whole numbers are added; where any value is none, the first node's stands.
    case sum
    /// Seconds with six decimals are added.
    case sumSeconds
    case least, greatest
    /// The least of those that are not 0, which means never.
    case leastNonZero
}

extension StatsRule {
    /// The table. What it does not name is added where all nodes give whole numbers: that is right for every counter
    /// that memcached has, and for those that it will have.
    static func of(_ name: String, in topic: StatsTopic) -> StatsRule {
        switch topic {
        case .general: return general[name] ?? .sum
        // `conns` counts by file descriptor: two nodes' 26 are no kin.
        case .other: return name.utf8.first.map(isDigit) == true ? .first : general[name] ?? .sum
        case .settings: return settings[name] ?? .first
        case .items, .slabs: return perClass[lastPart(of: name)] ?? .sum
        case .sizes: return .sum
        }
    }

    private static let general: [String: StatsRule] = [
        // What belongs to one process.
        "pid": .first, "version": .first, "libevent": .first, "pointer_size": .first,
        // The youngest node: the sums go back no further than its start.
        "uptime": .least,
        "time": .greatest,
        "rusage_user": .sumSeconds, "rusage_system": .sumSeconds,
        // Flags and sizes of one process: adding them says nothing.
        "threads": .greatest, "hash_power_level": .greatest, "hash_is_expanding": .greatest,
        "slab_reassign_running": .greatest, "lru_crawler_running": .greatest,
        // 0 as soon as one node refuses connections.
        "accepting_conns": .least,
    ]

    /// Settings are one process's, but for capacities, and for what the smallest node refuses.
    private static let settings: [String: StatsRule] = ["maxbytes": .sum, "maxconns": .sum, "item_size_max": .least]

    /// By what follows the last colon, as in `items:3:age` and `3:chunk_size`.
    private static let perClass: [String: StatsRule] = [
        "chunk_size": .first, "chunks_per_page": .first,
        "age": .greatest, "age_hot": .greatest, "age_warm": .greatest,
        "evicted_time": .leastNonZero,
        "active_slabs": .greatest,
    ]

    private static func isDigit(_ byte: UInt8) -> Bool { byte >= 0x30 && byte <= 0x39 }

    private static func lastPart(of name: String) -> String {
        guard let colon = name.utf8.lastIndex(of: UInt8(ascii: ":")) else { return name }
        return String(name[name.utf8.index(after: colon)...])
    }

    /// The one value of `first` and another node's, as text.
    func combine(_ first: String, _ other: String) -> String {
        switch self {
        case .first: return first
        case .sumSeconds:
            guard let a = Self.microseconds(first), let b = Self.microseconds(other) else { return first }
            let sum = Self.adding(a, b)
            let rest = String(sum % 1_000_000)
            return "\(sum / 1_000_000)." + String(repeating: "0", count: 6 - rest.utf8.count) + rest
        case .sum, .least, .greatest, .leastNonZero:
            guard let a = UInt64(first), let b = UInt64(other) else { return first }
            switch self {
            case .least: return String(min(a, b))
            case .greatest: return String(max(a, b))
            case .leastNonZero: return String(a == 0 ? b : b == 0 ? a : min(a, b))
            default: return String(Self.adding(a, b))
            }
        }
    }

    /// A node's numbers are not ours: a sum stops at the top instead of trapping.
    private static func adding(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let (sum, overflow) = a.addingReportingOverflow(b)
        return overflow ? .max : sum
    }

    /// "12.000345" as 12000345; nil for any other form.
    private static func microseconds(_ text: String) -> UInt64? {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].count == 6, let whole = UInt64(String(parts[0]) ?? ""),
            let rest = UInt64(String(parts[1]) ?? "")
        else { return nil }
        let (scaled, overflow) = whole.multipliedReportingOverflow(by: 1_000_000)
        return overflow ? nil : adding(scaled, rest)
    }
}
