import DroverTesting
import Glibc
import ProxyCore
import Testing

@testable import Proxy

/// What was lost when it was done naively, through a whole pass, on real servers. (StepServersTests has each of them
/// for one item, between any two commands.)
@Suite(.serialized)
struct RaceTests {
    static let versions: [MemcachedServer.Version] = [.debian, .newer]

    private static func single() -> [MemcachedServer.Options] {
        var options = MemcachedServer.Options()
        options.threads = 1
        return [options]
    }

    /// R1: deleted between the fetch and the add. The target stands still with the clients' deletes before it, while the
    /// pass fetches the items and sends its adds; then they are deleted at the source.
    @Test(arguments: versions) func nothingIsResurrected(version: MemcachedServer.Version) throws {
        let farm = try TransferFarm(version, count: 2, options: Self.single())
        let items = (0..<50).map { TestItem("key:\($0)", "old") }
        try farm.store(items, except: [0])
        let order = farm.order(.copy(number: 1))
        farm.thread.start(order)
        farm.thread.pause(order.id)
        _ = try farm.progress { $0.stage == .paused && $0.known == items.count }
        farm.servers[0].freeze()
        try farm.clients[0].send(items.map { "md \($0.name.text) q\r\n" }.joined() + "mn\r\n")
        farm.thread.resume(order.id)
        #expect(
            try Deadline(seconds: 20).waits {
                try farm.clients[1].roundTrip("stats\r\n", through: "END\r\n").contains("STAT get_hits 50\r\n")
            })
        for item in items { #expect(try farm.clients[1].ask("md \(item.name.text)") == "HD") }
        farm.servers[0].thaw()
        _ = try farm.clients[0].read(through: "MN\r\n")
        let end = try farm.end(of: order)
        #expect(end.isWhole && end.report.takenBack == items.count && end.changed == 0)
        #expect(try farm.clients[0].find(items).allSatisfy { $0 == nil })
    }

