/// Runs of chunks on their way into one queue, in order. Small ones are copied side by side into the open chunk: a
/// segment for each, its part of the gathered write and its end would cost more than the copy.
public struct Gathering: BitwiseCopyable {
    public var queue: ByteQueue
    public var open: OpenChunk
    /// Up to where the open chunk's bytes are in the queue.
    @usableFromInline var linked: UInt32
    /// The chunk of the last runs and how many counts of it are to be given back.
    @usableFromInline var held = UInt32.max
    @usableFromInline var heldCount: UInt32 = 0
    /// The last run, which the next may lengthen.
    @usableFromInline var offset: UInt32 = 0
    @usableFromInline var length: UInt32 = 0
    /// Something found no segment.
    public var isCut = false

    /// - Parameters:
    ///   - queue: what the runs go behind.
    ///   - open: where small ones are copied to.
    @inlinable
    public init(behind queue: ByteQueue, through open: OpenChunk) {
        self.queue = queue
        self.open = open
        linked = open.fill
    }
}

extension ByteQueues {
    /// Bytes that are copied rather than linked, where there is a choice.
    @inlinable static var cheapToCopy: UInt32 { 1024 }

    /// Adds a run of a chunk together with the caller's count of it.
    @inlinable @inline(__always)
    public func give(_ chunk: UInt32, offset: UInt32, count: UInt32, to gathering: inout Gathering) {
        if chunk == gathering.held {
            gathering.heldCount &+= 1
            if offset == gathering.offset &+ gathering.length {
                gathering.length &+= count
                return
            }
            passRun(&gathering)
        } else {
            passRun(&gathering)
            letGo(&gathering)
            gathering.held = chunk
            gathering.heldCount = 1
        }
        gathering.offset = offset
        gathering.length = count
    }

    /// Copies or links the run that may still have grown.
    @inlinable @inline(__always)
    func passRun(_ gathering: inout Gathering) {
        let count = gathering.length
        guard count > 0 else { return }
        let position = gathering.open.fill
        if count <= Self.cheapToCopy, Int(position) &+ Int(count) <= Self.chunkSize {
            chunks.copy(
                gathering.held, offset: Int(gathering.offset), count: Int(count), to: gathering.open.chunk,
                at: Int(position))
            gathering.open.fill = position &+ count
        } else {
            // A copy, so that the original can stay in registers.
            var all = gathering
            giveWhole(all.held, offset: all.offset, count: count, to: &all)
            gathering = all
        }
        gathering.length = 0
    }

    /// What is large is linked; for what is small there was no room.
    @usableFromInline @inline(never)
    func giveWhole(_ chunk: UInt32, offset: UInt32, count: UInt32, to gathering: inout Gathering) {
        linkCopied(&gathering)
        if count <= Self.cheapToCopy {
            let isRenewed = renew(&gathering.open)
            gathering.linked = gathering.open.fill
            if isRenewed {
                chunks.copy(chunk, offset: Int(offset), count: Int(count), to: gathering.open.chunk, at: 0)
                gathering.open.fill = count
                return
            }
        }
        if isCrowded {
            gathering.isCut = true
        } else {
            share(chunk, offset: Int(offset), count: Int(count), with: &gathering.queue)
        }
    }

    /// Adds all of `source`.
    public func move(_ source: inout ByteQueue, into gathering: inout Gathering) {
        passRun(&gathering)
        linkCopied(&gathering)
        move(&source, behind: &gathering.queue)
    }

    /// The queue and the open chunk are the caller's again.
    public func finish(_ gathering: inout Gathering) {
        passRun(&gathering)
        linkCopied(&gathering)
        letGo(&gathering)
    }

    @inlinable @inline(__always)
    func letGo(_ gathering: inout Gathering) {
        if gathering.heldCount > 0 { chunks.release(gathering.held, count: gathering.heldCount) }
        gathering.heldCount = 0
    }

    private func linkCopied(_ gathering: inout Gathering) {
        guard gathering.open.fill > gathering.linked else { return }
        if isCrowded {
            gathering.isCut = true
        } else {
            link(gathering.open.chunk, gathering.linked, gathering.open.fill - gathering.linked, &gathering.queue)
        }
        gathering.linked = gathering.open.fill
    }
}
