internal import Bytes

/// Writes that wait for a key of `WriteLocks`, in the order in which they came.
struct LockWait: BitwiseCopyable {
    /// The next in the same chain.
    var next: UInt32
    let key: UInt64
    var first = none
    var last = none
}

/// A worker's writes that wait, by key. While a node hangs there may be as many keys as clients: they are found by
/// hashing.
struct LockWaits: ~Copyable {
    private let waits: Table<LockWait>
    /// By the key's upper bits: the first in a chain.
    private let chains = Stack<UInt32>()
    private static let chainBits: UInt64 = 12

    /// - Parameter limit: keys there can be; who asks for more would trap.
    init(limit: Int) {
        waits = Table(limit: limit)
        for _ in 0..<1 << Self.chainBits { chains.push(none) }
    }

    var count: Int { waits.count }
    var isEmpty: Bool { count == 0 }

    /// Changes what waits for the key, nothing at first.
    func update(_ key: UInt64, _ body: (inout LockWait) -> Void) {
        let chain = chain(of: key)
        var wait = chains[chain]
        while wait != none, waits[wait].key != key { wait = waits[wait].next }
        if wait == none {
            wait = waits.take(LockWait(next: chains[chain], key: key))
            chains[chain] = wait
        }
        waits.update(wait, body)
    }

    /// The first that waits for the key, none of which does any longer; `none` if none does.
    func take(_ key: UInt64) -> UInt32 {
        let chain = chain(of: key)
        var (before, wait) = (none, chains[chain])
        while wait != none, waits[wait].key != key { (before, wait) = (wait, waits[wait].next) }
        guard wait != none else { return none }
        let row = waits[wait]
        if before == none { chains[chain] = row.next } else { waits[before].next = row.next }
        waits.free(wait)
        return row.first
    }

    private func chain(of key: UInt64) -> Int { Int(key &>> (64 &- Self.chainBits)) }
}
