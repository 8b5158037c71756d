import DroverTesting
import Testing

/// Where a pool keeps its copies, and how it writes and reads them.
struct CopiesSetting: Sendable, CustomStringConvertible {
    enum Shape: String, Sendable, CaseIterable {
        case twoOfThree = "replicas 2 of 3"
        case threeOfThree = "replicas 3 of 3"
        case standby = "2 nodes and a standby of 1"
        case hybrid = "replicas 2 of 3 and a standby of 2"

        var nodes: Int { self == .standby ? 2 : 3 }
        var standby: Int { self == .standby ? 1 : self == .hybrid ? 2 : 0 }
        var replicas: Int { self == .standby ? 1 : self == .threeOfThree ? 3 : 2 }
        var copies: Int { replicas + (standby > 0 ? 1 : 0) }
    }

    var shape = Shape.twoOfThree
    var acks = "all"
    var read = "primary"
    var workers = 2
    var version = MemcachedServer.Version.newer

    var description: String { "\(shape.rawValue), acks \(acks), read \(read), \(workers) workers, \(version)" }

    /// Each shape with each `acks`, and between them both ways to read and versions more than once.
    static let all: [CopiesSetting] = Shape.allCases.enumerated().flatMap { row, shape in
        ["all", "quorum", "one"].enumerated().map { column, acks in
            CopiesSetting(
                shape: shape, acks: acks, read: (row + column) % 2 == 0 ? "primary" : "spread",
                version: (row + column / 2) % 2 == 0 ? .newer : .debian)
        }
    }

    static func all(_ places: [Int]) -> [CopiesSetting] { places.map { all[$0] } }
}

/// A pool whose keys have copies, over real nodes.
final class CopiesCluster: Sendable {
    let setting: CopiesSetting
    let cluster: Cluster
    /// Of both farms, the standby's last.
    let nodes: [MemcachedServer]

    /// - Parameter pool: more keys of the pool.
    init(_ setting: CopiesSetting, pool: [String] = [], options: MemcachedServer.Options = .init()) throws {
        self.setting = setting
        let shape = setting.shape
        let main = try (0..<shape.nodes).map { _ in try MemcachedServer(setting.version, options: options) }
        let standby = try (0..<shape.standby).map { _ in try MemcachedServer(setting.version, options: options) }
        var lines = ["replicas: \(shape.replicas)", "acks: \(setting.acks)", "read: \(setting.read)"] + pool
        if !standby.isEmpty {
            lines.append("standby: [\(standby.map { "\"\($0.address)\"" }.joined(separator: ", "))]")
        }
        nodes = main + standby
        cluster = try Cluster(nodes: main, pool: lines, top: ["workers: \(setting.workers)"])
    }

    func client(patience: Double = 10) throws -> RawClient {
        let client = try cluster.client(patience: patience)
        client.server = self
        return client
    }

    /// For each key the places in `nodes` of its copies, the primary's first, as `drover lookup` says.
    func copies(of keys: [String]) throws -> [String: [Int]] {
        let directory = try TemporaryDirectory()
        let file = directory.file("drover.yml")
        try writeFile(file, cluster.config)
        let result = try ChildProcess.run([DroverProcess.binary, "lookup", "-c", file, "main"] + keys)
        guard result.code == 0 else { throw TestFailure("lookup: \(result.error)") }
        let places = Dictionary(
            uniqueKeysWithValues: nodes.enumerated().map { ($1.address.description, $0) })
        var found: [String: [Int]] = [:]
        for line in result.output.split(separator: "\n") {
            // The key, then name, address, zone and farm of each copy.
            let columns = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
            found[columns[0]] = stride(from: 2, to: columns.count, by: 4).compactMap { places[columns[$0]] }
        }
        for key in keys where found[key]?.count != setting.shape.copies {
            throw TestFailure("lookup of \(key): \(result.output)")
        }
        return found
    }

    /// Waits until nothing is left to repair but what waits for a node that is down.
    func awaitRepairs(seconds: Double = 40) throws {
        guard try cluster.metric(CopiesNames.repairsWaiting) != nil else {
            Issue.record("no metric \(CopiesNames.repairsWaiting)")
            return
        }
        var last: Double?
        var since = Deadline.now()
        let isDone = try Deadline(seconds: seconds).waits {
            let waiting = try cluster.metric(CopiesNames.repairsWaiting)
            if waiting != last { since = Deadline.now() }
            last = waiting
            return waiting == 0 || Deadline.seconds(since: since) > 12
        }
        guard isDone else { throw TestFailure("\(last ?? -1) repairs still wait after \(seconds) s") }
    }

    /// Waits until every node is read: those that were away have been filled.
    func awaitAllUp(seconds: Double = 60) throws { try awaitNodes(nodes.count, "up", seconds: seconds) }

    /// Waits until the proxy has that many nodes in a state.
    func awaitNodes(_ count: Int, _ state: String, seconds: Double = 10) throws {
        var states: [Substring] = []
        let isSo = try Deadline(seconds: seconds).waits {
            let page = try cluster.http("/metrics").split(whereSeparator: \.isNewline)
            states = page.filter { $0.hasPrefix("drover_node_state{") && $0.hasSuffix(" 1") }
            return states.count { $0.contains("state=\"\(state)\"") } == count
        }
        guard isSo else { throw TestFailure("not \(count) nodes are \(state) after \(seconds) s: \(states)") }
    }
}
