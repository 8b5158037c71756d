internal import Glibc

/// A contiguous window that a socket is read into and a parser reads from.
///
/// Each worker has one large one that every read goes through; a connection owns a small one only while it has part
/// of a message, so a silent connection holds no buffer at all.
@safe
public struct ReceiveBuffer: ~Copyable {
    @usableFromInline var memory: UnsafeMutableRawPointer
    public internal(set) var capacity: Int
    /// The unread bytes are start..<end.
    @usableFromInline var start = 0
    @usableFromInline var end = 0

    public init(capacity: Int) {
        precondition(capacity > 0)
        self.capacity = capacity
        unsafe memory = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { unsafe memory.deallocate() }

    /// Bytes received and not yet consumed.
    @inlinable public var count: Int { end &- start }
    @inlinable public var isEmpty: Bool { start == end }

    /// Bytes that the next read may bring.
    public var room: Int { capacity - end }

    /// The unread bytes.
    public var unread: RawSpan {
        @inlinable @_lifetime(borrow self)
        borrowing get {
            let span = unsafe RawSpan(_unsafeStart: memory + start, byteCount: end - start)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// Calls `read` with the free room; it says how many bytes it wrote there, or a value below 1 for none.
    @inlinable @inline(__always)
    public mutating func fill(_ read: (UnsafeMutableRawPointer, Int) -> Int) -> Int {
        let room = capacity &- end  // `end` lies within the capacity
        let count = unsafe read(memory + end, room)
        precondition(count <= room)
        if count > 0 { end &+= count }
        return count
    }

    /// Drops the first `count` unread bytes.
    @inlinable
    public mutating func consume(_ count: Int) {
        precondition(count >= 0 && count <= end - start)
        start += count
        if start == end {
            start = 0
            end = 0
        }
    }

    /// Shows the unread bytes to `body`, which says how many of them it used up.
    @inlinable @inline(__always)
    public mutating func offer(_ body: (RawSpan) -> Int) {
        let used = body(unread)
        consume(used)
    }

    /// Takes over all unread bytes of another buffer; this one must be empty.
    public mutating func take(from other: inout ReceiveBuffer) {
        reserve(other.count)
        append(other.unread)
        other.consume(other.count)
    }

    /// Copies `bytes` behind the unread ones; there must be room.
    public mutating func append(_ bytes: RawSpan) {
        precondition(bytes.byteCount <= capacity - end)
        unsafe bytes.withUnsafeBytes { source in
            guard let base = source.baseAddress else { return }
            unsafe memcpy(memory + end, base, source.count)
        }
        end += bytes.byteCount
    }

    /// Makes sure that an empty buffer takes so many bytes.
    public mutating func reserve(_ count: Int) {
        precondition(isEmpty)
        guard count > capacity else { return }
        unsafe memory.deallocate()
        unsafe memory = .allocate(byteCount: count, alignment: 16)
        capacity = count
    }

    /// Makes room for at least one more byte: moves the unread bytes to the front, or doubles the capacity up to
    /// `limit`. False when it is full at the limit.
    public mutating func makeRoom(limit: Int) -> Bool {
        if start > 0 {
            unsafe memmove(memory, memory + start, end - start)
            end -= start
            start = 0
        }
        if end < capacity { return true }
        guard capacity < limit else { return false }
        let larger = min(capacity * 2, limit)
        let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
        unsafe memcpy(moved, memory, end)
        unsafe memory.deallocate()
        unsafe memory = moved
        capacity = larger
        return true
    }
}
