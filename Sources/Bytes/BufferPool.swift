/// Receive buffers by number, for connections that have part of a message: made when first needed, kept for the next.
@safe
public struct BufferPool: ~Copyable {
    /// The number of no buffer.
    @inlinable public static var none: UInt32 { UInt32.max }

    private let buffers: Table<Slot>
    private let free: Stack<UInt32>
    private let capacity: Int
    private let spare: Int
    /// Bytes of the buffers that are taken.
    public private(set) var bytesInUse = 0

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

    public mutating func take() -> UInt32 {
        bytesInUse += capacity
        if let slot = free.pop() { return slot }
        return buffers.take(Slot(capacity: capacity))
    }

    /// Gives an empty buffer back. One that has grown is not kept.
    public mutating func giveBack(_ slot: UInt32) {
        let kept = buffers[slot]
        unsafe bytesInUse -= kept.buffer.pointee.capacity
        if free.count < spare, unsafe kept.buffer.pointee.capacity == capacity {
            unsafe kept.buffer.pointee.consume(kept.buffer.pointee.count)
            free.push(slot)
        } else {
            kept.end()
            buffers.free(slot)
        }
    }

    @inline(__always)
    public mutating func with<Result>(_ slot: UInt32, _ body: (inout ReceiveBuffer) -> Result) -> Result {
        let buffer = unsafe buffers[slot].buffer
        let before = unsafe buffer.pointee.capacity
        defer { unsafe bytesInUse += buffer.pointee.capacity - before }
        return unsafe body(&buffer.pointee)
    }
}
