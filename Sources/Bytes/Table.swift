internal import Glibc

/// Numbered slots for plain values: what a worker keeps instead of objects and references.
///
/// Choose it for anything that exists once per connection, request or call. Taking and freeing a slot costs a few
/// instructions and allocates nothing; an element is reached by its number, with one comparison, and no reference is
/// counted. The address space for all slots is reserved at the start and the system gives memory to those that are
/// used: slots never move, so no access can outlive its memory, and a wrong number is a wrong value or a trap, never a
/// stray pointer. Not for sharing between threads.
@safe
public struct Table<Element: BitwiseCopyable>: ~Copyable {
    /// The number of no slot.
    @inlinable public static var none: UInt32 { UInt32.max }

    @unsafe @usableFromInline
    struct State {
        /// The first slot of the list of those given back, or none.
        @usableFromInline var free: UInt32
        /// The first slot that was never taken.
        @usableFromInline var fresh: UInt32
        @usableFromInline var used: UInt32
    }

    @usableFromInline let base: UnsafeMutablePointer<Element>
    @usableFromInline let state: UnsafeMutablePointer<State>
    /// Slots there can be.
    public let limit: UInt32

    /// - Parameter limit: slots there can be; only address space is spent on those that are never used.
    public init(limit: Int) {
        precondition(MemoryLayout<Element>.size >= MemoryLayout<UInt32>.size, "a free slot holds a slot number")
        precondition(limit > 0 && limit < UInt32.max)
        self.limit = UInt32(limit)
        let bytes = limit * MemoryLayout<Element>.stride
        let flags = Int32(MAP_PRIVATE) | Int32(MAP_ANONYMOUS) | Int32(MAP_NORESERVE)
        guard let memory = unsafe mmap(nil, bytes, PROT_READ | PROT_WRITE, flags, -1, 0),
            unsafe memory != MAP_FAILED
        else { fatalError("no address space for \(bytes) bytes: is it limited (ulimit -v)?") }
        unsafe base = memory.bindMemory(to: Element.self, capacity: limit)
        unsafe state = .allocate(capacity: 1)
        unsafe state.initialize(to: State(free: .max, fresh: 0, used: 0))
    }

    deinit {
        _ = unsafe munmap(base, Int(limit) * MemoryLayout<Element>.stride)
        unsafe state.deallocate()
    }

    /// Slots in use.
    @inlinable public var count: Int { Int(unsafe state.pointee.used) }

    /// Slots from here on were never taken.
    public var bound: UInt32 { unsafe state.pointee.fresh }

    @inlinable
    public subscript(_ slot: UInt32) -> Element {
        @inline(__always) _read {
            precondition(slot < limit)
            yield unsafe base[Int(slot)]
        }
        @inline(__always) nonmutating _modify {
            precondition(slot < limit)
            yield unsafe &base[Int(slot)]
        }
    }

    /// Changes several parts of an element with one look-up.
    @inlinable @inline(__always)
    public func update<Result>(_ slot: UInt32, _ body: (inout Element) -> Result) -> Result {
        precondition(slot < limit)
        return unsafe body(&base[Int(slot)])
    }

    /// Puts `element` in a free slot and returns the slot's number. Traps when there is none: owners keep below `limit`.
    @inlinable @inline(__always)
    public func take(_ element: Element) -> UInt32 {
        let slot = takeSlot()
        unsafe (base + Int(slot)).initialize(to: element)
        return slot
    }

    /// A slot of unknown content, below `limit`.
    @inlinable @inline(__always)
    func takeSlot() -> UInt32 {
        let slot = unsafe state.pointee.free
        guard slot != .max else { return takeFresh() }
        unsafe state.pointee.free = UnsafeRawPointer(base + Int(slot)).load(as: UInt32.self)
        unsafe state.pointee.used &+= 1
        return slot
    }

    @usableFromInline @inline(never)
    func takeFresh() -> UInt32 {
        let slot = unsafe state.pointee.fresh
        precondition(slot < limit, "table full")
        unsafe state.pointee.fresh = slot + 1
        unsafe state.pointee.used += 1
        return slot
    }

    /// Gives the slot back; its number may be handed out by the next `take`.
    @inlinable
    public func free(_ slot: UInt32) {
        precondition(slot < limit)
        unsafe UnsafeMutableRawPointer(base + Int(slot)).storeBytes(of: state.pointee.free, as: UInt32.self)
        unsafe state.pointee.free = slot
        unsafe state.pointee.used &-= 1
    }

    /// Calls `body` with each slot in use, in order. It looks at every slot that was ever taken: for rare occasions.
    public func forEachUsed(_ body: (UInt32) -> Void) {
        let fresh = Int(unsafe state.pointee.fresh)
        var isUsed = [Bool](repeating: true, count: fresh)
        var slot = unsafe state.pointee.free
        while slot != .max {
            isUsed[Int(slot)] = false
            slot = unsafe UnsafeRawPointer(base + Int(slot)).load(as: UInt32.self)
        }
        for slot in 0..<fresh where isUsed[slot] { body(UInt32(slot)) }
    }
}
