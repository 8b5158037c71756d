internal import Bytes

/// A value that several threads of a test share.
public final class SharedBox<Value: Sendable>: Sendable {
    private let content: Guarded<Value>

    public init(_ value: Value) { content = Guarded(value) }

    public func withValue<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
        try content.withValue(body)
    }

    public var value: Value {
        withValue { $0 }
    }
}
