import DroverTesting
import Glibc
import ProxyCore
import Testing

@testable import Proxy

/// Copy, clean and verify passes from real servers to a real server.
@Suite(.serialized)
struct CopyPassTests {
    static let versions: [MemcachedServer.Version] = [.debian, .newer]

    /// Ordinary and odd ones.
    private static func manyItems(_ count: Int) -> [TestItem] {
        var items: [TestItem] = []
        for number in 0..<count {
            let flags = number % 3 == 0 ? 0 : UInt32(truncatingIfNeeded: number &* 2_654_435_761)
            let life = [0, 1000, 2_592_000, Int(time(nil)) + 3_456_000][number % 4]
            let value = Array("value \(number) ".utf8) + Array(repeating: 120, count: number % 257)
            let key: [UInt8] =
                switch number % 50 {
                case 0: Array("a key with spaces \(number)".utf8)
                case 1: [0, 1, 2, 13, 10, 255, UInt8(number & 255), UInt8(number >> 8 & 255)] + Array("\(number)".utf8)
                case 2: Array("100%-\(number):/?".utf8)
                case 3: Array("\(number)-".utf8) + Array(repeating: 107, count: 249 - "\(number)".count)
                case 4: Array("ключ-\(number)".utf8)
                default: Array("key:\(number)".utf8)
                }
            items.append(TestItem(key, value, flags: flags, life: life))
        }
        return items
    }

    @Test(arguments: versions) func everythingIsCopied(version: MemcachedServer.Version) throws {
        let farm = try TransferFarm(version)
        let items = Self.manyItems(20_000)
        try farm.store(items, except: [0])
        let own = farm.items(items, of: 0)
        let end = try farm.run(.copy(number: 1))
        #expect(end.isWhole, "\(String(describing: end.problem))")
        #expect(end.changed == own.count && end.report.copied == own.count)
        #expect(end.report.copiedBytes == own.reduce(0) { $0 + $1.value.count })
        for place in 1...2 {
            let shared = own.filter { farm.copies(of: $0.key).contains(place) }
            let (here, there) = (try farm.clients[0].find(shared), try farm.clients[place].find(shared))
            for (item, (copy, original)) in zip(shared, zip(here, there)) {
                guard let copy, let original else {
                    Issue.record("\(quoted(item.key)) is missing")
                    continue
                }
                #expect(copy.value == item.value && copy.flags == item.flags && abs(copy.expiry - original.expiry) <= 3)
            }
        }
        let again = try farm.run(.copy(number: 2))
        #expect(again.isWhole && again.changed == 0 && again.report.present == own.count)
        let verified = try farm.run(.verify)
        #expect(verified.isWhole && verified.changed == 0 && verified.report.verified == own.count)
    }

    /// Between the lists of two nodes there was half a second, which no load of the machine makes of some milliseconds
    /// five times in a row.
    @Test func nothingWaitsBetweenTheListsOfTwoNodes() throws {
        let farm = try TransferFarm(.newer)
        try farm.store((0..<10).map { TestItem("key:\($0)", "value") })
        let times = try (0..<5).map { _ in try farm.run(.copy(number: 1)).report.listTime }
        #expect(times.min()! < 400_000_000, "\(times)")
    }
}
