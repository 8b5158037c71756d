import DroverTesting
import ProxyCore
import Testing

@testable import Proxy

/// A node that was cut off and holds old values: by watermark only what has changed goes.
@Suite(.serialized)
struct CleanPassTests {
    static let versions: [MemcachedServer.Version] = [.debian, .newer]

    @Test(arguments: versions) func onlyWhatWasMissedGoes(version: MemcachedServer.Version) throws {
        let farm = try TransferFarm(version)
        let items = (0..<6000).map { TestItem($0 % 9 == 0 ? "key \($0)" : "key:\($0)", "old", life: 5000) }
        try farm.store(items)
        var marks: [UInt64?] = [nil]
        for place in 1...2 { marks.append(UInt64(try farm.clients[place].ask("ma __drover:tick N0 c").dropFirst(4))) }
        let own = farm.items(items, of: 0)
        // What the node misses: every tenth is set, deleted, touched, stale.
        for (number, item) in own.enumerated() {
            let place = farm.copies(of: item.key).first { $0 != 0 }!
            let name = item.name
            switch number % 10 {
            case 0: try farm.clients[place].store([TestItem(item.key, Array("new".utf8), life: 5000)])
            case 1: _ = try farm.clients[place].ask("md \(name.text)\(name.flag)")
            case 2: _ = try farm.clients[place].ask("mg \(name.text)\(name.flag) T100")
            case 3: _ = try farm.clients[place].ask("md \(name.text)\(name.flag) I")
            default: break
            }
        }
        let cleaned = try farm.run(.clean(marks))
        #expect(cleaned.isWhole, "\(String(describing: cleaned.problem))")
        let changed = own.indices.filter { $0 % 10 < 4 }.count
        #expect(cleaned.report.dropped == changed && cleaned.report.kept == own.count - changed)
        for (number, found) in zip(0..., try farm.clients[0].find(own)) { #expect((found == nil) == (number % 10 < 4)) }
        let copied = try farm.run(.copy(number: 1))
        #expect(copied.isWhole && copied.report.present == own.count - changed)
        #expect(copied.changed == own.indices.filter { [0, 2].contains($0 % 10) }.count)
        let verified = try farm.run(.verify)
        #expect(verified.isWhole && verified.changed == 0, "\(verified.report)")
    }

    /// A node without a point in time is known to hold nothing that may stay; one that is not full proves nothing.
    @Test(arguments: versions) func withoutAWatermark(version: MemcachedServer.Version) throws {
        let farm = try TransferFarm(version)
        let items = (0..<2000).map { TestItem("key:\($0)", "old") }
        try farm.store(items)
        let own = farm.items(items, of: 0)
        let isLost = own.map { farm.copies(of: $0.key).contains(1) }
        let end = try farm.run(farm.order(.clean([nil, 0, nil]), full: [1]))
        #expect(end.isWhole && end.report.dropped == isLost.filter { $0 }.count)
        #expect(end.report.unproven == isLost.filter { !$0 }.count)
        for (isLost, found) in zip(isLost, try farm.clients[0].find(own)) { #expect((found == nil) == isLost) }
    }

    /// Values, flags and times that differ, items that only the target has, and items that it lacks.
    @Test(arguments: versions) func whatDivergesIsDropped(version: MemcachedServer.Version) throws {
        let farm = try TransferFarm(version)
        let big = String(repeating: "x", count: 40_000)
        let items = (0..<3000).map { TestItem("key:\($0)", $0 % 50 == 0 ? big : "value", flags: 7, life: 5000) }
        try farm.store(items)
        let own = farm.items(items, of: 0)
        for (number, item) in own.enumerated() {
            switch number % 10 {
            case 0: try farm.clients[0].store([TestItem(item.key, item.value.dropLast() + [121], flags: 7, life: 5000)])
            case 1: try farm.clients[0].store([TestItem(item.key, item.value, flags: 8, life: 5000)])
            case 2: try farm.clients[0].store([TestItem(item.key, item.value, flags: 7, life: 0)])
            case 3: _ = try farm.clients[farm.copies(of: item.key).first { $0 != 0 }!].ask("md \(item.name.text)")
            case 4: _ = try farm.clients[0].ask("md \(item.name.text)")
            default: break
            }
        }
        func count(_ numbers: Range<Int>) -> Int { own.indices.filter { numbers.contains($0 % 10) }.count }
        let verified = try farm.run(.verify)
        #expect(verified.isWhole && verified.report.diverged == count(0..<4) && verified.report.absent == count(4..<5))
        #expect(verified.changed == count(0..<5))
        for (number, found) in zip(0..., try farm.clients[0].find(own)) { #expect((found == nil) == (number % 10 < 5)) }
        #expect(try farm.run(.copy(number: 1)).changed == count(0..<5) - count(3..<4))
        #expect(try farm.run(.verify).changed == 0)
        var order = farm.order(.verify)
        order.sample = PassOrder.sampleInterval
        let sample = try farm.run(order)
        #expect(sample.isWhole && (1...own.count / 8).contains(sample.report.verified))
    }
}
