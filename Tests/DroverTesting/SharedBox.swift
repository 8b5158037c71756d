import Synchronization

/// A value that several threads of a test share.
public final class SharedBox<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>

    public init(_ value: Value) {
        mutex = Mutex(value)
    }

    public func withValue<Result>(_ body: (inout sending Value) throws -> sending Result) rethrows -> sending Result {
        try mutex.withLock(body)
    }

    public var value: Value {
        mutex.withLock { $0 }
    }
}
