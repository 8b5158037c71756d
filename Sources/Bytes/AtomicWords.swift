internal import Glibc
public import Synchronization

/// A fixed number of words that all threads may change, each on its own and without a lock.
///
/// Sharing is sound because the memory is given back only when the last owner is gone, never moves, and is reached
/// through nothing but atomic operations. All threads see the changes of all words in one order.
@safe
public struct AtomicWords<Word: AtomicWord>: ~Copyable, @unchecked Sendable {
    @usableFromInline let words: UnsafeMutablePointer<Atomic<Word>>
    public let count: Int

    /// - Parameter count: words, all 0 at first; 1 or more.
    public init(count: Int) {
        precondition(count > 0)
        self.count = count
        // Zeros of the kernel's, which are words of 0: what nobody uses takes no memory.
        guard let zeros = unsafe calloc(count, MemoryLayout<Atomic<Word>>.stride) else { fatalError("out of memory") }
        unsafe words = zeros.bindMemory(to: Atomic<Word>.self, capacity: count)
    }

    deinit { unsafe free(words) }

    /// The word as it was a moment ago.
    @inlinable
    public func load(_ index: Int) -> Word {
        precondition(index >= 0 && index < count)
        return unsafe Word.load(words[index])
    }

    /// Puts `change(word)` in the word's place if nobody else has changed it meanwhile, else tries again.
    ///
    /// - Parameter change: has no effect of its own, as it may run more than once.
    /// - Returns: the word that was replaced.
    @inlinable @inline(__always)
    public func update(_ index: Int, _ change: (Word) -> Word) -> Word {
        precondition(index >= 0 && index < count)
        var word = unsafe Word.load(words[index])
        while true {
            let (exchanged, original) = unsafe Word.exchange(words[index], word, change(word))
            if exchanged { return word }
            word = original
        }
    }
}

/// An integer that the processor can exchange as a whole. (The library has these operations for each width by itself.)
public protocol AtomicWord: FixedWidthInteger, BitwiseCopyable, Sendable, AtomicRepresentable {
    static func load(_ word: borrowing Atomic<Self>) -> Self
    static func exchange(_ word: borrowing Atomic<Self>, _ old: Self, _ new: Self) -> (exchanged: Bool, original: Self)
}

extension UInt32: AtomicWord {
    @inlinable @inline(__always)
    public static func load(_ word: borrowing Atomic<Self>) -> Self { word.load(ordering: .sequentiallyConsistent) }
    @inlinable @inline(__always)
    public static func exchange(
        _ word: borrowing Atomic<Self>, _ old: Self, _ new: Self
    ) -> (exchanged: Bool, original: Self) {
        word.weakCompareExchange(expected: old, desired: new, ordering: .sequentiallyConsistent)
    }
}

extension UInt64: AtomicWord {
    @inlinable @inline(__always)
    public static func load(_ word: borrowing Atomic<Self>) -> Self { word.load(ordering: .sequentiallyConsistent) }
    @inlinable @inline(__always)
    public static func exchange(
        _ word: borrowing Atomic<Self>, _ old: Self, _ new: Self
    ) -> (exchanged: Bool, original: Self) {
        word.weakCompareExchange(expected: old, desired: new, ordering: .sequentiallyConsistent)
    }
}
