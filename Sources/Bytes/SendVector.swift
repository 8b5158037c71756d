public import Glibc

/// The iovec array that one gathered write uses: filled from a queue, used, and filled again by the next.
@safe
public struct SendVector: ~Copyable {
    /// Segments one write may gather (Linux allows 1024).
    @inlinable public static var capacity: Int { 256 }

    @usableFromInline let entries: UnsafeMutablePointer<iovec>
    @usableFromInline let filled: UnsafeMutablePointer<Int>

    public init() {
        unsafe entries = .allocate(capacity: Self.capacity)
        unsafe filled = .allocate(capacity: 1)
        unsafe filled.initialize(to: 0)
    }

    deinit {
        unsafe entries.deallocate()
        unsafe filled.deallocate()
    }

    /// The last use took every entry: the queue may go on behind it.
    @inlinable public var wasFull: Bool { unsafe filled.pointee == Self.capacity }

    /// Shows a queue of one segment, as most are, to `send`, which needs no vector for it; nil if there are more.
    @inlinable @inline(__always)
    public func withOnlyEntry(
        of queue: ByteQueue, in queues: ByteQueues, _ send: (UnsafeMutableRawPointer, Int) -> Int
    ) -> Int? {
        guard queue.first == queue.last, queue.first != .max else { return nil }
        let segment = queues.segments[queue.first]
        unsafe filled.pointee = 1
        let count = Int(segment.length)
        return unsafe send(queues.chunks.pointer(to: segment.chunk, offset: Int(segment.offset), count: count), count)
    }

    /// Points at the queue's first segments and hands the array to `send`, which must not keep it. Returns its result.
    @inlinable @inline(__always)
    public func withEntries(
        of queue: ByteQueue, in queues: ByteQueues, _ send: (UnsafeMutablePointer<iovec>, Int) -> Int
    ) -> Int {
        var filled = 0
        var slot = queue.first
        while slot != .max, filled < Self.capacity {
            let segment = queues.segments[slot]
            unsafe entries[filled] = unsafe iovec(
                iov_base: queues.chunks.pointer(
                    to: segment.chunk, offset: Int(segment.offset), count: Int(segment.length)),
                iov_len: Int(segment.length))
            filled &+= 1
            slot = segment.next
        }
        unsafe self.filled.pointee = filled
        return unsafe send(entries, filled)
    }
}
