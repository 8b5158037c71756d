internal import Glibc

/// The fixed-size blocks that all queued bytes of a worker live in: counted, pooled, with a cap.
///
/// A chunk is known by its number. Every segment of a queue, and everyone who wants to read its bytes later, holds one
/// count; at zero it goes to the free list, newest first, so that the warm one is used next. Beyond `spare` free chunks
/// the memory is freed, and `returned` counts it: the allocator keeps nearly all of it until it is told to give it up.
@safe
public final class ChunkStore {
    /// Bytes in a chunk: 16 KiB holds a pipeline's replies in one piece and a 64 KiB value in five.
    @inlinable public static var chunkSize: Int { 16_384 }

    @safe @usableFromInline
    struct Chunk: BitwiseCopyable {
        @usableFromInline var memory: UnsafeMutableRawPointer?
        @usableFromInline var count: UInt32
        @usableFromInline var nextFree: UInt32

        @usableFromInline
        init(memory: UnsafeMutableRawPointer) {
            unsafe self.memory = memory
            count = 1
            nextFree = .max
        }
    }

    @usableFromInline
    struct State {
        @usableFromInline var free: UInt32
        @usableFromInline var freeCount: UInt32
        @usableFromInline var inUse: Int
        @usableFromInline var returned: Int
    }

    @usableFromInline let chunks: Table<Chunk>
    @usableFromInline let state: UnsafeMutablePointer<State>
    /// Chunks that may be in use at once.
    public let limit: Int
    /// Free chunks that keep their memory.
    public let spare: Int

    public init(limit: Int, spare: Int = 64) {
        self.limit = max(limit, 4)
        self.spare = spare
        chunks = Table(limit: max(limit, 4) + spare + 1)
        unsafe state = .allocate(capacity: 1)
        unsafe state.initialize(to: State(free: .max, freeCount: 0, inUse: 0, returned: 0))
    }

    deinit {
        var slot = unsafe state.pointee.free
        while slot != .max {
            unsafe chunks[slot].memory?.deallocate()
            slot = chunks[slot].nextFree
        }
        unsafe state.deallocate()
    }

    /// Chunks in use now.
    @inlinable public var inUse: Int { unsafe state.pointee.inUse }

    /// Chunks whose memory was freed since `forgetReturned`.
    @inlinable public var returned: Int { unsafe state.pointee.returned }

    public func forgetReturned() { unsafe state.pointee.returned = 0 }

    /// A chunk with one count, or `Table.none` at the limit.
    @inlinable
    public func take() -> UInt32 {
        let slot = unsafe state.pointee.free
        guard slot != .max else { return takeNew() }
        unsafe state.pointee.free = chunks[slot].nextFree
        unsafe state.pointee.freeCount &-= 1
        unsafe state.pointee.inUse &+= 1
        chunks[slot].count = 1
        return slot
    }

    @usableFromInline @inline(never)
    func takeNew() -> UInt32 {
        guard unsafe state.pointee.inUse < limit else { return .max }
        unsafe state.pointee.inUse += 1
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Self.chunkSize, alignment: 64)
        return chunks.take(unsafe Chunk(memory: memory))
    }

    @inlinable
    public func retain(_ chunk: UInt32) {
        chunks[chunk].count &+= 1  // each count is a segment, call or piece, of which there are far fewer than 2^32
    }

    /// Takes several counts at once.
    @inlinable
    public func retain(_ chunk: UInt32, count: UInt32) {
        chunks[chunk].count &+= count
    }

    @inlinable
    public func release(_ chunk: UInt32) {
        let isLast = chunks.update(chunk) {
            $0.count -= 1
            return $0.count == 0
        }
        if isLast { recycle(chunk) }
    }

    /// Gives several counts back at once.
    @inlinable
    public func release(_ chunk: UInt32, count: UInt32) {
        let isLast = chunks.update(chunk) {
            $0.count -= count
            return $0.count == 0
        }
        if isLast { recycle(chunk) }
    }

    /// Nobody but the caller holds the chunk, so its bytes may be written again from the start.
    @inlinable
    public func isUnique(_ chunk: UInt32) -> Bool { chunks[chunk].count == 1 }

    @usableFromInline @inline(never)
    func recycle(_ chunk: UInt32) {
        unsafe state.pointee.inUse -= 1
        if Int(unsafe state.pointee.freeCount) < spare {
            chunks[chunk].nextFree = unsafe state.pointee.free
            unsafe state.pointee.free = chunk
            unsafe state.pointee.freeCount += 1
        } else {
            unsafe chunks[chunk].memory?.deallocate()
            unsafe state.pointee.returned += 1
            chunks.free(chunk)
        }
    }

    /// Copies `bytes` into the chunk at `offset`. The room is the caller's to know; it is checked all the same.
    @inlinable @inline(__always)
    public func write(_ bytes: RawSpan, to chunk: UInt32, at offset: Int) {
        let count = bytes.byteCount
        let memory = unsafe pointer(to: chunk, offset: offset, count: count)
        unsafe bytes.withUnsafeBytes { source in
            guard let base = source.baseAddress else { return }
            unsafe copyRun(to: memory, from: base, count)
        }
    }

    /// Copies bytes of one chunk to another, or to a place behind them in the same.
    @inlinable @inline(__always)
    public func copy(_ source: UInt32, offset: Int, count: Int, to target: UInt32, at position: Int) {
        let from = unsafe pointer(to: source, offset: offset, count: count)
        let to = unsafe pointer(to: target, offset: position, count: count)
        unsafe to.copyMemory(from: from, byteCount: count)
    }

    /// Command lines and short replies are most of what is copied: for those a call would cost more than the copy. Two
    /// loads and stores that overlap cover 8 to 16 bytes, four cover up to 32; all lie inside both runs.
    @inlinable @inline(__always)
    func copyRun(to target: UnsafeMutableRawPointer, from source: UnsafeRawPointer, _ count: Int) {
        guard count >= 8, count <= 32 else {
            unsafe target.copyMemory(from: source, byteCount: count)
            return
        }
        if count > 16 {
            unsafe copyWord(to: target, from: source, at: 8)
            unsafe copyWord(to: target, from: source, at: count &- 16)
        }
        unsafe copyWord(to: target, from: source, at: 0)
        unsafe copyWord(to: target, from: source, at: count &- 8)
    }

    @inlinable @inline(__always)
    func copyWord(to target: UnsafeMutableRawPointer, from source: UnsafeRawPointer, at offset: Int) {
        unsafe target.storeBytes(
            of: source.loadUnaligned(fromByteOffset: offset, as: UInt64.self), toByteOffset: offset, as: UInt64.self)
    }

    /// The bytes of a range of the chunk, for reading while `body` runs.
    @inlinable
    public func withBytes<Result>(of chunk: UInt32, offset: Int, count: Int, _ body: (RawSpan) -> Result) -> Result {
        precondition(offset >= 0 && count >= 0 && offset &+ count <= Self.chunkSize)
        let memory = unsafe chunks[chunk].memory.unsafelyUnwrapped
        return body(unsafe RawSpan(_unsafeStart: memory + offset, byteCount: count))
    }

    /// Where the bytes are, for an iovec that is used before the chunk is released.
    @inlinable
    func pointer(to chunk: UInt32, offset: Int, count: Int) -> UnsafeMutableRawPointer {
        precondition(offset >= 0 && count >= 0 && offset &+ count <= Self.chunkSize)
        return unsafe chunks[chunk].memory.unsafelyUnwrapped + offset
    }
}
