import Bytes
import DroverTesting
import Telemetry
import Testing

@testable import ProxyCore

/// A queue with what it counted; times in milliseconds.
private final class Bench {
    let queue: RepairQueue
    var stats = RepairStats()

    init(entries: Int = 16, settlingTime: UInt64 = 0, seed: UInt64 = 1) {
        queue = RepairQueue(entries: entries, settlingTime: settlingTime * 1_000_000, seed: seed)
    }

    @discardableResult
    func add(
        _ key: String, _ reason: RepairReason = .overlap, at now: UInt64 = 0, pool: UInt16 = 0, isBase64: Bool = false,
        missed: UInt8 = 1
    ) -> Bool {
        let bytes = [UInt8](key.utf8)
        let hash = WriteTable.hash(bytes.reduce(0) { $0 &* 31 &+ UInt64($1) }, pool: pool)
        return unsafe queue.add(
            bytes.span.bytes, isBase64: isBase64, hash: hash, pool: pool, reason: reason,
            missed: reason == .copyFailed ? missed : 0, now: now * 1_000_000,
            counted: &stats)
    }

    func next(at now: UInt64) -> Repair? { queue.next(now: now * 1_000_000) }

    func key(_ repair: Repair) -> String {
        queue.withKey(of: repair.slot) { key in
            String(
                decoding: (0..<key.byteCount).map { unsafe key.unsafeLoad(fromByteOffset: $0, as: UInt8.self) },
                as: UTF8.self)
        }
    }

    func finish(_ repair: Repair, at now: UInt64 = 1_000_000) {
        queue.finished(repair.slot, now: now * 1_000_000, counted: &stats)
    }

    @discardableResult
    func retry(_ repair: Repair, _ obstacle: RepairObstacle, at now: UInt64) -> Bool {
        queue.retry(repair.slot, obstacle, now: now * 1_000_000, counted: &stats)
    }

    @discardableResult
    func addCheck(_ key: String, at due: UInt64 = 0) -> Bool {
        let bytes = [UInt8](key.utf8)
        let hash = WriteTable.hash(bytes.reduce(0) { $0 &* 31 &+ UInt64($1) }, pool: 0)
        return unsafe queue.addCheck(bytes.span.bytes, isBase64: false, hash: hash, pool: 0, due: due * 1_000_000)
    }

    func endCheck(_ repair: Repair, repairAt due: UInt64? = nil) {
        queue.endCheck(repair.slot, suspicion: due.map { ($0 * 1_000_000, 7) }, counted: &stats)
    }

    /// Every key that was queued is somewhere.
    func check(_ location: SourceLocation = #_sourceLocation) {
        let queued = RepairReason.allCases.reduce(0) { $0 + stats.queued[$1] }
        let done = RepairReason.allCases.reduce(0) { $0 + stats.done[$1] }
        #expect(queued == done + stats.abandoned + UInt64(stats.waiting), sourceLocation: location)
        #expect(stats.waiting == queue.count, sourceLocation: location)
    }
}

struct RepairQueueTests {
    /// A pool whose settings change does not wait for it.
    @Test func aRepairThatWaitsForANodeHoldsNothingUp() throws {
        let bench = Bench()
        bench.add("a", .copyFailed, at: 0)
        #expect(bench.queue.holdsRepairs(ofPool: 0) && !bench.queue.holdsRepairs(ofPool: 1))
        let repair = try #require(bench.next(at: 2000))
        bench.retry(repair, .nodeDown, at: 2000)
        #expect(!bench.queue.holdsRepairs(ofPool: 0))
        bench.add("a", .overlap, at: 2001)
        #expect(bench.queue.holdsRepairs(ofPool: 0))
    }

    // MARK: Checks

    @Test func aCheckIsNoRepairUntilItNeedsOne() throws {
        let bench = Bench()
        bench.addCheck("well", at: 10)
        bench.addCheck("ill", at: 20)
        #expect(!bench.addCheck("ill"), "once is enough")
        #expect(bench.stats.waiting == 0 && bench.stats.queued.total == 0 && bench.queue.count == 2)
        #expect(bench.next(at: 9) == nil)
        let well = try #require(bench.next(at: 10))
        #expect(well.isCheck && bench.key(well) == "well")
        bench.endCheck(well)
        let ill = try #require(bench.next(at: 20))
        bench.endCheck(ill, repairAt: 31)
        #expect(bench.stats.queued[.check] == 1)
        bench.check()
        #expect(bench.next(at: 30) == nil)
        let repair = try #require(bench.next(at: 31))
        #expect(bench.key(repair) == "ill" && !repair.isCheck && repair.suspicion == 7 && repair.reason == .check)
        bench.finish(repair)
        #expect(bench.stats.done[.check] == 1 && bench.queue.isEmpty)
        bench.check()
    }

