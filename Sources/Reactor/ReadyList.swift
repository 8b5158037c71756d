/// What became ready in one turn, in the order in which libevent said so; grown when a turn brings more than ever.
@safe
struct ReadyList: ~Copyable {
    struct Entry {
        var token: UInt64
        var what: Int16
    }

    @unsafe
    struct State {
        var entries: UnsafeMutablePointer<Entry>
        var count: Int
        var capacity: Int
    }

    let state: UnsafeMutablePointer<State>

    init() {
        unsafe state = .allocate(capacity: 1)
        unsafe state.initialize(to: State(entries: .allocate(capacity: 64), count: 0, capacity: 64))
    }

    deinit {
        unsafe state.pointee.entries.deallocate()
        unsafe state.deallocate()
    }

    var count: Int { unsafe state.pointee.count }

    func clear() { unsafe state.pointee.count = 0 }

    subscript(index: Int) -> Entry {
        precondition(index >= 0 && index < count)
        return unsafe state.pointee.entries[index]
    }

    /// For libevent's callback, which has only a pointer.
    static func append(_ state: UnsafeMutablePointer<State>?, token: UInt64, what: Int16) {
        guard let state = unsafe state else { return }
        if unsafe state.pointee.count == state.pointee.capacity { unsafe grow(state) }
        unsafe state.pointee.entries[state.pointee.count] = Entry(token: token, what: what)
        unsafe state.pointee.count &+= 1
    }

    @inline(never)
    private static func grow(_ state: UnsafeMutablePointer<State>) {
        let capacity = unsafe state.pointee.capacity * 2
        let entries = UnsafeMutablePointer<Entry>.allocate(capacity: capacity)
        unsafe entries.update(from: state.pointee.entries, count: state.pointee.count)
        unsafe state.pointee.entries.deallocate()
        unsafe state.pointee.entries = entries
        unsafe state.pointee.capacity = capacity
    }
}
