import Glibc

/// Where a server listens; numeric hosts only, so that no test asks a resolver.
public enum ServerAddress: Sendable, Hashable, CustomStringConvertible {
    case tcp(host: String, port: UInt16)
    case unix(path: String)

    /// As a config spells it.
    public var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    public var port: UInt16? {
        if case .tcp(_, let port) = self { port } else { nil }
    }

    /// Calls with the address as the kernel wants it.
    func withSocketAddress<Result>(
        _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) throws -> Result
    ) throws -> Result {
        switch self {
        case .tcp(let host, let port) where host.contains(":"):
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            guard unsafe inet_pton(AF_INET6, host, &address.sin6_addr) == 1 else {
                throw TestFailure("bad host \(host)")
            }
            return try unsafe Self.rebound(&address, AF_INET6, body)
        case .tcp(let host, let port):
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            guard unsafe inet_pton(AF_INET, host, &address.sin_addr) == 1 else { throw TestFailure("bad host \(host)") }
            return try unsafe Self.rebound(&address, AF_INET, body)
        case .unix(let path):
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            guard path.utf8.count < 108 else { throw TestFailure("path too long: \(path)") }
            unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
            return try unsafe Self.rebound(&address, AF_UNIX, body)
        }
    }

    private static func rebound<Address, Result>(
        _ address: inout Address, _ family: Int32,
        _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) throws -> Result
    ) throws -> Result {
        let length = socklen_t(MemoryLayout<Address>.size)
        return try unsafe withUnsafePointer(to: &address) {
            try unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { try unsafe body(family, $0, length) }
        }
    }

    private static let givenPorts = SharedBox<Set<UInt16>>([])

    /// A TCP port that nobody listens on, below the range from which the kernel takes ports for outgoing connections,
    /// and never the same twice: a server that is killed finds its port free again.
    public static func freePort(host: String = "127.0.0.1") throws -> UInt16 {
        for _ in 0..<200 {
            let port = UInt16.random(in: 11_000..<32_000)
            guard givenPorts.withValue({ $0.insert(port).inserted }) else { continue }
            let descriptor = try Descriptor.socket(host.contains(":") ? AF_INET6 : AF_INET)
            let bound = try unsafe ServerAddress.tcp(host: host, port: port).withSocketAddress { _, address, length in
                unsafe bind(descriptor.number, address, length) == 0
            }
            if bound { return port }
        }
        throw TestFailure("no free port on \(host)")
    }
}
