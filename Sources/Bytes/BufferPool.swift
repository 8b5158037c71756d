/// Receive buffers by number, for connections that have part of a message: made when first needed, kept for the next.
@safe
public struct BufferPool: ~Copyable {
    /// The number of no buffer.
    @inlinable public static var none: UInt32 { UInt32.max }

    private let buffers: Table<Slot>
    private let free: Stack<UInt32>
    private let capacity: Int
    private let spare: Int

    /// A buffer behind a pointer that only this pool knows.
    @safe
    private struct Slot: BitwiseCopyable {
        let buffer: UnsafeMutablePointer<ReceiveBuffer>

        init(capacity: Int) {
            unsafe buffer = .allocate(capacity: 1)
            unsafe buffer.initialize(to: ReceiveBuffer(capacity: capacity))
        }

        func end() {
            unsafe buffer.deinitialize(count: 1)
            unsafe buffer.deallocate()
        }
    }

    /// - Parameters:
    ///   - capacity: bytes that a buffer starts with.
    ///   - spare: buffers that are kept when nobody uses them.
    public init(capacity: Int, spare: Int = 32) {
        buffers = Table(limit: 1 << 20)
        free = Stack()
        self.capacity = capacity
        self.spare = spare
    }

    deinit {
        while let slot = free.pop() { buffers[slot].end() }
    }

    public func take() -> UInt32 {
        if let slot = free.pop() { return slot }
        return buffers.take(Slot(capacity: capacity))
    }

    /// Gives an empty buffer back. One that has grown is not kept.
    public func giveBack(_ slot: UInt32) {
        let kept = buffers[slot]
        if free.count < spare, unsafe kept.buffer.pointee.capacity == capacity {
            unsafe kept.buffer.pointee.consume(kept.buffer.pointee.count)
            free.push(slot)
        } else {
            kept.end()
            buffers.free(slot)
        }
    }

    @inline(__always)
    public func with<Result>(_ slot: UInt32, _ body: (inout ReceiveBuffer) -> Result) -> Result {
        unsafe body(&buffers[slot].buffer.pointee)
    }
}
