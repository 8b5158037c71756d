internal import CPlatform
internal import Glibc
internal import Synchronization

/// The one thing that may cross threads: a queue behind a mutex, and an eventfd that wakes the receiving loop.
///
/// Wakes are coalesced: only the first message since the receiver last looked pays for a system call.
public final class Mailbox<Message: Sendable>: Sendable {
    private struct State {
        var messages: [Message] = []
        var woken = false
    }

    private let state = Mutex(State())
    /// Readable while messages wait; the receiver watches it.
    public let descriptor: Int32

    public init() {
        descriptor = drover_eventfd()
        precondition(descriptor >= 0, "eventfd: no descriptors left")
    }

    deinit { close(descriptor) }

    /// Any thread.
    public func send(_ message: Message) {
        let wake = state.withLock { state in
            state.messages.append(message)
            defer { state.woken = true }
            return !state.woken
        }
        guard wake else { return }
        var one: UInt64 = 1
        _ = unsafe write(descriptor, &one, 8)
    }

    /// The receiving thread: waits for a message outside its loop; false when none came in time.
    public func wait(milliseconds: Int32) -> Bool {
        var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return unsafe Glibc.poll(&poll, 1, milliseconds) > 0
    }

    /// The receiving thread: all messages since the last call.
    public func takeAll() -> [Message] {
        var counter: UInt64 = 0
        _ = unsafe read(descriptor, &counter, 8)
        return state.withLock { state in
            state.woken = false
            defer { state.messages = [] }
            return state.messages
        }
    }
}