    @Test(arguments: [RepairReason.overlap, .copyFailed]) func aWriteMakesACheckARepair(reason: RepairReason) throws {
        let bench = Bench()
        // While it waits.
        bench.addCheck("a", at: 10)
        bench.add("a", reason, at: 5, missed: 2)
        bench.check()
        let first = try #require(bench.next(at: 5))
        #expect(!first.isCheck && first.reason == reason && first.needsAllCopies == (reason == .copyFailed))
        bench.finish(first)
        bench.check()
        // While it is under way, however it ends.
        for due: UInt64? in [nil, 12] {
            bench.addCheck("b", at: 10)
            let check = try #require(bench.next(at: 10))
            bench.add("b", reason, at: 30, missed: 2)
            bench.endCheck(check, repairAt: due)
            bench.check()
            #expect(bench.next(at: 29) == nil)
            let repair = try #require(bench.next(at: 30))
            #expect(
                !repair.isCheck && repair.suspicion == nil && repair.reason == reason
                    && repair.needsAllCopies == (reason == .copyFailed))
            #expect(repair.order(live: 3)[0] == 0, "not the copy that missed it")
            bench.finish(repair)
            bench.check()
        }
        // While it waits to be repaired.
        bench.addCheck("c", at: 10)
        bench.endCheck(bench.next(at: 10)!, repairAt: 3000)
        bench.add("c", reason, at: 20)
        #expect(bench.next(at: 20)?.suspicion == nil)
    }

    @Test(arguments: [false, true]) func aSuspicionThatIsDroppedIsGoneUnlessAWriteAsks(isAsked: Bool) throws {
        let bench = Bench()
        bench.addCheck("a", at: 10)
        bench.endCheck(try #require(bench.next(at: 10)), repairAt: 20)
        let suspicion = try #require(bench.next(at: 20))
        if isAsked { bench.add("a", .copyFailed, at: 25) }
        bench.queue.dropSuspicion(suspicion.slot, now: 21_000_000, counted: &bench.stats)
        bench.check()
        #expect(bench.stats.abandoned == (isAsked ? 0 : 1))
        guard isAsked else { return #expect(bench.queue.isEmpty) }
        let repair = try #require(bench.next(at: 2000))
        #expect(repair.suspicion == nil && repair.needsAllCopies && repair.order(live: 3)[0] == 1)
    }

    @Test func checksAreCountedOnce() throws {
        let (bench, reason) = (Bench(), RepairReason.overlap)
        for _ in 0..<3 {
            bench.addCheck("a", at: 10)
            bench.add("a", reason, at: 5)
            bench.finish(try #require(bench.next(at: 5)))
        }
        #expect(bench.stats.queued[reason] == 3 && bench.stats.done[reason] == 3 && bench.queue.isEmpty)
    }

    @Test func checksLeaveRoomForRepairs() {
        let bench = Bench(entries: 1000)
        for number in 0..<100 { bench.addCheck("check\(number)") }
        #expect(bench.queue.count == RepairQueue.checkLimit)
        let crowded = Bench(entries: 16)
        for number in 0..<8 { crowded.add("repair\(number)") }
        #expect(!crowded.addCheck("check"))
        crowded.check()
        #expect(!Bench().addCheck("") && !Bench().addCheck(String(repeating: "k", count: 251)))
        // One that is under way counts, and one that is repaired does not.
        let busy = Bench(entries: 1000)
        for number in 0..<RepairQueue.checkLimit { busy.addCheck("check\(number)") }
        let check = busy.next(at: 0)!
        #expect(!busy.addCheck("one more"))
        busy.endCheck(check, repairAt: 0)
        #expect(busy.addCheck("one more"))
    }

    @Test func keysComeUpByTime() {
        let bench = Bench()
        bench.add("late", at: 30)
        bench.add("soon", at: 10)
        bench.add("then", at: 10)
        #expect(bench.queue.nextDue == 10_000_000)
        #expect(bench.next(at: 9) == nil)
        let order = [10, 10, 30].compactMap { bench.next(at: $0).map(bench.key) }
        #expect(order == ["soon", "then", "late"])
        #expect(bench.queue.count == 3 && bench.queue.nextDue == nil)
        bench.check()
    }

    @Test func aKeyWaitsOnce() {
        let bench = Bench()
        for _ in 0..<3 { bench.add("key", at: 20) }
        bench.add("key", .copyFailed, at: 10)
        bench.add("key", pool: 1)
        bench.add("key", isBase64: true)
        #expect(bench.queue.count == 3)
        let others = [bench.next(at: 0), bench.next(at: 0), bench.next(at: 0)]
        #expect(others.map { $0?.pool } == [1, 0, nil])
        #expect(others[1]?.isBase64 == true)
        let key = bench.next(at: 10)
        #expect(key?.needsAllCopies == true && key?.reason == .overlap)
        bench.check()
    }

    @Test func aKeyAddedDuringItsRepairIsRepairedAgain() throws {
        let bench = Bench()
        bench.add("key", .copyFailed)
        let first = try #require(bench.next(at: 0))
        bench.add("key", at: 5)
        #expect(bench.queue.count == 1)
        #expect(bench.next(at: 9) == nil)
        bench.finish(first)
        bench.check()
        let second = try #require(bench.next(at: 5))
        #expect(bench.key(second) == "key" && second.reason == .overlap && !second.needsAllCopies)
        bench.finish(second)
        #expect(bench.queue.isEmpty)
        #expect(bench.stats.done[.copyFailed] == 1 && bench.stats.done[.overlap] == 1)
        bench.check()
    }

    @Test func whatIsFullDropsTheNewest() {
        let bench = Bench(entries: 8)
        for index in 0..<8 { bench.add("failed \(index)", .copyFailed) }
        #expect(bench.queue.count == 6, "three quarters for those that wait for nodes")
        for index in 0..<4 { bench.add("overlap \(index)") }
        #expect(bench.queue.count == 8)
        #expect(bench.add("failed 3"), "waits already")
        #expect(bench.stats.dropped[.copyFailed] == 2 && bench.stats.dropped[.overlap] == 2)
        #expect(bench.next(at: 0).map(bench.key) == "failed 0")
        bench.check()
    }

    @Test func bytesBoundItToo() {
        #expect(RepairQueue(entries: 1000, bytes: 3200, seed: 1).entries.limit < 12)
    }

    @Test func keysThatCannotBeAreDropped() {
        let bench = Bench()
        #expect(!bench.add(""))
        #expect(!bench.add(String(repeating: "k", count: 251)))
        #expect(bench.add(String(repeating: "k", count: 250)))
        #expect(bench.next(at: 0).map { bench.key($0).count } == 250)
    }

    /// Shortest and longest wait of the first try, and of a late one, in milliseconds.
    @Test(arguments: [
        (RepairObstacle.busy, 0.5...1.0, 64.0...128.0), (.nodeDown, 125...250, 2000...4000),
    ])
    func delaysGrow(obstacle: RepairObstacle, first: ClosedRange<Double>, late: ClosedRange<Double>) throws {
        let bench = Bench()
        bench.add("key")
        var now: UInt64 = 0
        for attempt in 0..<300 {
            let repair = try #require(bench.queue.next(now: now))
            #expect(bench.queue.retry(repair.slot, obstacle, now: now, counted: &bench.stats))
            let due = try #require(bench.queue.nextDue)
            let wait = Double(due - now) / 1_000_000
            if attempt == 0 { #expect(first.contains(wait)) }
            if attempt > 8 { #expect(late.contains(wait)) }
            now = due
        }
        #expect(bench.stats.retries == 300)
        bench.check()
    }

    /// A copy that missed a write is no source while there is another; the latest miss counts most.
    @Test func whoMissedAWriteComesLast() throws {
        func order(_ repair: Repair, live: UInt8) -> [Int] {
            let order = repair.order(live: live)
            return (0..<order.count).map { order[$0] }
        }
        let bench = Bench()
        bench.add("key")
        var repair = try #require(bench.next(at: 0))
        #expect(order(repair, live: 0b1011) == [0, 1, 3] && !repair.needsAllCopies)
        bench.add("key", .copyFailed, missed: 0b0001)
        bench.retry(repair, .busy, at: 0)
        repair = try #require(bench.next(at: 1))
        #expect(order(repair, live: 0b0111) == [1, 2, 0] && repair.needsAllCopies)
        bench.add("key", .copyFailed, missed: 0b0010)
        bench.add("key", .copyFailed, missed: 0b0100)
        bench.retry(repair, .nodeDown, at: 1)
        repair = try #require(bench.next(at: 1))
        #expect(order(repair, live: 0b1111) == [3, 0, 1, 2])
        #expect(order(repair, live: 0b0110) == [1, 2])
        bench.add("key", .copyFailed, missed: 0b1000)
        bench.finish(repair)
        repair = try #require(bench.next(at: 1))
        #expect(order(repair, live: 0b1111) == [0, 1, 2, 3] && order(repair, live: 0b1001) == [0, 3])
        bench.finish(repair)
        bench.check()
    }

    @Test func aRepairThatFailedNeedsAllCopies() throws {
        let bench = Bench()
        bench.add("key")
        bench.retry(try #require(bench.next(at: 0)), .moved, at: 0)
        var repair = try #require(bench.next(at: 100))
        #expect(!repair.needsAllCopies)
        bench.retry(repair, .failed, at: 100)
        repair = try #require(bench.next(at: 10_000))
        #expect(repair.needsAllCopies && repair.order(live: 3)[0] == 0)
    }

    @Test func failuresAreGivenUp() throws {
        let bench = Bench()
        bench.add("key")
        for _ in 1..<RepairQueue.failureLimit {
            let repair = try #require(bench.next(at: .max / 1_000_000))
            #expect(bench.retry(repair, .failed, at: 0))
        }
        #expect(!bench.retry(try #require(bench.next(at: .max / 1_000_000)), .failed, at: 0))
        #expect(bench.queue.isEmpty && bench.stats.abandoned == 1)
        bench.check()
    }

    /// Copies differed at rest: the repair for an overlap ran while the other copy could still carry out a late write.
    @Test func whatIsRepairedBeforeItIsSettledIsRepairedAgain() {
        let bench = Bench(settlingTime: 100)
        bench.add("key", at: 0)
        bench.add("key", .copyFailed, at: 10)
        let early = bench.next(at: 10)!
        #expect(early.needsAllCopies && early.order(live: 3)[0] == 1)
        bench.finish(early, at: 20)
        #expect(bench.next(at: 109) == nil)
        let late = bench.next(at: 110)!
        #expect(late.needsAllCopies && late.order(live: 3)[0] == 1)
        bench.retry(late, .failed, at: 120)
        let last = bench.next(at: 10_000)!
        bench.finish(last, at: 10_000)
        #expect(bench.queue.isEmpty)
        bench.check()
    }

    @Test func hurryBringsAllUpNow() {
        let bench = Bench()
        for index in 0..<10 { bench.add("\(index)", at: UInt64(100 - index)) }
        bench.queue.hurry(now: 5_000_000)
        var seen = 0
        while bench.next(at: 5) != nil { seen += 1 }
        #expect(seen == 10)
    }

    /// What a check asks for waits for those who know better.
    @Test func hurryBringsUpNoSuspicion() throws {
        let bench = Bench()
        bench.addCheck("seen", at: 0)
        bench.endCheck(try #require(bench.next(at: 0)), repairAt: 3000)
        bench.addCheck("unseen", at: 20)
        for index in 0..<10 { bench.add("\(index)", .copyFailed, at: UInt64(3100 - index)) }
        bench.queue.hurry(now: 5_000_000)
        var seen: [String] = []
        while let repair = bench.next(at: 19) { seen.append(bench.key(repair)) }
        #expect(seen.sorted() == (0..<10).map { "\($0)" })
        #expect(bench.next(at: 20).map(bench.key) == "unseen")
        #expect(bench.next(at: 2999) == nil && bench.next(at: 3000).map(bench.key) == "seen")
    }

    /// Against a plain list: the same keys come up, in the order of their times.
    @Test func seededUseAgreesWithAList() {
        var generator = SeededGenerator.fromEnvironment()
        let bench = Bench(entries: 64, seed: generator.seed)
        var waiting: [String: UInt64] = [:]
        var underWay: [String: (repair: Repair, again: UInt64?)] = [:]
        var now: UInt64 = 0
        for _ in 0..<20_000 {
            now += UInt64.random(in: 0..<3, using: &generator)
            let key = "key \(Int.random(in: 0..<50, using: &generator))"
            switch Int.random(in: 0..<4, using: &generator) {
            case 0:
                let due = now + UInt64.random(in: 0..<20, using: &generator)
                bench.add(key, at: due)
                if let busy = underWay[key] {
                    underWay[key]?.again = min(busy.again ?? due, due)
                } else {
                    waiting[key] = min(waiting[key] ?? due, due)
                }
            case 1:
                let repair = bench.next(at: now)
                let earliest = waiting.values.min()
                #expect((repair != nil) == (earliest.map { $0 <= now } ?? false), "seed \(generator.seed)")
                guard let repair else { continue }
                #expect(waiting[bench.key(repair)] == earliest, "seed \(generator.seed)")
                waiting[bench.key(repair)] = nil
                underWay[bench.key(repair)] = (repair, nil)
            default:
                guard let (key, busy) = underWay.min(by: { $0.key < $1.key }) else { continue }
                bench.finish(busy.repair)
                underWay[key] = nil
                waiting[key] = busy.again
            }
            #expect(bench.queue.count == waiting.count + underWay.count, "seed \(generator.seed)")
        }
        bench.check()
    }
}
