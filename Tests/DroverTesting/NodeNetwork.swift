import Glibc

/// A network of its own for one server, to which paths lead, each with an address: they can be cut, in one direction or
/// both, so that packets vanish without a word, as where a switch has failed.
///
/// It takes root, and `ip`, `unshare` and `nsenter`. The network ends with the process that holds it, and its paths
/// with it, however the tests end.
public final class NodeNetwork: Sendable {
    public enum Direction: Sendable, CaseIterable { case toServer, toClient, both }

    private struct Path: Sendable {
        /// The name of this side's end; the server's is `p` and the path's number.
        var name: String
        /// The first two are ours and the server's.
        var subnet: Int

        func host(_ index: Int) -> String { "198.18.\(subnet / 64).\(subnet % 64 * 4 + 1 + index)" }
        func hardware(_ index: Int) -> String {
            "02:00:\(hex(subnet / 256)):\(hex(subnet % 256)):00:\(hex(index + 1))"
        }

        private func hex(_ number: Int) -> String { (number < 16 ? "0" : "") + String(number, radix: 16) }
    }

    private let holder: ChildProcess
    private let paths: [Path]

    /// Whether such networks can be made here.
    public static let isAvailable: Bool = {
        guard getuid() == 0 else { return false }
        return (try? NodeNetwork(paths: 1)) != nil
    }()

    public init(paths count: Int) throws {
        holder = try ChildProcess(["/usr/bin/unshare", "-n", "/usr/bin/sleep", "infinity"])
        let holder = holder
        let own = readLink("/proc/self/ns/net")
        let isApart = Deadline(seconds: 5).waits {
            let network = readLink("/proc/\(holder.pid)/ns/net")
            return network != nil && network != own || !holder.isRunning
        }
        guard isApart, holder.isRunning else { throw TestFailure("no network of its own: that takes root") }
        // Of 198.18.0.0/16, which is for tests of networks (RFC 2544) and leads nowhere.
        paths = (0..<count).map { _ in
            let subnet = Int.random(in: 0..<16_384)
            return Path(name: "drv\(subnet)", subnet: subnet)
        }
        try inside(["/sbin/ip", "link", "set", "lo", "up"])
        for (number, path) in paths.enumerated() {
            try run([
                "/sbin/ip", "link", "add", path.name, "address", path.hardware(0), "type", "veth", "peer", "name",
                "p\(number)",
                "address", path.hardware(1), "netns", "\(holder.pid)",
            ])
            try run(["/sbin/ip", "address", "add", "\(path.host(0))/30", "dev", path.name])
            try run(["/sbin/ip", "link", "set", path.name, "up"])
            try inside(["/sbin/ip", "address", "add", "\(path.host(1))/30", "dev", "p\(number)"])
            try inside(["/sbin/ip", "link", "set", "p\(number)", "up"])
            try heal(number)
        }
    }

    /// The server's address on a path.
    public func host(_ path: Int) -> String { paths[path].host(1) }

    /// The same, on the last one.
    var lastHost: String { host(paths.count - 1) }

    /// In front of a command line that is to run in this network.
    public var prefix: [String] { ["/usr/bin/nsenter", "-t", "\(holder.pid)", "-n", "--"] }

    /// From now on what is sent that way arrives nowhere, and nobody is told.
    public func cut(_ path: Int, _ direction: Direction) throws {
        if direction != .toClient { try point(path, atServer: "02:00:00:00:00:00") }
        if direction != .toServer { try point(path, atClient: "02:00:00:00:00:00") }
    }

    public func heal(_ path: Int) throws {
        try point(path, atServer: paths[path].hardware(1))
        try point(path, atClient: paths[path].hardware(0))
    }

    /// A wrong neighbour: the packets reach the other end of the path, which takes them for another's.
    private func point(_ path: Int, atServer hardware: String) throws {
        try run(neighbour(paths[path].host(1), hardware, paths[path].name))
    }

    private func point(_ path: Int, atClient hardware: String) throws {
        try inside(neighbour(paths[path].host(0), hardware, "p\(path)"))
    }

    private func neighbour(_ host: String, _ hardware: String, _ device: String) -> [String] {
        ["/sbin/ip", "neighbour", "replace", host, "lladdr", hardware, "dev", device, "nud", "permanent"]
    }

    private func inside(_ arguments: [String]) throws { try run(prefix + arguments) }

    private func run(_ arguments: [String]) throws {
        let result = try ChildProcess.run(arguments, seconds: 20)
        guard result.code == 0 else { throw TestFailure("\(arguments): \(result.error)") }
    }
}
