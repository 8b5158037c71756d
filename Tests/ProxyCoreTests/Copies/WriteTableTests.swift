import DroverTesting
import Glibc
import Testing

@testable import ProxyCore

struct WriteTableTests {
    /// A write that the test knows of: what must be said at its end.
    private struct Write {
        var key: UInt64
        var writer: UInt32
        var overlaps = false
    }

    @Test func writesOfOneKeyThatOverlapAreAllTold() {
        let table = WriteTable(slots: 1024)
        table.begin(7)
        table.begin(7)
        #expect(table.end(7))
        table.begin(7)
        #expect(table.end(7))
        #expect(table.end(7))
        table.begin(7)
        #expect(!table.end(7))
    }

    @Test func aWriterOverlapsWithOthersOnly() {
        let table = WriteTable(slots: 1024)
        let (one, other) = (table.join(), table.join())
        #expect(one != other && one != 0 && other != 0)
        #expect(!table.begin(7, by: one))
        #expect(table.begin(7, by: one))
        #expect(!table.end(7))
        #expect(table.begin(7, by: other))
        #expect(table.end(7))
        #expect(table.end(7))
        #expect(!table.begin(7, by: other))
        #expect(!table.end(7))
        #expect(table.beginAlone(7))
        #expect(table.begin(7, by: one))
        #expect(table.end(7))
        #expect(table.end(7))
    }

    @Test func aWriteThatLostItsOrderOverlapsWithItsOwnWritersToo() {
        let table = WriteTable()
        let writer = table.join()
        table.begin(7, by: writer)
        table.loseOrder(7)
        #expect(!table.end(7), "nothing else was under way")
        table.begin(7, by: writer)
        table.loseOrder(7)
        table.begin(7, by: writer)
        #expect(table.end(7))
        #expect(table.end(7))
        table.begin(7, by: writer)
        table.begin(7, by: writer)
        table.loseOrder(7)
        #expect(table.end(7))
        #expect(table.end(7))
        table.begin(7, by: writer)
        table.begin(7, by: writer)
        #expect(!table.end(7))
        #expect(!table.end(7))
    }

    /// Those that come too late for a number overlap with everybody.
    @Test func thereAreNumbersForManyWriters() {
        let table = WriteTable()
        let numbers = (0..<WriteSlot.writerLimit).map { _ in table.join() }
        #expect(Set(numbers).count == numbers.count && !numbers.contains(0) && numbers.count >= 1023)
        #expect(table.join() == 0 && table.join() == 0)
        let last = numbers.last!
        table.begin(7, by: last)
        table.begin(7, by: last)
        #expect(!table.end(7))
        table.begin(7, by: 0)
        #expect(table.end(7))
        #expect(table.end(7))
    }

    @Test func poolsHaveKeysOfTheirOwn() {
        let table = WriteTable()
        table.begin(WriteTable.hash(7, pool: 0))
        table.begin(WriteTable.hash(7, pool: 1))
        #expect(!table.end(WriteTable.hash(7, pool: 0)))
        #expect(!table.end(WriteTable.hash(7, pool: 1)))
    }

    @Test func aRepairBeginsOnlyAlone() {
        let table = WriteTable()
        table.begin(7)
        #expect(!table.beginAlone(7))
        #expect(!table.end(7))
        #expect(table.beginAlone(7))
        #expect(!table.beginAlone(7))
        table.begin(7)
        #expect(table.end(7))
        #expect(table.end(7))
    }

