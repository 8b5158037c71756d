internal import Glibc

/// A value that several threads may use, one at a time: who comes second sleeps, so it is for what is rare.
///
/// On a POSIX mutex, because the thread sanitizer does not see into the standard library's `Mutex` and reports whatever
/// that guards as a race.
@safe
public final class Guarded<Value: Sendable>: @unchecked Sendable {
    private var content: Value
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    public init(_ value: Value) {
        content = value
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe pthread_mutex_init(mutex, nil)
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
    }

    public func withValue<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try body(&content)
    }
}
