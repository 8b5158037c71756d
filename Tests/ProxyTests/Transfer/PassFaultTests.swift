import DroverTesting
import ProxyCore
import Testing

@testable import Proxy

/// Nodes that go away during a pass, and passes that are stopped.
@Suite(.serialized)
struct PassFaultTests {
    static let versions: [MemcachedServer.Version] = [.debian, .newer]

    /// A farm with a pass under way that would take a minute.
    private func slow(
        _ version: MemcachedServer.Version, timeout: UInt64 = 5_000_000_000, until stage: PassProgress.Stage = .working
    ) throws -> (farm: TransferFarm, order: PassOrder) {
        let farm = try TransferFarm(version) {
            $0.timeout = timeout
            $0.sync.rate = 200
        }
        try farm.store((0..<20_000).map { TestItem("key:\($0)", "value \($0)") }, except: [0])
        let order = farm.order(.copy(number: 1))
        farm.thread.start(order)
        _ = try farm.progress { $0.stage == stage && $0.done > 0 }
        return (farm, order)
    }

    @Test(arguments: versions) func aSourceThatDies(version: MemcachedServer.Version) throws {
        let (farm, order) = try slow(version)
        farm.servers[1].kill()
        let end = try farm.end(of: order, seconds: 10)
        #expect(!end.isWhole && end.problem == .lost(1) && end.report.copied > 0)
        #expect(try farm.run(order, seconds: 10).problem == .unreachable(1), "and the next one does not begin")
    }

    @Test(arguments: versions) func aTargetThatStandsStill(version: MemcachedServer.Version) throws {
        let (farm, order) = try slow(version, timeout: 400_000_000)
        farm.servers[0].freeze()
        let start = Deadline.now()
        let end = try farm.end(of: order, seconds: 10)
        #expect(end.problem == .silent(0) && Deadline.seconds(since: start) < 3)
        farm.servers[0].thaw()
    }

    @Test func aPassIsPausedResumedAndCancelled() throws {
        let (farm, order) = try slow(.newer)
        farm.thread.pause(order.id)
        let paused = try farm.progress { $0.stage == .paused }
        let later = try farm.progress { $0.stage == .paused }
        #expect(later.done == (try farm.progress { $0.stage == .paused }).done && later.done >= paused.done)
        farm.thread.resume(order.id)
        _ = try farm.progress { $0.done > later.done }
        farm.thread.cancel(order.id)
        let end = try farm.end(of: order, seconds: 10)
        #expect(!end.isWhole && end.problem == .cancelled && end.report.copied == end.changed)
        #expect(try farm.clients[0].ask("mn") == "MN")
    }

    /// Two at a time, with one dump at a time.
    @Test func passesSideBySide() throws {
        let farm = try TransferFarm(.newer)
        let items = (0..<20_000).map { TestItem("key:\($0)", "value \($0)") }
        try farm.store(items)
        let orders = [farm.order(.verify), farm.order(.verify, target: 1), farm.order(.copy(number: 1), target: 2)]
        for order in orders { farm.thread.start(order) }
        var left = Set(orders.map(\.id))
        while !left.isEmpty {
            let end = try farm.nextEnd()
            left.remove(end.id)
            #expect(end.isWhole && end.changed == 0)
            let own = farm.items(items, of: Int(end.id) - 1).count
            #expect(end.report.verified + end.report.present == own)
        }
    }

    @Test func aThreadEndsInTheMiddle() throws {
        let (farm, order) = try slow(.newer)
        farm.thread.stop()
        #expect(try farm.end(of: order, seconds: 1).problem == .cancelled)
        farm.isStopped = true
    }

    @Test func clientsThatSufferSlowItDown() throws {
        let (farm, order) = try slow(.newer)
        for _ in 0..<3 { farm.thread.look(isStrained: true) }
        let slowed = try farm.progress { $0.halvings == 3 }
        let later = try farm.progress { $0.done > slowed.done }
        let next = try farm.progress { _ in true }
        #expect(next.done - later.done < 40, "a half second at 200 items a second from two sources is 200, slowed 25")
        farm.thread.cancel(order.id)
        _ = try farm.end(of: order)
    }

    /// A dump reader that stands still stops the node's threads: ours has read all, however slowly its items are taken.
    @Test(arguments: versions) func aStalledDumpReader(version: MemcachedServer.Version) throws {
        let farm = try TransferFarm(version, count: 2) { $0.sync.rate = 10 }
        let items = (0..<60_000).map { TestItem("\($0):" + String(repeating: "k", count: 200), "") }
        try farm.store(items, except: [0])
        let order = farm.order(.copy(number: 1))
        farm.thread.start(order)
        #expect(try farm.progress { $0.stage == .working }.known == items.count)
        // All of the node's threads answer, also one that is asked for the next dump.
        let clients = try (0..<8).map { _ in try farm.servers[1].client(patience: 5) }
        try clients[0].send("lru_crawler metadump all\r\n")
        for client in clients.dropFirst() { #expect(try client.ask("mn") == "MN") }
        #expect(try clients[0].read(through: "END\r\n").count > items.count * 200)
        farm.thread.cancel(order.id)
        #expect(try farm.end(of: order).problem == .cancelled)
    }

    /// Another's dump stands still: the pass gives up and says why, and does not stop one thread of the node after
    /// another.
    @Test func anothersDumpThatStandsStill() throws {
        let farm = try TransferFarm(.newer, count: 2)
        try farm.store((0..<30_000).map { TestItem("\($0):" + String(repeating: "k", count: 200), "") }, except: [0])
        let other = try RawClient(farm.servers[1].address, receiveBuffer: 4096)
        try other.send("lru_crawler metadump all\r\n")
        _ = try other.read(exactly: 1000)
        let end = try farm.run(.copy(number: 1), seconds: 90)
        #expect([PassProblem.dumpStalled(1), .busy(1)].contains(end.problem), "\(String(describing: end.problem))")
        #expect(end.report.copied == 0)
    }
}