    /// Seeded begins and ends, one after the other: a write that overlapped with one of its key is always told, and in a
    /// large table nearly no other.
    @Test(arguments: [1 << 16, 2])
    func nothingIsMissed(slots: Int) {
        var generator = SeededGenerator.fromEnvironment()
        let table = WriteTable(slots: slots)
        var writes: [Write] = []
        var (ended, needless) = (0, 0)
        func finish(_ index: Int) {
            let write = writes.remove(at: index)
            let told = table.end(write.key)
            #expect(told || !write.overlaps, "seed \(generator.seed)")
            ended += 1
            if told, !write.overlaps { needless += 1 }
        }
        for _ in 0..<20_000 {
            if writes.count < 12, writes.isEmpty || generator.once(in: 2) {
                let key = UInt64.random(in: 0..<40, using: &generator) << 48
                var write = Write(key: key, writer: UInt32.random(in: 0...2, using: &generator))
                for index in writes.indices where writes[index].key == key {
                    if write.writer != 0, writes[index].writer == write.writer { continue }
                    writes[index].overlaps = true
                    write.overlaps = true
                }
                table.begin(key, by: write.writer)
                writes.append(write)
            } else {
                finish(Int.random(in: writes.indices, using: &generator))
            }
        }
        while !writes.isEmpty { finish(0) }
        // Of a chain a-b-c the ends of a and c need not overlap with each other, but each does with b.
        if slots > 2 { #expect(needless * 50 < ended, "seed \(generator.seed): \(needless) of \(ended)") }
        for key in 0..<40 as Range<UInt64> {
            table.begin(key << 48)
            #expect(!table.end(key << 48), "seed \(generator.seed): slot left marked")
        }
    }

    @Test func aFlushOverlapsWithWhatIsNotOver() {
        let table = WriteTable(slots: 1 << 10)
        table.begin(1)
        table.beginFlush()
        #expect(table.end(1), "begun before, ended within")
        table.begin(2)
        #expect(table.end(2), "within")
        table.begin(3)
        table.begin(4)
        table.endFlush()
        #expect(table.end(3), "begun within, ended behind")
        table.begin(5)
        #expect(!table.end(5), "behind")
        #expect(table.end(4), "ended late")
        table.begin(6)
        table.beginFlush()
        table.endFlush()
        #expect(table.end(6), "around")
    }

    @Test func aFullSlotStaysMarked() {
        var word = WriteSlot.begun(0, by: 5) + WriteSlot.full - 2
        word = WriteSlot.begun(word, by: 5)
        #expect(word & WriteSlot.full == WriteSlot.full && WriteSlot.hasOverlap(word))
        #expect(WriteSlot.begun(word, by: 5) == word)
        #expect(WriteSlot.ended(word) == word)
        #expect(WriteSlot.ended(0) == 0)
    }

    /// Threads write few keys; a number per key, added to and read back without any lock, tells what really overlapped.
    @Test func threadsThatOverlapAreTold() throws {
        let table = WriteTable(slots: 64)
        let under = SharedBox([Int](repeating: 0, count: 4))
        let arrived = SharedBox(0)
        let threads = (0..<4).map { number in
            TestThread { () -> (seen: Int, missed: Int) in
                var generator = SeededGenerator(seed: UInt64(number))
                var (seen, missed) = (0, 0)
                for round in 0..<20_000 {
                    let key = round == 0 ? 0 : Int.random(in: 0..<4, using: &generator)
                    table.begin(UInt64(key))
                    // Counted within begin and end: who finds another one here has overlapped with it.
                    let others = under.withValue { counts in
                        defer { counts[key] += 1 }
                        return counts[key]
                    }
                    // At first all meet, whatever the scheduler would do.
                    if round == 0 {
                        arrived.withValue { $0 += 1 }
                        while arrived.value < 4 { sched_yield() }
                    }
                    let left = under.withValue { counts in
                        counts[key] -= 1
                        return counts[key]
                    }
                    let told = table.end(UInt64(key))
                    if others > 0 || left > 0 {
                        seen += 1
                        if !told { missed += 1 }
                    }
                }
                return (seen, missed)
            }
        }
        let results = try threads.map { try $0.join() }
        #expect(results.allSatisfy { $0.missed == 0 })
        #expect(results.contains { $0.seen > 0 }, "the threads never met")
        for key in 0..<4 as Range<UInt64> {
            table.begin(key)
            #expect(!table.end(key), "slot left marked or counted")
        }
    }
}
