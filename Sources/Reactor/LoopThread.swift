internal import CPlatform
internal import Glibc

/// A named thread that runs one body to its end.
public struct LoopThread: Sendable {
    private let handle: pthread_t

    /// The start box: retained here, taken by the new thread on its first line, so that it is owned exactly once.
    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void

        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// - Parameter name: at most 15 bytes are kept.
    public init(name: String, _ body: @escaping @Sendable () -> Void) {
        let box = unsafe Unmanaged.passRetained(Start(name: String(name.prefix(15)), body: body)).toOpaque()
        var handle = pthread_t()
        let failed = unsafe pthread_create(
            &handle, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                unsafe start.name.withCString { unsafe drover_name_thread($0) }
                start.body()
                return nil
            }, box)
        precondition(failed == 0, "pthread_create: no thread could be started")
        self.handle = handle
    }

    /// Waits for the body to end.
    public func join() {
        _ = pthread_join(handle, nil)
    }
}
