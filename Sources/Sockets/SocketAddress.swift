internal import Glibc

/// Where a socket listens or connects: an IPv4 or IPv6 address with its port, or a Unix path.
@safe
public struct SocketAddress: Sendable, Equatable {
    public enum Kind: Sendable, Equatable { case ipv4, ipv6, unix }

    public let kind: Kind
    /// The literal, or the path.
    public let host: String
    public let port: UInt16

    /// An IPv4 or IPv6 literal; nil when it is neither.
    public init?(literal: String, port: UInt16) {
        var four = in_addr()
        var six = in6_addr()
        if unsafe inet_pton(AF_INET, literal, &four) == 1 {
            kind = .ipv4
        } else if unsafe inet_pton(AF_INET6, literal, &six) == 1 {
            kind = .ipv6
        } else {
            return nil
        }
        host = literal
        self.port = port
    }

    /// A path of at most 107 bytes; nil when it is longer or empty.
    public init?(path: String) {
        guard path.utf8.count <= 107, !path.isEmpty else { return nil }
        kind = .unix
        host = path
        port = 0
    }

    var family: Int32 {
        switch kind {
        case .ipv4: AF_INET
        case .ipv6: AF_INET6
        case .unix: AF_UNIX
        }
    }

    /// Calls `body` with the address as the kernel wants it.
    func withSockaddr(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        switch kind {
        case .ipv4:
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            _ = unsafe inet_pton(AF_INET, host, &address.sin_addr)
            return unsafe Self.rebind(&address, body)
        case .ipv6:
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            _ = unsafe inet_pton(AF_INET6, host, &address.sin6_addr)
            return unsafe Self.rebind(&address, body)
        case .unix:
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            unsafe withUnsafeMutableBytes(of: &address.sun_path) { target in
                for (index, byte) in host.utf8.enumerated() where index < target.count - 1 {
                    unsafe target[index] = byte
                }
            }
            return unsafe Self.rebind(&address, body)
        }
    }

    private static func rebind<Address>(
        _ address: inout Address, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        unsafe withUnsafeBytes(of: &address) { bytes in
            unsafe body(
                bytes.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
        }
    }
}
