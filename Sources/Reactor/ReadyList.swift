/// What became ready in one turn, in the order in which libevent said so; grown when a turn brings more than ever.
@safe @usableFromInline
struct ReadyList: ~Copyable {
    @usableFromInline
    struct Entry {
        @usableFromInline var token: UInt64
        @usableFromInline var what: Int16

        init(token: UInt64, what: Int16) {
            self.token = token
            self.what = what
        }
    }

    @unsafe @usableFromInline
    struct State {
        @usableFromInline var entries: UnsafeMutablePointer<Entry>
        @usableFromInline var count: Int
        var capacity: Int
    }

    @usableFromInline let state: UnsafeMutablePointer<State>

    init() {
        unsafe state = .allocate(capacity: 1)
        unsafe state.initialize(to: State(entries: .allocate(capacity: 64), count: 0, capacity: 64))
    }

    deinit {
        unsafe state.pointee.entries.deallocate()
        unsafe state.deallocate()
    }

    @inlinable var count: Int { unsafe state.pointee.count }

    func clear() { unsafe state.pointee.count = 0 }

    @inlinable subscript(index: Int) -> Entry {
        precondition(index >= 0 && index < count)
        return unsafe state.pointee.entries[index]
    }

    /// For libevent's callback, which has only a pointer. It runs for every event: growing is a call at its very end, so
    /// that the usual way has no registers to save.
    @inline(__always)
    static func append(_ entry: Entry, to state: UnsafeMutablePointer<State>) {
        let count = unsafe state.pointee.count
        guard unsafe count < state.pointee.capacity else { return unsafe appendGrowing(entry, to: state) }
        unsafe state.pointee.entries[count] = entry
        unsafe state.pointee.count = count &+ 1
    }

    @inline(never)
    private static func appendGrowing(_ entry: Entry, to state: UnsafeMutablePointer<State>) {
        let capacity = unsafe state.pointee.capacity * 2
        let entries = UnsafeMutablePointer<Entry>.allocate(capacity: capacity)
        unsafe entries.update(from: state.pointee.entries, count: state.pointee.count)
        unsafe state.pointee.entries.deallocate()
        unsafe state.pointee.entries = entries
        unsafe state.pointee.capacity = capacity
        unsafe append(entry, to: state)
    }
}
