import Dispatch
import Glibc

/// A thread that runs one closure, for what must go on beside the test: a load, a slow reader.
public final class TestThread<Value: Sendable>: Sendable {
    private let outcome = SharedBox<Result<Value, any Error>?>(nil)
    private let done = DispatchSemaphore(value: 0)

    public init(_ body: @escaping @Sendable () throws -> Value) {
        let outcome = outcome
        let done = done
        startThread {
            let result = Result { try body() }
            outcome.withValue { $0 = result }
            done.signal()
        }
    }

    /// Waits for the closure's end.
    public func join() throws -> Value {
        done.wait()
        done.signal()
        guard let result = outcome.withValue({ $0 }) else { throw TestFailure("the thread left nothing") }
        return try result.get()
    }
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(run: @escaping @Sendable () -> Void) {
        self.run = run
    }
}

/// Runs the closure on a new detached thread.
func startThread(_ run: @escaping @Sendable () -> Void) {
    let body = unsafe Unmanaged.passRetained(ThreadBody(run: run)).toOpaque()
    var thread = pthread_t()
    let failure = unsafe pthread_create(
        &thread, nil,
        { context in
            unsafe Unmanaged<ThreadBody>.fromOpaque(context!).takeRetainedValue().run()
            return nil
        }, body)
    precondition(failure == 0, "pthread_create: errno \(failure)")
    pthread_detach(thread)
}
