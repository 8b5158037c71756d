internal import Bytes
internal import Telemetry

/// A key in the repair queue.
struct RepairEntry: BitwiseCopyable {
    static let keyLimit = 250
    /// The place of one that is not in the heap.
    static let underWay = UInt32.max

    let hash: UInt64
    /// When it comes up; while it is under way, when it was asked for again.
    var due: UInt64
    /// Until then a copy may still carry out what it failed to answer: who is repaired before is repaired once more.
    var settled: UInt64 = 0
    /// Among those due at the same time.
    var order: UInt64 = 0
    /// Index in the heap.
    var place = underWay
    var nextInChain: UInt32
    let pool: UInt16
    let isBase64: Bool
    var reason: RepairReason
    var needsAllCopies = false
    /// The last try found the node of a copy that it needs to be down.
    var awaitsNode = false
    /// Nobody knows that its copies differ: they are only to be compared.
    var isCheck = false
    /// They were seen to differ, by a check with this witness, and no write has asked for the repair.
    var suspicion: UInt64?
    /// Since it is under way.
    var isAskedAgain = false
    /// In the writes for which it was asked again.
    var missedMeanwhile = MissedCopies()
    var missed = MissedCopies()
    /// When the repair under way began.
    var began: UInt64 = 0
    /// Of any kind; they make its delays.
    var tries: UInt8 = 0
    /// Those that count against its limit.
    var failures: UInt8 = 0
    var keyLength: UInt8 = 0
    var key = InlineArray<250, UInt8>(repeating: 0)

    /// Something can be done about it: its copies are not only to be compared, and it waits for no node.
    var isRepairable: Bool { !isCheck && suspicion == nil && !awaitsNode }

    init(hash: UInt64, due: UInt64, pool: UInt16, isBase64: Bool, reason: RepairReason, nextInChain: UInt32) {
        self.hash = hash
        self.due = due
        self.pool = pool
        self.isBase64 = isBase64
        self.reason = reason
        self.nextInChain = nextInChain
    }

    /// - Parameter bytes: at most `keyLimit`.
    mutating func keep(_ bytes: RawSpan) {
        keyLength = UInt8(bytes.byteCount)
        for index in 0..<bytes.byteCount { key[index] = bytes.byte(at: index) }
    }

    func isFor(_ bytes: RawSpan, _ isBase64: Bool, _ hash: UInt64, _ pool: UInt16) -> Bool {
        guard hash == self.hash, pool == self.pool, isBase64 == self.isBase64, bytes.byteCount == Int(keyLength) else {
            return false
        }
        return unsafe key.span.bytes.extracting(0..<Int(keyLength)).isEqual(to: bytes)
    }
}

/// The heap: earlier keys above later ones.
extension RepairQueue {
    private func comesBefore(_ one: UInt32, _ other: UInt32) -> Bool {
        let (due, otherDue) = (entries[one].due, entries[other].due)
        return due != otherDue ? due < otherDue : entries[one].order < entries[other].order
    }

    private func put(_ slot: UInt32, at index: Int) {
        heap[index] = slot
        entries[slot].place = UInt32(index)
    }

    func siftUp(from start: Int) {
        let slot = heap[start]
        var index = start
        while index > 0 {
            let parent = (index - 1) / 2
            guard comesBefore(slot, heap[parent]) else { break }
            put(heap[parent], at: index)
            index = parent
        }
        put(slot, at: index)
    }

    /// Takes the first out; there is one.
    func removeFirst() -> UInt32 {
        let first = heap[0]
        guard let slot = heap.pop(), !heap.isEmpty else { return first }
        var index = 0
        while true {
            var child = 2 * index + 1
            guard child < heap.count else { break }
            if child + 1 < heap.count, comesBefore(heap[child + 1], heap[child]) { child += 1 }
            guard comesBefore(heap[child], slot) else { break }
            put(heap[child], at: index)
            index = child
        }
        put(slot, at: index)
        return first
    }
}
