/// Bytes waiting to be sent, as a list of segments of chunks. A plain value: the bytes and the list belong to a
/// `ByteQueues`, without which it can do nothing.
public struct ByteQueue: BitwiseCopyable, Sendable {
    @usableFromInline var first: UInt32
    @usableFromInline var last: UInt32
    @usableFromInline var length: Int

    /// Bytes in the queue.
    @inlinable public var count: Int { length }

    @inlinable
    public init() {
        first = .max
        last = .max
        length = 0
    }

    @inlinable public var isEmpty: Bool { length == 0 }
}

/// A chunk that is being filled. Each place that writes often has one of its own, so that what it writes stays
/// contiguous and leaves as one segment.
public struct OpenChunk: BitwiseCopyable, Sendable {
    @usableFromInline var chunk: UInt32 = .max
    /// Where the next byte goes; while there is no chunk, the end of one, so that there is no room.
    @usableFromInline var fill = UInt32(ByteQueues.chunkSize)

    @inlinable public init() {}

    /// The chunk; it holds what was written last.
    @inlinable public var id: UInt32 { chunk }
    /// Where the next byte goes.
    @inlinable public var position: Int { chunk == .max ? 0 : Int(fill) }
    @inlinable public var room: Int { ByteQueues.chunkSize &- Int(fill) }
}

/// Bytes of one chunk that are kept apart from the queues. The empty one has no chunk, any other a count of it.
public struct ByteRun: BitwiseCopyable, Sendable {
    @usableFromInline var chunk: UInt32 = .max
    @usableFromInline var offset: UInt32 = 0
    @usableFromInline var length: UInt32 = 0

    @inlinable public init() {}
}

/// A run of bytes in one chunk: a queue is a list of these.
@usableFromInline
struct Segment: BitwiseCopyable {
    @usableFromInline var chunk: UInt32
    @usableFromInline var offset: UInt32
    @usableFromInline var length: UInt32
    @usableFromInline var next: UInt32

    @inlinable
    init(chunk: UInt32, offset: UInt32, length: UInt32) {
        self.chunk = chunk
        self.offset = offset
        self.length = length
        self.next = .max
    }
}

/// All byte queues of a worker: the chunks, the segments, and what can be done with them.
///
/// A byte is copied once, when it enters. Moving a reply behind another, or sending one value to several nodes, only
/// links segments.
///
/// A class, as `ChunkStore` is, because a method of a struct of this size gets a copy of it on the stack with every
/// call; held by a `let`, it costs no reference count.
@safe
public final class ByteQueues {
    @inlinable public static var chunkSize: Int { ChunkStore.chunkSize }

    public let chunks: ChunkStore
    @usableFromInline let segments: Table<Segment>

    /// - Parameter limit: bytes of chunks that may be in use at once.
    public init(limit: Int) {
        chunks = ChunkStore(limit: limit / ChunkStore.chunkSize)
        segments = Table(limit: Self.segmentLimit)
    }

    /// Segments there can be; beyond most of them appending says that memory has run out.
    @inlinable static var segmentLimit: Int { 1 << 20 }

    /// Bytes of chunks in use.
    @inlinable public var memoryInUse: Int { chunks.inUse * ChunkStore.chunkSize }

    /// Copies `bytes` to the end of the queue through `open`. False, with some of them missing, at the memory limit.
    @inlinable @inline(__always)
    public func append(_ bytes: RawSpan, to queue: inout ByteQueue, through open: inout OpenChunk) -> Bool {
        let count = bytes.byteCount
        guard count > 0, count <= open.room, segments.count < Self.segmentLimit - 4096 else {
            return appendSlowly(bytes, to: &queue, through: &open)
        }
        put(bytes, to: &queue, through: &open)
        return true
    }

    /// `append` where the open chunk is known to have room, and `isCrowded` to be false.
    @inlinable @inline(__always)
    public func put(_ bytes: RawSpan, to queue: inout ByteQueue, through open: inout OpenChunk) {
        let (offset, count) = (open.fill, UInt32(truncatingIfNeeded: bytes.byteCount))
        chunks.write(bytes, to: open.chunk, at: Int(offset))
        open.fill = offset &+ count
        link(open.chunk, offset, count, &queue)
    }

    @usableFromInline @inline(never)
    func appendSlowly(_ bytes: RawSpan, to queue: inout ByteQueue, through open: inout OpenChunk) -> Bool {
        var done = 0
        guard segments.count < Self.segmentLimit - 4096 else { return false }
        while done < bytes.byteCount {
            if open.room == 0, !renew(&open) { return false }
            let count = min(open.room, bytes.byteCount - done)
            chunks.write(bytes.extracting(done..<(done + count)), to: open.chunk, at: Int(open.fill))
            link(open.chunk, open.fill, UInt32(count), &queue)
            open.fill += UInt32(count)
            done += count
        }
        return true
    }

