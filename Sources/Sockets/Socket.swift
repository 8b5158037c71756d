public import Bytes
internal import CPlatform
internal import Glibc

/// A stream socket by its descriptor, non-blocking. A plain value: its owner closes it, once.
public struct Socket: BitwiseCopyable, Sendable, Equatable {
    public let descriptor: Int32

    @inlinable public init(descriptor: Int32) { self.descriptor = descriptor }

    /// Stands for no socket.
    public static let none = Socket(descriptor: -1)

    @inlinable public var isOpen: Bool { descriptor >= 0 }

    /// recv(2) into the buffer's free room, which must not be empty.
    public func receive(into buffer: inout ReceiveBuffer) -> IOResult {
        let count = unsafe buffer.fill { unsafe drover_receive(descriptor, $0, $1) }
        if count > 0 { return .bytes(count) }
        return count == 0 ? .closed : Self.classify(Int32(truncatingIfNeeded: -count))
    }

    /// One write of as much of the queue as fits one vector. The bytes stay queued: the caller consumes what was taken.
    public func send(_ queue: ByteQueue, in queues: ByteQueues, with vector: borrowing SendVector) -> IOResult {
        // One piece is the usual case, and send(2) is cheaper than a vector of one.
        let sent = unsafe vector.withOnlyEntry(of: queue, in: queues) { unsafe drover_send(descriptor, $0, $1) }
        guard let count = sent else { return sendMany(queue, in: queues, with: vector) }
        return count >= 0 ? .bytes(count) : Self.classify(Int32(truncatingIfNeeded: -count))
    }

    @inline(never)
    private func sendMany(_ queue: ByteQueue, in queues: ByteQueues, with vector: borrowing SendVector) -> IOResult {
        let count = unsafe vector.withEntries(of: queue, in: queues) { entries, filled in
            var message = unsafe msghdr()
            unsafe message.msg_iov = entries
            unsafe message.msg_iovlen = filled
            return unsafe sendmsg(descriptor, &message, sendFlags)
        }
        return count >= 0 ? .bytes(count) : Self.classify(errno)
    }

    /// A peer that is gone is an EPIPE here, not a signal.
    private var sendFlags: Int32 { Int32(MSG_NOSIGNAL) }

    /// Tries to send a last word; nobody waits for it.
    public func sendOnce(_ text: StaticString) {
        _ = unsafe Glibc.send(descriptor, text.utf8Start, text.utf8CodeUnitCount, sendFlags)
    }

    static func classify(_ code: Int32) -> IOResult {
        // Interrupted: the file is still ready when it is asked for the next time.
        if code == EAGAIN || code == EINTR { return .wouldBlock }
        // These can only be bugs of ours: a number that is no socket, or memory that is not there.
        precondition(code != EBADF && code != EFAULT && code != ENOTSOCK)
        return .failed(code)
    }

    public func close() {
        guard isOpen else { return }
        _ = Glibc.close(descriptor)
    }

    /// Ends the connection with a reset, so that nothing that was written can land later: what the kernel still
    /// holds is thrown away, not retransmitted.
    public func reset() {
        guard isOpen else { return }
        var linger = linger(l_onoff: 1, l_linger: 0)
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        _ = Glibc.close(descriptor)
    }

    /// The error that the socket has met since the last call, as an errno; 0 for none. SO_ERROR.
    public func takeError() -> Int32 {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        _ = unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
        return code
    }

    /// TCP_NODELAY: replies leave at once. Harmless on a Unix socket.
    func sendWithoutDelay() {
        var on: Int32 = 1
        _ = unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    /// SO_KEEPALIVE: a peer that is gone without a word is noticed in the end.
    func keepAlive() {
        var on: Int32 = 1
        _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, socklen_t(MemoryLayout<Int32>.size))
    }
}

/// The text of an errno, for a log line.
public func errorText(_ code: Int32) -> String {
    guard let text = unsafe strerror(code) else { return "errno \(code)" }
    return unsafe String(cString: text)
}
