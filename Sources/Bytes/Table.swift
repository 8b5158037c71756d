/// Numbered slots for plain values: what a worker keeps instead of objects and references.
///
/// Choose it for anything that exists once per connection, request or call. Taking and freeing a slot costs a few
/// instructions and allocates nothing after warm-up; an element is reached by its number, with a bounds check, and
/// no reference is counted. Slots live in blocks that never move and are never returned, so no access can outlive its
/// memory: a wrong number is a wrong value or a trap, never a stray pointer. Not for sharing between threads.
@safe
public struct Table<Element: BitwiseCopyable>: ~Copyable {
    /// The number of no slot.
    @inlinable public static var none: UInt32 { UInt32.max }

    @usableFromInline static var blockBits: UInt32 { 8 }
    @usableFromInline static var blockSize: Int { 1 << 8 }

    @unsafe @usableFromInline
    struct Header {
        @usableFromInline var blocks: UnsafeMutablePointer<UnsafeMutablePointer<Element>>
        var blockCount: Int
        var blockCapacity: Int
        @usableFromInline var capacity: UInt32
        @usableFromInline var free: UInt32
        @usableFromInline var used: UInt32

        init(blockCapacity: Int) {
            unsafe blocks = .allocate(capacity: blockCapacity)
            unsafe blockCount = 0
            unsafe self.blockCapacity = blockCapacity
            unsafe capacity = 0
            unsafe free = .max
            unsafe used = 0
        }
    }

    /// A pointer, so that a table can be a `let` of its owner: reaching an element then needs no exclusivity check.
    @usableFromInline let header: UnsafeMutablePointer<Header>

    public init() {
        precondition(MemoryLayout<Element>.size >= MemoryLayout<UInt32>.size, "a free slot holds a slot number")
        unsafe header = .allocate(capacity: 1)
        unsafe header.initialize(to: Header(blockCapacity: 4))
    }

    deinit {
        for index in 0..<(unsafe header.pointee.blockCount) { unsafe header.pointee.blocks[index].deallocate() }
        unsafe header.pointee.blocks.deallocate()
        unsafe header.deallocate()
    }

    /// Slots in use.
    @inlinable public var count: Int { Int(unsafe header.pointee.used) }

    /// One past the highest slot number ever taken, rounded up to a block.
    @inlinable public var capacity: UInt32 { unsafe header.pointee.capacity }

    @inlinable
    public subscript(_ slot: UInt32) -> Element {
        _read { yield unsafe address(slot).pointee }
        nonmutating _modify { yield unsafe &address(slot).pointee }
    }

    /// Puts `element` in a free slot and returns the slot's number. O(1) but for one block in 256.
    @inlinable
    public func take(_ element: Element) -> UInt32 {
        if unsafe header.pointee.free == .max { grow() }
        let slot = unsafe header.pointee.free
        let place = unsafe address(slot)
        unsafe header.pointee.free = UnsafeRawPointer(place).load(as: UInt32.self)
        unsafe header.pointee.used &+= 1
        unsafe place.initialize(to: element)
        return slot
    }

    /// Gives the slot back; its number may be handed out by the next `take`.
    @inlinable
    public func free(_ slot: UInt32) {
        let place = unsafe address(slot)
        unsafe UnsafeMutableRawPointer(place).storeBytes(of: header.pointee.free, as: UInt32.self)
        unsafe header.pointee.free = slot
        unsafe header.pointee.used &-= 1
    }

    @inlinable @inline(__always)
    func address(_ slot: UInt32) -> UnsafeMutablePointer<Element> {
        precondition(slot < (unsafe header.pointee.capacity))
        return unsafe header.pointee.blocks[Int(slot >> Self.blockBits)] + Int(slot & UInt32(Self.blockSize - 1))
    }

    /// Adds one block and threads its slots onto the free list, lowest number first.
    @usableFromInline @inline(never)
    func grow() {
        if unsafe header.pointee.blockCount == header.pointee.blockCapacity {
            let doubled = unsafe header.pointee.blockCapacity * 2
            let blocks = UnsafeMutablePointer<UnsafeMutablePointer<Element>>.allocate(capacity: doubled)
            unsafe blocks.update(from: header.pointee.blocks, count: header.pointee.blockCount)
            unsafe header.pointee.blocks.deallocate()
            unsafe header.pointee.blocks = blocks
            unsafe header.pointee.blockCapacity = doubled
        }
        let first = unsafe header.pointee.capacity
        let block = UnsafeMutablePointer<Element>.allocate(capacity: Self.blockSize)
        unsafe header.pointee.blocks[header.pointee.blockCount] = block
        unsafe header.pointee.blockCount += 1
        unsafe header.pointee.capacity = first + UInt32(Self.blockSize)
        for index in (0..<UInt32(Self.blockSize)).reversed() {
            let slot = first + index
            unsafe UnsafeMutableRawPointer(block + Int(index)).storeBytes(of: header.pointee.free, as: UInt32.self)
            unsafe header.pointee.free = slot
        }
    }
}