    /// Copies a constant to the end of the queue.
    @inlinable
    public func append(_ text: StaticString, to queue: inout ByteQueue, through open: inout OpenChunk) -> Bool {
        append(
            unsafe RawSpan(_unsafeStart: text.utf8Start, byteCount: text.utf8CodeUnitCount), to: &queue, through: &open)
    }

    /// Lets go of the chunk that is open and opens an empty one; false at the memory limit.
    public func renew(_ open: inout OpenChunk) -> Bool {
        close(&open)
        let chunk = chunks.take()
        guard chunk != .max else { return false }
        open.chunk = chunk
        open.fill = 0
        return true
    }

    /// Starts the open chunk over when nobody reads it any more: between turns, so that the same warm lines are used.
    @inlinable
    public func rewind(_ open: inout OpenChunk) {
        if open.chunk != .max, chunks.isUnique(open.chunk) { open.fill = 0 }
    }

    /// Copies `bytes`, to be looked at until they are released. False at the memory limit, and for more than a chunk.
    @inlinable
    public func keep(_ bytes: RawSpan, in run: inout ByteRun, through open: inout OpenChunk) -> Bool {
        let count = bytes.byteCount
        guard count <= open.room || count <= Self.chunkSize && renew(&open), open.chunk != .max else { return false }
        run.chunk = open.chunk
        run.offset = open.fill
        run.length = UInt32(truncatingIfNeeded: count)
        store(bytes, through: &open)
        chunks.retain(run.chunk)
        return true
    }

    /// Keeps the first `count` of the last `written` bytes that went to the open chunk.
    @inlinable @inline(__always)
    public func keep(_ count: Int, ofLast written: Int, in open: OpenChunk) -> ByteRun {
        precondition(count <= written && written <= open.position)
        var run = ByteRun()
        run.chunk = open.chunk
        run.offset = open.fill &- UInt32(truncatingIfNeeded: written)
        run.length = UInt32(truncatingIfNeeded: count)
        chunks.retain(run.chunk)
        return run
    }

    /// Shows the bytes of a run that is not empty.
    public func withBytes<Result>(of run: ByteRun, _ body: (RawSpan) -> Result) -> Result {
        chunks.withBytes(of: run.chunk, offset: Int(run.offset), count: Int(run.length), body)
    }

    @inlinable
    public func release(_ run: ByteRun) {
        if run.chunk != .max { chunks.release(run.chunk) }
    }

    /// Gives back a count of a chunk that was kept apart from the queues.
    @inlinable
    public func release(_ chunk: UInt32) { chunks.release(chunk) }

    /// Lets go of the chunk that is open.
    public func close(_ open: inout OpenChunk) {
        if open.chunk != .max { chunks.release(open.chunk) }
        open = OpenChunk()
    }

    /// Adds a segment, or lengthens the last one when the new bytes stand right behind it.
    @inlinable @inline(__always)
    func link(_ chunk: UInt32, _ offset: UInt32, _ length: UInt32, _ queue: inout ByteQueue) {
        guard length > 0 else { return }
        if queue.last != .max, lengthen(queue.last, chunk, offset, length) {
            queue.length &+= Int(length)
            return
        }
        chunks.retain(chunk)
        let segment = segments.take(Segment(chunk: chunk, offset: offset, length: length))
        if queue.last == .max { queue.first = segment } else { segments[queue.last].next = segment }
        queue.last = segment
        queue.length &+= Int(length)
    }

    /// False when the bytes do not stand right behind the segment's.
    @inlinable @inline(__always)
    func lengthen(_ segment: UInt32, _ chunk: UInt32, _ offset: UInt32, _ length: UInt32) -> Bool {
        segments.update(segment) {
            guard $0.chunk == chunk, $0.offset &+ $0.length == offset else { return false }
            $0.length &+= length
            return true
        }
    }

    /// Adds bytes that are already in a chunk.
    @inlinable
    public func share(_ chunk: UInt32, offset: Int, count: Int, with queue: inout ByteQueue) {
        precondition(offset >= 0 && count >= 0 && count <= Self.chunkSize - offset)
        link(chunk, UInt32(offset), UInt32(count), &queue)
    }

    /// Adds all bytes of a queue but the first `dropped`; both queues hold them then.
    public func shareAll(of source: ByteQueue, dropping dropped: Int = 0, with queue: inout ByteQueue) {
        var (slot, left) = (source.first, UInt32(truncatingIfNeeded: dropped))
        while slot != .max {
            let segment = segments[slot]
            let skipped = min(left, segment.length)
            left -= skipped
            link(segment.chunk, segment.offset + skipped, segment.length - skipped, &queue)
            slot = segment.next
        }
    }

