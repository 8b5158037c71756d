import DroverTesting
import Glibc
import Testing

@testable import ProxyCore

struct WriteLocksTests {
    @Test func theOwnerClaimsAgainUnlessSomebodyWaits() {
        let locks = WriteLocks(workers: 3, slots: 16)
        #expect(locks.claim(5, by: 0) && locks.claim(5, by: 0))
        #expect(locks.claim(6, by: 1), "another slot")
        #expect(!locks.claim(5, by: 1))
        #expect(!locks.claim(5, by: 0), "behind who waits")
        #expect(locks.release(5) == nil)
        #expect(locks.release(5) == 1)
        #expect(!locks.claim(5, by: 0), "it is reserved")
        #expect(locks.claim(5, by: 1) && locks.claim(5, by: 1), "for all that waits")
        #expect(locks.settle(5, by: 1) == nil)
        #expect(!locks.claim(5, by: 1), "and no more")
        #expect(locks.release(5) == nil && locks.release(5) == 0)
        #expect(locks.settle(5, by: 0) == 1, "who has no use for it passes it on")
        #expect(locks.settle(5, by: 1) == nil)
        #expect(locks.release(6) == nil && locks.areFree)
    }

    @Test func writesThatEndBeforeAllHaveBegunKeepTheSlot() {
        let locks = WriteLocks(workers: 2, slots: 16)
        #expect(locks.claim(0, by: 1) && !locks.claim(0, by: 0) && !locks.claim(0, by: 1))
        #expect(locks.release(0) == 0)
        #expect(locks.claim(0, by: 0) && locks.release(0) == nil)
        #expect(!locks.claim(0, by: 1))
        #expect(locks.claim(0, by: 0))
        #expect(locks.settle(0, by: 0) == nil)
        #expect(locks.release(0) == 1)
        #expect(locks.settle(0, by: 1) == nil && locks.areFree)
    }