    /// R7: an ms of a value that is too large deletes what the target has.
    @Test(arguments: versions) func aTooLargeValueDeletesNothing(version: MemcachedServer.Version) throws {
        var (small, large) = (MemcachedServer.Options(), MemcachedServer.Options())
        (small.itemLimit, large.itemLimit) = ("1m", "4m")
        let farm = try TransferFarm(version, count: 2, options: [small, large])
        let limit = 1 << 20
        // The largest is a few bytes smaller than what a node takes.
        let fits = limit - 58 - 10
        let items = (0..<20).map {
            TestItem("key:\($0)", String(repeating: "x", count: $0 < 10 ? fits - $0 * 100 : limit + $0 * 100_000))
        }
        try farm.store(items, except: [0])
        // After the target's dump, which would spare the pass the trouble.
        let order = farm.order(.copy(number: 1))
        farm.thread.start(order)
        farm.thread.pause(order.id)
        _ = try farm.progress { $0.stage == .paused && $0.known == items.count }
        for item in items { #expect(try farm.clients[0].ask("ms \(item.name.text) 3\r\nnew") == "HD") }
        farm.thread.resume(order.id)
        let untouched = try farm.end(of: order)
        #expect(untouched.isWhole && untouched.report.skipped(.tooLarge) == 10 && untouched.report.present == 10)
        let news = Array("new".utf8)
        let areNew = try farm.clients[0].find(items).allSatisfy { $0?.value == news }
        #expect(areNew)
        for item in items { _ = try farm.clients[0].ask("md \(item.name.text)") }
        let end = try farm.run(.copy(number: 2))
        #expect(end.isWhole && end.report.copied == 10 && end.report.skipped(.tooLarge) == 10)
        for (item, found) in zip(items, try farm.clients[0].find(items)) {
            let isRight = found?.value == (item.value.count < limit - 60 ? item.value : nil)
            #expect(isRight, "\(item.value.count) bytes")
        }
    }

    /// Beyond 30 days a time to live is a date.
    @Test(arguments: versions) func aTTLOver30Days(version: MemcachedServer.Version) throws {
        let farm = try TransferFarm(version, count: 2)
        let lives = [0, 1000, 2_591_999, 2_592_000, 2_592_001, 3_456_000, 300_000_000]
        let now = Int(time(nil))
        let items = lives.map { TestItem("key:\($0)", "x", life: $0 > 2_592_000 ? now + $0 : $0) }
        try farm.store(items, except: [0])
        #expect(try farm.run(.copy(number: 1)).report.copied == lives.count)
        for (life, found) in zip(lives, try farm.clients[0].find(items)) {
            guard let found else {
                Issue.record("\(life) is gone")
                continue
            }
            #expect(life == 0 ? found.ttl == -1 : abs(found.ttl - life) < 15, "\(life) became \(found.ttl)")
        }
        #expect(try farm.run(.verify).report.verified == lives.count)
    }

    @Test(arguments: versions) func staleItemsAndStubsAreLeftAlone(version: MemcachedServer.Version) throws {
        let farm = try TransferFarm(version, count: 2)
        let items = (0..<300).map { TestItem("key:\($0)", "x") }
        try farm.store(items, except: [0])
        for number in 0..<100 {
            #expect(try farm.clients[1].ask("md key:\(number) I T300") == "HD")
            #expect(try farm.clients[1].ask("mg stub:\(number) N300 t").hasPrefix("HD"))
        }
        for pass in [FillingPlan.Pass.copy(number: 1), .verify, .verify] {
            let end = try farm.run(pass)
            #expect(end.isWhole && end.changed == (pass == .verify ? 0 : 200))
            if pass != .verify { #expect(end.report.skipped(.stale) == 100 && end.report.skipped(.stub) == 100) }
        }
        for (number, found) in zip(0..., try farm.clients[0].find(items)) {
            #expect((found == nil) == (number < 100))
        }
        #expect(try farm.clients[0].ask("mg stub:1 v") == "EN")
        // The right to refresh each is still there, for the first client that asks.
        for number in 0..<100 { #expect(try farm.clients[1].ask("mg key:\(number) t").contains(" W")) }
    }

    /// Sets, deletes and increments all the while, by the rules for a node that is being filled: the survivor first, and
    /// what depends on the value is a delete over there.
    @Test(arguments: versions) func writersAllTheWhile(version: MemcachedServer.Version) throws {
        let generator = SeededGenerator.fromEnvironment()
        let farm = try TransferFarm(version)
        let keyCount = 1500
        let own = (0..<keyCount).filter { farm.copies(of: Array("key:\($0)".utf8)).contains(0) }
        try farm.store((0..<keyCount).map { TestItem("key:\($0)", "0") }, except: [0])
        let isOver = SharedBox(false)
        let writers = try (0..<3).map { writer in
            let clients = try farm.servers.map { try $0.client() }
            let places = own.filter { $0 % 3 == writer }.map { number in
                (key: "key:\(number)", survivor: farm.copies(of: Array("key:\(number)".utf8)).first { $0 != 0 }!)
            }
            nonisolated(unsafe) let parts = (clients, places)
            return TestThread {
                let (clients, places) = unsafe parts
                var generator = SeededGenerator(seed: generator.seed &+ UInt64(writer))
                var count = 0
                while !isOver.value {
                    let (key, survivor) = generator.pick(places)
                    count += 1
                    let value = "\(count)"
                    let both =
                        switch Int.random(in: 0..<100, using: &generator) {
                        case 0..<45:
                            ("ms \(key) \(value.count) T1000\r\n\(value)", "ms \(key) \(value.count) T1000\r\n\(value)")
                        case 45..<80: ("md \(key)", "md \(key)")
                        case 80..<90: ("ma \(key)", "md \(key)")
                        default: ("mg \(key) T\(count % 900 + 100)", "md \(key)")
                        }
                    _ = try clients[survivor].ask(both.0)
                    _ = try clients[0].ask(both.1)
                }
                return count
            }
        }
        var (changed, passes) = (0, 0)
        let deadline = Deadline(seconds: 4)
        while !deadline.hasPassed {
            passes += 1
            let end = try farm.run(.copy(number: passes))
            #expect(end.isWhole, "\(String(describing: end.problem))")
            changed += end.changed
            if passes % 3 == 0 { #expect(try farm.run(.verify).isWhole) }
        }
        isOver.withValue { $0 = true }
        let written = try writers.reduce(0) { $0 + (try $1.join()) }
        #expect(written > 1000 && changed > 0)
        var wrong: [String] = []
        for place in 1...2 {
            let items = own.map { TestItem("key:\($0)", "") }.filter { farm.copies(of: $0.key).contains(place) }
            let (here, there) = (try farm.clients[0].find(items), try farm.clients[place].find(items))
            for (item, (copy, original)) in zip(items, zip(here, there)) {
                guard let copy else { continue }
                if copy.value != original?.value || abs(copy.expiry - (original?.expiry ?? -9)) > 3 {
                    wrong.append("\(item.name.text): \(copy) is not \(String(describing: original))")
                }
            }
        }
        #expect(wrong.isEmpty, "DROVER_SEED=\(generator.seed), of \(written) writes in \(passes) passes")
        let last = try farm.run(.copy(number: 9))
        let verified = try farm.run(.verify)
        #expect(last.isWhole && verified.changed == 0 && verified.report.diverged == 0)
    }
}
