internal import CPlatform
internal import Glibc

extension Socket {
    public enum ConnectResult: Sendable, Equatable {
        case connected(Socket)
        /// Becomes writable when it is decided; then ask `takeError`.
        case underWay(Socket)
        /// An errno.
        case failed(Int32)
    }

    /// Starts a connection without waiting for it.
    public static func connect(to address: SocketAddress) -> ConnectResult {
        let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
        guard descriptor >= 0 else { return .failed(errno) }
        let made = Socket(descriptor: descriptor)
        if address.kind != .unix {
            made.sendWithoutDelay()
            made.keepAlive()
        }
        let result = unsafe address.withSockaddr { unsafe Glibc.connect(descriptor, $0, $1) }
        if result == 0 { return .connected(made) }
        let code = errno
        if code == EINPROGRESS { return .underWay(made) }
        made.close()
        return .failed(code)
    }
}

/// A listening socket, non-blocking.
public struct Listener: BitwiseCopyable, Sendable {
    public let socket: Socket
    private let isUnix: Bool

    public enum Accepted: Sendable {
        case client(Socket)
        /// No more for now.
        case none
        /// An errno: out of descriptors, or the like.
        case failed(Int32)
    }

    /// - Parameter shared: SO_REUSEPORT, so that each worker listens with a socket of its own and the kernel deals out
    ///   connections. Unix sockets are listened on once, by descriptor.
    public static func listen(on address: SocketAddress, backlog: Int32 = 1024, shared: Bool) -> Result<
        Listener, ListenError
    > {
        bound(to: address, shared: shared).flatMap { socket in
            if Glibc.listen(socket.descriptor, backlog) == 0 {
                return .success(Listener(socket: socket, isUnix: address.kind == .unix))
            }
            let code = errno
            socket.close()
            return .failure(ListenError(code: code))
        }
    }

    /// Why an address of TCP cannot be listened on by this process alone; nil when it can. Where it is shared the kernel
    /// would deal out connections to others too, such as this program started twice, without a word.
    public static func obstacle(to address: SocketAddress) -> ListenError? {
        switch bound(to: address, shared: false) {
        case .success(let socket):
            socket.close()
            return nil
        case .failure(let error): return error
        }
    }

    private static func bound(to address: SocketAddress, shared: Bool) -> Result<Socket, ListenError> {
        let descriptor = Glibc.socket(address.family, Int32(SOCK_STREAM.rawValue) | O_NONBLOCK | O_CLOEXEC, 0)
        guard descriptor >= 0 else { return .failure(ListenError(code: errno)) }
        var on: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        if address.kind != .unix {
            _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, size)
            if shared { _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, size) }
            if address.kind == .ipv6 { _ = unsafe setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &on, size) }
        }
        var failed = unsafe address.withSockaddr { unsafe bind(descriptor, $0, $1) } != 0
        if failed, errno == EADDRINUSE, address.kind == .unix, isStale(address) {
            // A path that nobody answers on is left over from a process that died.
            _ = unsafe unlink(address.host)
            failed = unsafe address.withSockaddr { unsafe bind(descriptor, $0, $1) } != 0
        }
        guard failed else { return .success(Socket(descriptor: descriptor)) }
        let code = errno
        _ = close(descriptor)
        return .failure(ListenError(code: code))
    }

    private static func isStale(_ address: SocketAddress) -> Bool {
        switch Socket.connect(to: address) {
        case .connected(let socket), .underWay(let socket):
            socket.close()
            return false
        case .failed(let code):
            return code == ECONNREFUSED
        }
    }

    public func accept() -> Accepted {
        while true {
            let descriptor = drover_accept(socket.descriptor, nil, nil)
            if descriptor >= 0 {
                let client = Socket(descriptor: descriptor)
                if !isUnix {
                    client.sendWithoutDelay()
                    client.keepAlive()
                }
                return .client(client)
            }
            switch errno {
            case EINTR, ECONNABORTED, EPROTO: continue
            case EAGAIN: return .none
            default: return .failed(errno)
            }
        }
    }
}

/// Why an address cannot be listened on.
public struct ListenError: Error, Sendable, Equatable {
    public let code: Int32
}

extension Socket {
    /// Whether somebody takes connections at the address. Blocks: for starting up, not for a loop.
    public static func answers(_ address: SocketAddress, within milliseconds: Int32) -> Bool {
        switch connect(to: address) {
        case .failed: return false
        case .connected(let socket):
            socket.close()
            return true
        case .underWay(let socket):
            defer { socket.close() }
            var poll = pollfd(fd: socket.descriptor, events: Int16(POLLOUT), revents: 0)
            return unsafe Glibc.poll(&poll, 1, milliseconds) == 1 && socket.takeError() == 0
        }
    }

    /// The port that the socket is bound to; 0 on a Unix socket.
    public func localPort() -> UInt16 {
        var address = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return unsafe withUnsafeMutableBytes(of: &address) { bytes in
            let raw = unsafe bytes.baseAddress.unsafelyUnwrapped
            guard unsafe getsockname(descriptor, raw.assumingMemoryBound(to: sockaddr.self), &length) == 0 else {
                return 0
            }
            // sockaddr_in and sockaddr_in6 have the port in the same place.
            return unsafe UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self))
        }
    }
}