    /// In a circle, whoever asked first.
    @Test func eachThatWaitsGetsItsTurn() {
        let locks = WriteLocks(workers: 40, slots: 16)
        #expect(locks.claim(3, by: 7))
        for worker in [2, 39, 8, 7] { #expect(!locks.claim(3, by: worker)) }
        for worker in [8, 39, 2, 7] {
            #expect(locks.release(3) == worker)
            #expect(locks.claim(3, by: worker) && locks.settle(3, by: worker) == nil)
        }
        #expect(locks.release(3) == nil && locks.areFree)
    }

    @Test func aFullSlotWaitsForItsOwner() {
        let locks = WriteLocks(workers: 2, slots: 16)
        for _ in 0..<LockWord.full { #expect(locks.claim(1, by: 1)) }
        #expect(!locks.claim(1, by: 1))
        for _ in 1..<LockWord.full { #expect(locks.release(1) == nil) }
        #expect(locks.release(1) == 1)
        // All of them end at once, and one has come too late again.
        for _ in 0..<LockWord.full { #expect(locks.claim(1, by: 1)) }
        #expect(!locks.claim(1, by: 1))
        for _ in 0..<LockWord.full { #expect(locks.release(1) == nil) }
        #expect(locks.settle(1, by: 1) == 1)
        #expect(locks.settle(1, by: 1) == nil && locks.areFree)
    }

    @Test func thereIsRoomForAllWorkers() {
        let locks = WriteLocks(workers: 1024, slots: 16)
        #expect(locks.claim(0, by: 1023) && !locks.claim(0, by: 1022))
        let group = locks.release(0)
        #expect(group.map { Array(locks.members(of: $0)).contains(1022) } == true)
        #expect(locks.claim(0, by: 1022) && locks.settle(0, by: 1022) == nil)
        #expect(locks.release(0) == nil && locks.areFree)
        #expect((0..<40).flatMap { Array(locks.members(of: $0)) }.sorted() == Array(0..<1024))
    }

    // MARK: - Any order

    /// Workers that write two slots, and hear late that one is theirs.
    private struct Model {
        let locks: WriteLocks
        let workers: Int
        var generator: SeededGenerator
        /// By slot and worker: writes under way, and waiting.
        var open: [[Int]]
        var waiting: [[Int]]
        var told: [(worker: Int, slot: UInt32)] = []
        /// By slot and worker: how often others have got it since this one waits.
        var passedOver: [[Int]]
        var longest = 0
        var turns = 0

        init(workers: Int, generator: SeededGenerator) {
            locks = WriteLocks(workers: workers, slots: 2)
            (self.workers, self.generator) = (workers, generator)
            open = Array(repeating: Array(repeating: 0, count: workers), count: 2)
            (waiting, passedOver) = (open, open)
        }

        mutating func claim(_ slot: Int, _ worker: Int) -> Bool {
            guard locks.claim(UInt32(slot), by: worker) else { return false }
            #expect(open[slot].indices.allSatisfy { $0 == worker || open[slot][$0] == 0 }, "\(generator.seed)")
            open[slot][worker] += 1
            return true
        }

        mutating func hand(_ slot: UInt32, to group: Int?) {
            guard let group else { return }
            for worker in locks.members(of: group) { told.append((worker, slot)) }
        }

        mutating func release(_ slot: Int, _ worker: Int) {
            open[slot][worker] -= 1
            hand(UInt32(slot), to: locks.release(UInt32(slot)))
        }

        mutating func hear() {
            let index = generator.pick(told.indices)
            let (worker, number) = told.remove(at: index)
            let slot = Int(number)
            let count = waiting[slot][worker]
            waiting[slot][worker] = 0
            for _ in 0..<count where !claim(slot, worker) { waiting[slot][worker] += 1 }
            if count > 0, waiting[slot][worker] == 0 {
                turns += 1
                longest = max(longest, passedOver[slot][worker])
                passedOver[slot][worker] = 0
                for other in 0..<workers where waiting[slot][other] > 0 { passedOver[slot][other] += 1 }
            }
            hand(number, to: locks.settle(number, by: worker))
        }

        mutating func step(begins: Bool) {
            let (slot, worker) = (generator.pick(0..<2), generator.pick(0..<workers))
            switch generator.pick(0..<4) {
            case 0 where begins && waiting[slot][worker] + open[slot][worker] < 5:
                if !claim(slot, worker) { waiting[slot][worker] += 1 }
            case 1 where !told.isEmpty: hear()
            default:
                let owners = (0..<workers).filter { open[slot][$0] > 0 }
                if let owner = owners.first { release(slot, owner) } else if !told.isEmpty { hear() }
            }
        }
    }

    /// One worker at a time, each that waits in its turn, and no slot without somebody who lets go of it.
    @Test(arguments: [2, 3, 8, 40, 90])
    func oneWorkerAtATime(workers: Int) {
        var model = Model(workers: workers, generator: .fromEnvironment())
        for _ in 0..<20_000 { model.step(begins: true) }
        let isOver = {
            model.told.isEmpty && model.open.allSatisfy { $0.allSatisfy { $0 == 0 } }
                && model.waiting.allSatisfy { $0.allSatisfy { $0 == 0 } }
        }
        for _ in 0..<100_000 where !isOver() { model.step(begins: false) }
        let seed: Comment = "DROVER_SEED=\(model.generator.seed)"
        #expect(isOver() && model.locks.areFree, seed)
        #expect(model.turns > 100, seed)
        // With more workers than there are groups it is chance that decides within one.
        if workers <= LockWord.groups { #expect(model.longest < workers, "\(seed)") }
    }

    // MARK: - Threads

    /// A thread of this test: whoever lets go of a slot tells it here.
    private final class Letters: Sendable {
        private let box = SharedBox<[UInt32]>([])
        func send(_ slot: UInt32) { box.withValue { $0.append(slot) } }
        func take() -> [UInt32] {
            box.withValue { letters in
                defer { letters = [] }
                return letters
            }
        }
    }

    /// Threads that write few slots, each owner alone; plain memory tells, and the thread sanitizer.
    @Test(.timeLimit(.minutes(5)))
    func threadsOwnASlotOneAtATime() throws {
        let (count, rounds) = (4, 20_000)
        let locks = WriteLocks(workers: count, slots: 2)
        let letters = (0..<count).map { _ in Letters() }
        let owners = SharedBox([Int?](repeating: nil, count: 2))
        let done = SharedBox(0)
        @Sendable func tell(_ slot: UInt32, _ group: Int?) { if let group { letters[group].send(slot) } }
        let threads = (0..<count).map { number in
            TestThread { () -> (writes: Int, waits: Int, meetings: Int) in
                var generator = SeededGenerator(seed: UInt64(number))
                var (writes, waits, meetings) = (0, 0, 0)
                /// By slot: waits for it.
                var isWaiting = [false, false]
                func write(_ slot: UInt32) {
                    writes += 1
                    let other = owners.withValue { owners in
                        defer { owners[Int(slot)] = number }
                        return owners[Int(slot)]
                    }
                    if other != nil { meetings += 1 }
                    if generator.once(in: 4) { sched_yield() }
                    owners.withValue { $0[Int(slot)] = nil }
                    tell(slot, locks.release(slot))
                }
                func read() {
                    for slot in letters[number].take() {
                        let waited = isWaiting[Int(slot)]
                        isWaiting[Int(slot)] = false
                        if waited, locks.claim(slot, by: number) { write(slot) }
                        tell(slot, locks.settle(slot, by: number))
                    }
                }
                for _ in 0..<rounds {
                    let slot = UInt32(generator.pick(0..<2))
                    if !isWaiting[Int(slot)] {
                        if locks.claim(slot, by: number) {
                            write(slot)
                        } else {
                            isWaiting[Int(slot)] = true
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
            for slot in letters[number].take() { tell(slot, locks.settle(slot, by: number)) }
        }
        #expect(locks.areFree)
    }
}
