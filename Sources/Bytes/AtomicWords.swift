public import Synchronization

/// A fixed number of words that all threads may change, each on its own and without a lock.
///
/// Sharing is sound because the memory is given back only when the last owner is gone, never moves, and is reached
/// through nothing but atomic operations. All threads see the changes of all words in one order.
@safe
public struct AtomicWords: ~Copyable, @unchecked Sendable {
    @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt32>>
    public let count: Int

    /// - Parameter count: words, all 0 at first; 1 or more.
    public init(count: Int) {
        precondition(count > 0)
        self.count = count
        unsafe words = .allocate(capacity: count)
        for index in 0..<count { unsafe (words + index).initialize(to: Atomic(0)) }
    }

    deinit {
        unsafe words.deinitialize(count: count)
        unsafe words.deallocate()
    }

    /// The word as it was a moment ago.
    @inlinable
    public func load(_ index: Int) -> UInt32 {
        precondition(index >= 0 && index < count)
        return unsafe words[index].load(ordering: .sequentiallyConsistent)
    }

    /// Puts `change(word)` in the word's place if nobody else has changed it meanwhile, else tries again.
    ///
    /// - Parameter change: has no effect of its own, as it may run more than once.
    /// - Returns: the word that was replaced.
    @inlinable @inline(__always)
    public func update(_ index: Int, _ change: (UInt32) -> UInt32) -> UInt32 {
        precondition(index >= 0 && index < count)
        var word = unsafe words[index].load(ordering: .relaxed)
        while true {
            let (exchanged, original) = unsafe words[index].weakCompareExchange(
                expected: word, desired: change(word), ordering: .sequentiallyConsistent)
            if exchanged { return word }
            word = original
        }
    }
}
