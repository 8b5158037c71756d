import DroverTesting
import Glibc
import Testing

@testable import ProxyCore

struct WriteLocksTests {
    /// Keys of one place.
    private static func keys(_ count: Int, of locks: WriteLocks) -> [UInt64] {
        Array((1...1000 as ClosedRange<UInt64>).map(locks.key).filter { $0 >> 63 == 0 }.prefix(count))
    }

    /// Two keys of one place; another is there first, if it `isTaken`.
    private static func locks(workers: Int, isTaken: Bool) -> (locks: WriteLocks, key: UInt64, other: UInt64) {
        let locks = WriteLocks(workers: workers, places: 2)
        let keys = keys(3, of: locks)
        if isTaken { #expect(locks.claim(keys[2], by: workers - 1)) }
        return (locks, keys[0], keys[1])
    }

    /// Only who took the place first has not let go of it.
    private static func expectFree(_ locks: WriteLocks, isTaken: Bool) {
        if isTaken { #expect(!locks.areFree && locks.release(keys(3, of: locks)[2]) == nil) }
        #expect(locks.areFree)
    }

    @Test(arguments: [false, true]) func theOwnerClaimsAgainUnlessSomebodyWaits(isTaken: Bool) {
        let (locks, key, other) = Self.locks(workers: 3, isTaken: isTaken)
        #expect(locks.claim(key, by: 0) && locks.claim(key, by: 0))
        #expect(locks.claim(other, by: 1), "another key")
        #expect(!locks.claim(key, by: 1))
        #expect(!locks.claim(key, by: 0), "behind who waits")
        #expect(locks.release(key) == nil)
        #expect(locks.release(key) == 1)
        #expect(!locks.claim(key, by: 0), "it is reserved")
        #expect(locks.claim(key, by: 1) && locks.claim(key, by: 1), "for all that waits")
        #expect(locks.settle(key, by: 1) == nil)
        #expect(!locks.claim(key, by: 1), "and no more")
        #expect(locks.release(key) == nil && locks.release(key) == 0)
        #expect(locks.settle(key, by: 0) == 1, "who has no use for it passes it on")
        #expect(locks.settle(key, by: 1) == nil)
        #expect(locks.release(other) == nil)
        Self.expectFree(locks, isTaken: isTaken)
    }

    @Test(arguments: [false, true]) func writesThatEndBeforeAllHaveBegunKeepTheKey(isTaken: Bool) {
        let (locks, key, _) = Self.locks(workers: 2, isTaken: isTaken)
        #expect(locks.claim(key, by: 1) && !locks.claim(key, by: 0) && !locks.claim(key, by: 1))
        #expect(locks.release(key) == 0)
        #expect(locks.claim(key, by: 0) && locks.release(key) == nil)
        #expect(!locks.claim(key, by: 1))
        #expect(locks.claim(key, by: 0))
        #expect(locks.settle(key, by: 0) == nil)
        #expect(locks.release(key) == 1)
        #expect(locks.settle(key, by: 1) == nil)
        Self.expectFree(locks, isTaken: isTaken)
    }

    /// In a circle, whoever asked first.
    @Test(arguments: [false, true]) func eachThatWaitsGetsItsTurn(isTaken: Bool) {
        let (locks, key, _) = Self.locks(workers: LockWord.groups, isTaken: isTaken)
        #expect(locks.claim(key, by: 7))
        for worker in [2, 9, 8, 7] { #expect(!locks.claim(key, by: worker)) }
        for worker in [8, 9, 2, 7] {
            #expect(locks.release(key) == worker)
            #expect(locks.claim(key, by: worker) && locks.settle(key, by: worker) == nil)
        }
        #expect(locks.release(key) == nil)
        Self.expectFree(locks, isTaken: isTaken)
    }

    @Test(arguments: [false, true]) func aFullKeyWaitsForItsOwner(isTaken: Bool) {
        let (locks, key, _) = Self.locks(workers: 2, isTaken: isTaken)
        for _ in 0..<LockWord.full { #expect(locks.claim(key, by: 1)) }
        #expect(!locks.claim(key, by: 1))
        for _ in 1..<LockWord.full { #expect(locks.release(key) == nil) }
        #expect(locks.release(key) == 1)
        // All of them end at once, and one has come too late again.
        for _ in 0..<LockWord.full { #expect(locks.claim(key, by: 1)) }
        #expect(!locks.claim(key, by: 1))
        for _ in 0..<LockWord.full { #expect(locks.release(key) == nil) }
        #expect(locks.settle(key, by: 1) == 1)
        #expect(locks.settle(key, by: 1) == nil)
        Self.expectFree(locks, isTaken: isTaken)
    }

    @Test(arguments: [false, true]) func thereIsRoomForAllWorkers(isTaken: Bool) {
        let (locks, key, _) = Self.locks(workers: 1024, isTaken: isTaken)
        #expect(locks.claim(key, by: 1023) && !locks.claim(key, by: 1022))
        let group = locks.release(key)
        #expect(group.map { Array(locks.members(of: $0)).contains(1022) } == true)
        #expect(locks.claim(key, by: 1022) && locks.settle(key, by: 1022) == nil)
        #expect(locks.release(key) == nil)
        Self.expectFree(locks, isTaken: isTaken)
        #expect((0..<LockWord.groups).flatMap { Array(locks.members(of: $0)) }.sorted() == Array(0..<1024))
    }

    /// However many are written at once.
    @Test func keysDoNotWaitForEachOther() {
        let locks = WriteLocks(workers: 3, places: 2)
        let keys = (0..<500).map { locks.key(of: UInt64($0)) }
        #expect(Set(keys).count == 500)
        for (index, key) in keys.enumerated() { #expect(locks.claim(key, by: index % 2)) }
        for key in keys { #expect(!locks.claim(key, by: 2)) }
        for key in keys.reversed() { #expect(locks.release(key) == 2) }
        for (index, key) in keys.enumerated() {
            if index % 3 == 0 { #expect(locks.claim(key, by: 2)) }
            #expect(locks.settle(key, by: 2) == nil)
        }
        for (index, key) in keys.enumerated() where index % 3 == 0 { #expect(locks.release(key) == nil) }
        #expect(locks.areFree)
    }

    /// A key is told from others by so many bits of its hash, whatever they are.
    @Test(arguments: [18, 24]) func hashesThatDifferAreOtherKeys(bits: UInt64) {
        let locks = WriteLocks(workers: 2, places: 1 << bits)
        #expect(locks.keyBits == Int(bits) + 17)
        var generator = SeededGenerator.fromEnvironment()
        var hashes = (0..<1000).map { _ in generator.next() }
        for number in 0..<1000 as Range<UInt64> { hashes += [number, number << 32] }
        let keys = Set(hashes.map { locks.key(of: $0) })
        // Two of three thousand may meet, once in some thousand runs.
        #expect(keys.count >= Set(hashes).count - 1, "DROVER_SEED=\(generator.seed)")
    }

    // MARK: - Any order

    /// Workers that write a few keys of one place, and hear late that one is theirs.
    private struct Model {
        let locks: WriteLocks
        let keys: [UInt64]
        let workers: Int
        var generator: SeededGenerator
        /// By key and worker: writes under way, and waiting.
        var open: [[Int]]
        var waiting: [[Int]]
        var told: [(worker: Int, key: Int)] = []
        /// By key and worker: how often others have got it since this one waits.
        var passedOver: [[Int]]
        var longest = 0
        var turns = 0

        init(workers: Int, generator: SeededGenerator) {
            locks = WriteLocks(workers: workers, places: 2)
            keys = WriteLocksTests.keys(3, of: locks)
            (self.workers, self.generator) = (workers, generator)
            open = Array(repeating: Array(repeating: 0, count: workers), count: keys.count)
            (waiting, passedOver) = (open, open)
        }

        /// Nobody writes or waits, and all have heard.
        var isOver: Bool { told.isEmpty && (open + waiting).allSatisfy { $0.allSatisfy { $0 == 0 } } }

        mutating func claim(_ key: Int, _ worker: Int) -> Bool {
            guard locks.claim(keys[key], by: worker) else {
                let isWanted = (0..<workers).contains { $0 != worker && open[key][$0] + waiting[key][$0] > 0 }
                #expect(isWanted || told.contains { $0.key == key }, "for another key: \(generator.seed)")
                return false
            }
            #expect(open[key].indices.allSatisfy { $0 == worker || open[key][$0] == 0 }, "\(generator.seed)")
            open[key][worker] += 1
            return true
        }

        mutating func hand(_ key: Int, to group: Int?) {
            guard let group else { return }
            for worker in locks.members(of: group) { told.append((worker, key)) }
        }

        mutating func release(_ key: Int, _ worker: Int) {
            open[key][worker] -= 1
            hand(key, to: locks.release(keys[key]))
        }

        mutating func hear() {
            let (worker, key) = told.remove(at: generator.pick(told.indices))
            let count = waiting[key][worker]
            waiting[key][worker] = 0
            for _ in 0..<count where !claim(key, worker) { waiting[key][worker] += 1 }
            if count > 0, waiting[key][worker] == 0 {
                turns += 1
                longest = max(longest, passedOver[key][worker])
                passedOver[key][worker] = 0
                for other in 0..<workers where waiting[key][other] > 0 { passedOver[key][other] += 1 }
            }
            hand(key, to: locks.settle(keys[key], by: worker))
        }

        mutating func step(begins: Bool) {
            let (key, worker) = (generator.pick(keys.indices), generator.pick(0..<workers))
            switch generator.pick(0..<4) {
            case 0 where begins && waiting[key][worker] + open[key][worker] < 5:
                if !claim(key, worker) { waiting[key][worker] += 1 }
            case 1 where !told.isEmpty: hear()
            default:
                let owners = (0..<workers).filter { open[key][$0] > 0 }
                if let owner = owners.first { release(key, owner) } else if !told.isEmpty { hear() }
            }
        }
    }

    /// One worker at a time, each that waits in its turn, and no key without somebody who lets go of it.
    @Test(arguments: [2, 3, 8, LockWord.groups, 40, 90])
    func oneWorkerAtATime(workers: Int) {
        let first = SeededGenerator.fromEnvironment().seed
        var turns = 0
        for seed in (0..<20).map({ first &+ $0 }) {
            var model = Model(workers: workers, generator: SeededGenerator(seed: seed))
            for _ in 0..<3_000 { model.step(begins: true) }
            var steps = 0
            while !model.isOver, steps < 20_000 {
                model.step(begins: false)
                steps += 1
            }
            let comment: Comment = "DROVER_SEED=\(seed)"
            #expect(model.isOver && model.locks.areFree, comment)
            turns += model.turns
            // With more workers than there are groups it is chance that decides within one.
            if workers <= LockWord.groups { #expect(model.longest < workers, comment) }
        }
        #expect(turns > 300, "DROVER_SEED=\(first)")
    }

    /// Two workers of a group: the one has heard that a key is reserved for them while the other had it, and takes it as
    /// soon as that one has let go of it, who has not heard by then.
    @Test func whoHasHeardOfAKeyDoesNotKeepItFromTheOthers() {
        let workers = LockWord.groups + 2
        let locks = WriteLocks(workers: workers)
        let (key, one, other) = (locks.key(of: 1), 1, LockWord.groups + 1)
        #expect(locks.claim(key, by: 0) && !locks.claim(key, by: one))
        #expect(locks.release(key) == LockWord.group(of: one))
        #expect(locks.claim(key, by: other), "a new write of the other")
        #expect(locks.settle(key, by: one) == nil)
        #expect(!locks.claim(key, by: 2))
        #expect(locks.release(key) == nil)
        #expect(!locks.claim(key, by: one), "it is the other's until he has heard")
        #expect(locks.settle(key, by: other) == 2)
        #expect(locks.claim(key, by: 2) && locks.settle(key, by: 2) == nil)
        #expect(locks.release(key) == LockWord.group(of: one))
        #expect(locks.settle(key, by: other) == nil && locks.areFree)
    }

    // MARK: - Threads

    /// A thread of this test: whoever lets go of a key tells it here, by its number.
    private final class Letters: Sendable {
        private let box = SharedBox<[Int]>([])
        func send(_ key: Int) { box.withValue { $0.append(key) } }
        func take() -> [Int] {
            box.withValue { letters in
                defer { letters = [] }
                return letters
            }
        }
    }

    /// Threads that write few keys of one place, each owner alone; plain memory tells, and the thread sanitizer.
    @Test(.timeLimit(.minutes(5)))
    func threadsOwnAKeyOneAtATime() throws {
        let (count, rounds) = (4, 20_000)
        let locks = WriteLocks(workers: count, places: 2)
        let keys = Self.keys(3, of: locks)
        let letters = (0..<count).map { _ in Letters() }
        let owners = SharedBox([Int?](repeating: nil, count: keys.count))
        let done = SharedBox(0)
        @Sendable func tell(_ key: Int, _ group: Int?) { if let group { letters[group].send(key) } }
        let threads = (0..<count).map { number in
            TestThread { () -> (writes: Int, waits: Int, meetings: Int) in
                var generator = SeededGenerator(seed: UInt64(number))
                var (writes, waits, meetings) = (0, 0, 0)
                /// By key: waits for it.
                var isWaiting = keys.map { _ in false }
                func write(_ key: Int) {
                    writes += 1
                    let other = owners.withValue { owners in
                        defer { owners[key] = number }
                        return owners[key]
                    }
                    if other != nil { meetings += 1 }
                    if generator.once(in: 4) { sched_yield() }
                    owners.withValue { $0[key] = nil }
                    tell(key, locks.release(keys[key]))
                }
                func read() {
                    for key in letters[number].take() {
                        let waited = isWaiting[key]
                        isWaiting[key] = false
                        if waited, locks.claim(keys[key], by: number) { write(key) }
                        tell(key, locks.settle(keys[key], by: number))
                    }
                }
                for _ in 0..<rounds {
                    let key = generator.pick(keys.indices)
                    if !isWaiting[key] {
                        if locks.claim(keys[key], by: number) {
                            write(key)
                        } else {
                            isWaiting[key] = true
                            waits += 1
                        }
                    }
                    read()
                }
                done.withValue { $0 += 1 }
                // Others may still hand over to this one.
                while done.value < count || isWaiting.contains(true) {
                    read()
                    sched_yield()
                }
                return (writes, waits, meetings)
            }
        }
        let results = try threads.map { try $0.join() }
        #expect(results.allSatisfy { $0.meetings == 0 && $0.writes > 0 }, "\(results)")
        #expect(results.contains { $0.waits > 0 }, "the threads never met")
        for number in letters.indices {
            for key in letters[number].take() { tell(key, locks.settle(keys[key], by: number)) }
        }
        #expect(locks.areFree)
    }
}
