internal import Bytes
internal import Distribution
internal import Telemetry

/// Where the copies of a pool's keys are that are on their way to other places: kept on its nodes by those who move them,
/// for a proxy that is started meanwhile, or when they have died, and knows from its config only where the keys go.
///
///     1 0123456789abcdef ketama 2 3        where they go; and where they are: distribution, replicas, and how many of
///     1 11211 10.0.0.1 alpha               these nodes are not its standby's
///     1 0 %2Frun%2Fb.sock  b               weight, port or 0, address, name and zone, if any
///
/// Names and the like are as in a URL.
public struct FormerPlaces: Equatable, Sendable {
    /// A reply with more is refused.
    static let limit = 30_000

    /// What stands for where they go.
    let next: Token
    let places: KeyPlaces

    /// - Parameter moving: a pool whose keys move and are read where they were; else nil, as for too many nodes.
    public init?(of moving: PoolSettings) {
        guard let keys = moving.moving, !keys.hasMoved else { return nil }
        (next, places) = (moving.placesToken, keys.before)
        guard text.count <= Self.limit else { return nil }
    }

    /// Of what `text` has; nil where nothing that was written by a proxy.
    public init?(text: [UInt8]) {
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        let head = lines[0].split(separator: " ", omittingEmptySubsequences: false)
        guard let next = Self.next(in: text), head.count == 5, lines.last == "", lines.count > 2,
            let distribution = DistributionKind(rawValue: String(head[2])), distribution != .random,
            let replicas = Int(head[3]), let count = Int(head[4])
        else { return nil }
        let nodes = lines[1...].dropLast().compactMap(NodeSettings.init(line:))
        guard nodes.count == lines.count - 2, (1...nodes.count).contains(count), (1...8).contains(replicas),
            replicas <= count, Set(nodes.map(\.ringName)).count == nodes.count
        else { return nil }
        var pool = PoolSettings(name: "", listen: [], nodes: Array(nodes[..<count]))
        (pool.distribution, pool.replicas, pool.standby) = (distribution, replicas, Array(nodes[count...]))
        guard pool.hasCopies else { return nil }
        (self.next, places) = (next, KeyPlaces(pool))
        guard self.text == text else { return nil }
    }

    public var text: [UInt8] {
        let head = " \(places.distribution.rawValue) \(places.replicas) \(places.nodes.count)\n"
        return MarkerText.token(next) + Array(head.utf8) + places.allNodes.flatMap { Array($0.line.utf8) }
    }

    /// Whether a text is about keys that go there.
    public static func leads(_ text: [UInt8], to places: Token) -> Bool { next(in: text) == places }

    /// What stands in such a text for where the keys go.
    static func next(in text: [UInt8]?) -> Token? {
        guard let text, text.count > 18 else { return nil }
        let start = Array(text[..<18])
        return unsafe MarkerText.token(in: start.span.bytes)
    }
}

extension NodeSettings {
    fileprivate var line: String {
        let (host, port): (String, UInt16) =
            switch address {
            case .tcp(let host, let port): (host, port)
            case .unix(let path): (path, 0)
            }
        let texts = [host, name ?? "", zone ?? ""].map(PercentCoding.encode)
        return "\(weight) \(port) \(texts.joined(separator: " "))\n"
    }

    fileprivate init?(line: Substring) {
        let fields = line.split(separator: " ", omittingEmptySubsequences: false)
        guard fields.count == 5, let weight = Int(fields[0]), (1...100_000).contains(weight),
            let port = UInt16(fields[1])
        else { return nil }
        let texts = fields[2...].compactMap { PercentCoding.decode($0) }
        guard texts.count == 3, !texts[0].isEmpty else { return nil }
        self.init(
            address: port == 0 ? .unix(path: texts[0]) : .tcp(host: texts[0], port: port), weight: weight,
            name: texts[1].isEmpty ? nil : texts[1], zone: texts[2].isEmpty ? nil : texts[2])
    }
}

extension PoolSettings {
    /// These settings, while the keys of the pool are on their way from where others have left them.
    ///
    /// - Parameter hasMoved: some proxy reads them where these settings put them already.
    public func resuming(from former: FormerPlaces, hasMoved: Bool) -> Result<PoolSettings, Refusal> {
        var before = self
        (before.distribution, before.replicas) = (former.places.distribution, former.places.replicas)
        // Whoever wrote it may reach a node by another address.
        let own = Dictionary(allNodes.map { ($0.ringName, $0.address) }) { first, _ in first }
        func reached(_ node: NodeSettings) -> NodeSettings {
            var node = node
            if node.name != nil, let address = own[node.ringName] { node.address = address }
            return node
        }
        (before.nodes, before.standby) = (former.places.nodes.map(reached), former.places.standby.map(reached))
        let moving = moving(from: before)
        return hasMoved ? moving.map { $0.handedOver ?? $0 } : moving
    }
}