    /// Whether the bytes of a queue behind the first `dropped` are those of another.
    public func isEqual(_ queue: ByteQueue, dropping dropped: Int, to other: ByteQueue) -> Bool {
        guard queue.count - dropped == other.count else { return false }
        var (slot, offset) = (queue.first, UInt32(truncatingIfNeeded: dropped))
        var (otherSlot, otherOffset) = (other.first, UInt32(0))
        var left = other.count
        while left > 0 {
            let (one, two) = (segments[slot], segments[otherSlot])
            let count = min(one.length - min(offset, one.length), two.length - otherOffset)
            if count > 0 {
                let isEqual = chunks.withBytes(of: one.chunk, offset: Int(one.offset + offset), count: Int(count)) {
                    a in
                    chunks.withBytes(of: two.chunk, offset: Int(two.offset + otherOffset), count: Int(count)) { b in
                        a.isEqual(to: b)
                    }
                }
                guard isEqual else { return false }
                left -= Int(count)
            }
            offset += count
            otherOffset += count
            if offset >= one.length { (slot, offset) = (one.next, offset - one.length) }
            if otherOffset >= two.length { (otherSlot, otherOffset) = (two.next, 0) }
        }
        return true
    }

    /// Shows the queue's first segment, or as much of it as `limit`, to `body`.
    public func withStart<Result>(of queue: ByteQueue, limit: Int, _ body: (RawSpan) -> Result) -> Result? {
        guard queue.first != .max else { return nil }
        let segment = segments[queue.first]
        return chunks.withBytes(
            of: segment.chunk, offset: Int(segment.offset), count: min(Int(segment.length), limit), body)
    }

    /// Segments are running out: what would need many more of them has to stop.
    @inlinable public var isCrowded: Bool { segments.count >= Self.segmentLimit - 4096 }

    /// Copies `bytes` into the open chunk, where there must be room for them, without adding them to a queue. The
    /// caller takes a count of the chunk for each part that it will hand to `give`.
    @inlinable @inline(__always)
    public func store(_ bytes: RawSpan, through open: inout OpenChunk) {
        chunks.write(bytes, to: open.chunk, at: open.position)
        open.fill &+= UInt32(truncatingIfNeeded: bytes.byteCount)  // `write` has checked that it fits
    }

    /// Tells where writing goes on in the open chunk, behind bytes that were written there directly.
    @inlinable
    public func advance(_ open: inout OpenChunk, to position: Int) {
        precondition(position >= open.position && position <= Self.chunkSize)
        open.fill = UInt32(truncatingIfNeeded: position)
    }

    /// Moves all of `source` behind `target`; no byte is touched.
    @inlinable
    public func move(_ source: inout ByteQueue, behind target: inout ByteQueue) {
        guard source.first != .max else { return }
        if target.last == .max {
            target = source
        } else {
            let last = segments[target.last]
            let head = segments[source.first]
            if last.chunk == head.chunk, last.offset &+ last.length == head.offset {
                segments[target.last].length = last.length &+ head.length
                segments[target.last].next = head.next
                if head.next != .max { target.last = source.last }
                chunks.release(head.chunk)
                segments.free(source.first)
            } else {
                segments[target.last].next = source.first
                target.last = source.last
            }
            target.length &+= source.count
        }
        source = ByteQueue()
    }

    /// Drops the first `count` bytes.
    @inlinable @inline(__always)
    public func consume(_ count: Int, from queue: inout ByteQueue) {
        // Nearly always all of it, in one piece.
        if count == queue.length, queue.first == queue.last {
            if queue.first != .max { drop(queue.first) }
            queue = ByteQueue()
        } else {
            consumeSlowly(count, from: &queue)
        }
    }

    @inlinable @inline(__always)
    func drop(_ segment: UInt32) {
        chunks.release(segments[segment].chunk)
        segments.free(segment)
    }

    @usableFromInline @inline(never)
    func consumeSlowly(_ count: Int, from queue: inout ByteQueue) {
        precondition(count >= 0 && count <= queue.count)
        queue.length &-= count
        var left = UInt32(truncatingIfNeeded: count)
        while left > 0 {
            let segment = segments[queue.first]
            guard left >= segment.length else {
                segments[queue.first].offset = segment.offset &+ left
                segments[queue.first].length = segment.length &- left
                return
            }
            left &-= segment.length
            drop(queue.first)
            queue.first = segment.next
            if segment.next == .max { queue.last = .max }
        }
    }

    @inlinable
    public func clear(_ queue: inout ByteQueue) {
        consume(queue.count, from: &queue)
    }

    /// Calls `body` with each contiguous run of the queue, in order, until it says stop.
    public func forEachRun(of queue: ByteQueue, _ body: (RawSpan) -> Bool) {
        var slot = queue.first
        while slot != .max {
            let segment = segments[slot]
            let goOn = chunks.withBytes(
                of: segment.chunk, offset: Int(segment.offset), count: Int(segment.length), body)
            guard goOn else { return }
            slot = segment.next
        }
    }
}
