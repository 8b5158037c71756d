/// A growable list of plain values that keeps its memory: work lists of a turn, filled and emptied again and again.
///
/// Like `Table` it is a `let` of its owner. Reaching an element is bounds-checked.
@safe
public struct Stack<Element: BitwiseCopyable>: ~Copyable {
    @unsafe @usableFromInline
    struct State {
        @usableFromInline var elements: UnsafeMutablePointer<Element>
        @usableFromInline var count: Int
        @usableFromInline var capacity: Int

        @usableFromInline
        init(capacity: Int) {
            unsafe elements = .allocate(capacity: capacity)
            unsafe count = 0
            unsafe self.capacity = capacity
        }
    }

    @usableFromInline let state: UnsafeMutablePointer<State>

    public init() {
        unsafe state = .allocate(capacity: 1)
        unsafe state.initialize(to: State(capacity: 16))
    }

    deinit {
        unsafe state.pointee.elements.deallocate()
        unsafe state.deallocate()
    }

    @inlinable public var count: Int { unsafe state.pointee.count }
    /// Elements that there is memory for.
    @inlinable public var capacity: Int { unsafe state.pointee.capacity }

    /// All elements, for reading while `body` runs.
    @inlinable
    public func withSpan<Result>(_ body: (Span<Element>) -> Result) -> Result {
        body(unsafe Span(_unsafeStart: state.pointee.elements, count: count))
    }
    @inlinable public var isEmpty: Bool { unsafe state.pointee.count == 0 }

    @inlinable
    public subscript(_ index: Int) -> Element {
        _read {
            precondition(index >= 0 && index < count)
            yield unsafe state.pointee.elements[index]
        }
        nonmutating _modify {
            precondition(index >= 0 && index < count)
            yield unsafe &state.pointee.elements[index]
        }
    }

    /// Changes several parts of an element with one look-up.
    @inlinable @inline(__always)
    public func update<Result>(_ index: Int, _ body: (inout Element) -> Result) -> Result {
        precondition(index >= 0 && index < count)
        return unsafe body(&state.pointee.elements[index])
    }

    @inlinable
    public func push(_ element: Element) {
        if unsafe state.pointee.count == state.pointee.capacity { grow() }
        unsafe state.pointee.elements[state.pointee.count] = element
        unsafe state.pointee.count &+= 1
    }

    @inlinable
    public func pop() -> Element? {
        guard unsafe state.pointee.count > 0 else { return nil }
        unsafe state.pointee.count &-= 1
        return unsafe state.pointee.elements[state.pointee.count]
    }

    /// Keeps the memory.
    @inlinable
    public func removeAll() { unsafe state.pointee.count = 0 }

    @usableFromInline @inline(never)
    func grow() {
        let capacity = unsafe state.pointee.capacity * 2
        let elements = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
        unsafe elements.update(from: state.pointee.elements, count: state.pointee.count)
        unsafe state.pointee.elements.deallocate()
        unsafe state.pointee.elements = elements
        unsafe state.pointee.capacity = capacity
    }
}
