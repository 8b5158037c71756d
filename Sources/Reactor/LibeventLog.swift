internal import CLibevent
internal import Synchronization

/// What libevent has to say (a name server that fails, an epoll that refuses) goes where the program's log goes, not to
/// stderr in a form of its own.
public enum LibeventLog {
    public typealias Handler = @Sendable (_ isWarning: Bool, _ message: String) -> Void

    private static let handler = Mutex<Handler?>(nil)

    /// Before the first loop is made; for all loops of the process. Called on whatever thread has something to say.
    public static func send(to handler: @escaping Handler) {
        self.handler.withLock { $0 = handler }
        unsafe event_set_log_callback { severity, message in
            guard severity >= EVENT_LOG_MSG, let message = unsafe message else { return }
            let text = unsafe String(cString: message)
            let handler = LibeventLog.handler.withLock { $0 }
            handler?(severity >= EVENT_LOG_WARN, text)
        }
    }
}
