internal import CLibevent

/// The number of a watch of one loop.
public struct Watch: BitwiseCopyable, Sendable, Equatable {
    @usableFromInline let index: UInt32

    @inlinable init(index: UInt32) { self.index = index }

    /// Stands for no watch.
    @inlinable public static var none: Watch { Watch(index: .max) }
}

/// libevent's event structs, embedded in blocks that never move: no allocation per watch, 152 bytes each.
@safe
struct WatchStore: ~Copyable {
    @unsafe
    struct Entry {
        var event: event
        var token: UInt64
        var ready: UnsafeMutablePointer<ReadyList.State>?
        var next: UInt32
        var inUse: Bool
    }

    private static let blockSize = 32

    private let blocks: UnsafeMutablePointer<[UnsafeMutablePointer<Entry>]>
    private let free: UnsafeMutablePointer<UInt32>

    init() {
        unsafe blocks = .allocate(capacity: 1)
        unsafe blocks.initialize(to: [])
        unsafe free = .allocate(capacity: 1)
        unsafe free.initialize(to: .max)
    }

    deinit {
        for index in 0..<(unsafe blocks.pointee.count) { unsafe blocks.pointee[index].deallocate() }
        unsafe blocks.deinitialize(count: 1)
        unsafe blocks.deallocate()
        unsafe free.deallocate()
    }

    /// The entry pointer doubles as libevent's callback argument: it is stable, and the event is deleted before the
    /// entry is used again or freed.
    func add(
        base: OpaquePointer, ready: borrowing ReadyList, descriptor: Int32, what: Int16, token: UInt64
    ) -> Watch {
        if unsafe free.pointee == .max { grow() }
        let index = unsafe free.pointee
        let entry = unsafe entry(index)
        unsafe free.pointee = entry.pointee.next
        unsafe entry.pointee.token = token
        unsafe entry.pointee.ready = ready.state
        unsafe entry.pointee.inUse = true
        let failed = unsafe event_assign(
            &entry.pointee.event, base, descriptor, what,
            { _, what, argument in
                guard let entry = unsafe argument?.assumingMemoryBound(to: WatchStore.Entry.self),
                    let ready = unsafe entry.pointee.ready
                else { return }
                let token = unsafe entry.pointee.token
                // The loop's own alarm is nobody's event: waking up is all it is for.
                if token != .max { unsafe ReadyList.append(ReadyList.Entry(token: token, what: what), to: ready) }
            }, entry)
        precondition(failed == 0, "event_assign refused its arguments")
        let watch = Watch(index: index)
        arm(watch)
        return watch
    }

    func arm(_ watch: Watch) {
        _ = unsafe event_add(&entry(watch.index).pointee.event, nil)
    }

    func disarm(_ watch: Watch) {
        _ = unsafe event_del(&entry(watch.index).pointee.event)
    }

    func remove(_ watch: Watch) {
        guard watch != .none else { return }
        let entry = unsafe entry(watch.index)
        precondition(unsafe entry.pointee.inUse, "watch removed twice")
        _ = unsafe event_del(&entry.pointee.event)
        unsafe entry.pointee.inUse = false
        unsafe entry.pointee.next = free.pointee
        unsafe free.pointee = watch.index
    }

    /// For the end of the loop: no event may outlive its base.
    func removeAll() {
        for index in 0..<UInt32(unsafe blocks.pointee.count * Self.blockSize) {
            if unsafe entry(index).pointee.inUse { remove(Watch(index: index)) }
        }
    }

    private func entry(_ index: UInt32) -> UnsafeMutablePointer<Entry> {
        unsafe blocks.pointee[Int(index) / Self.blockSize] + Int(index) % Self.blockSize
    }

    private func grow() {
        let block = UnsafeMutablePointer<Entry>.allocate(capacity: Self.blockSize)
        let first = unsafe UInt32(blocks.pointee.count * Self.blockSize)
        for index in 0..<Self.blockSize {
            let next = index + 1 < Self.blockSize ? first + UInt32(index) + 1 : unsafe free.pointee
            unsafe (block + index).initialize(
                to: Entry(event: event(), token: 0, ready: nil, next: next, inUse: false))
        }
        unsafe blocks.pointee.append(block)
        unsafe free.pointee = first
    }
}
