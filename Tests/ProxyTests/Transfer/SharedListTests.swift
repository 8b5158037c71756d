import DroverTesting
import ProxyCore
import Testing

@testable import Proxy

/// A verification right behind a copy pass goes by what that has listed, and finds as much.
@Suite(.serialized)
struct SharedListTests {
    private let items = (0..<6000).map { TestItem("key:\($0)", "value") }
    private let farm: TransferFarm
    private let own: [TestItem]

    init() throws {
        var options = MemcachedServer.Options()
        // It looks for items that have expired, which would be counted.
        options.more = ["-o", "no_lru_maintainer"]
        farm = try TransferFarm(.newer, options: [options])
        try farm.store(items)
        own = farm.items(items, of: 0)
    }

    private func order(_ pass: FillingPlan.Pass, target: Int = 0) -> PassOrder {
        var order = farm.order(pass, target: target)
        order.sharesList = true
        return order
    }

    /// The other node that holds the item.
    private func source(of item: TestItem) -> RawClient { farm.clients[farm.copies(of: item.key).first { $0 != 0 }!] }

    /// How often each node has listed its items.
    private func dumps() throws -> [Int] {
        try farm.clients.map { client in
            let stats = try client.roundTrip("stats\r\n", through: "END\r\n")
            let line = try #require(stats.split(separator: "\r\n").first { $0.hasPrefix("STAT lru_crawler_starts ") })
            return try #require(Int(line.split(separator: " ")[2]))
        }
    }

    @Test func whatGoesWrongBehindTheListIsFound() throws {
        for item in own.suffix(5) { #expect(try farm.clients[0].ask("md \(item.name.text)") == "HD") }
        let copied = try farm.run(order(.copy(number: 2)))
        #expect(copied.isWhole && copied.changed == 5 && copied.report.present == own.count - 5)
        #expect(try dumps() == [1, 1, 1])

        try farm.clients[0].store([
            TestItem(own[0].key, Array("other".utf8)), TestItem(own[1].key, own[1].value, flags: 7),
        ])
        // One of those that the pass has copied.
        try farm.clients[0].store([TestItem(own[own.count - 1].key, Array("wrong".utf8))])
        #expect(try source(of: own[2]).ask("md \(own[2].name.text)") == "HD")
        #expect(try farm.clients[0].ask("md \(own[3].name.text)") == "HD")
        let verified = try farm.run(order(.verify))
        #expect(verified.isWhole && verified.report.diverged == 4 && verified.report.absent == 1)
        #expect(try dumps() == [1, 1, 1])
        let wrong = [own[0], own[1], own[2], own[3], own[own.count - 1]]
        #expect(try farm.clients[0].find(wrong).allSatisfy { $0 == nil })

        // It serves one.
        let again = try farm.run(order(.verify))
        #expect(again.isWhole && again.report.absent == 4)
        #expect(try dumps() == [2, 2, 2])
    }

    /// What has been listed of the target belongs to others.
    @Test func whatOnlyTheTargetHasIsFound() throws {
        for item in own.prefix(3) { #expect(try source(of: item).ask("md \(item.name.text)") == "HD") }
        #expect(try farm.run(order(.copy(number: 1))).report.present == own.count - 3)
        let verified = try farm.run(order(.verify))
        #expect(verified.isWhole && verified.report.diverged == 3 && verified.report.absent == 0)
        #expect(try dumps() == [1, 1, 1])
        #expect(try farm.clients[0].find(Array(own.prefix(3))).allSatisfy { $0 == nil })
    }

    @Test(arguments: [500, 6000]) func afterManyItIsListedAnew(count: Int) throws {
        let missing = own.prefix(count)
        for item in missing { #expect(try farm.clients[0].ask("md \(item.name.text)") == "HD") }
        #expect(try farm.run(order(.copy(number: 1))).changed == missing.count)
        #expect(try farm.run(order(.verify)).report.verified == own.count)
        #expect(try dumps() == [2, 2, 2])
    }

    @Test func anothersListServesNobody() throws {
        func order(_ pass: FillingPlan.Pass, target: Int) -> PassOrder {
            var order = farm.order(pass, target: target, full: [0, 1, 2])
            order.sharesList = true
            return order
        }
        #expect(try farm.run(order(.copy(number: 2), target: 0)).changed == 0)
        #expect(try farm.run(order(.verify, target: 1)).isWhole)
        #expect(try dumps() == [2, 2, 2])
    }

    @Test func aScrubThatComesInBetweenListsForItself() throws {
        #expect(try farm.run(order(.copy(number: 2))).changed == 0)
        #expect(try farm.run(.verify).report.verified == own.count)
        #expect(try dumps() == [2, 2, 2])
    }

    @Test func aSampleIsTakenOfTheList() throws {
        var (copy, verify) = (order(.copy(number: 2)), order(.verify))
        (copy.sample, verify.sample) = (16, 16)
        #expect(try farm.run(copy).changed == 0)
        let verified = try farm.run(verify).report.verified
        #expect((own.count / 16 - 1...own.count / 16 + 1).contains(verified), "\(verified) of \(own.count)")
        #expect(try dumps() == [1, 1, 1])
    }
}
