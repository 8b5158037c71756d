import Bytes
import DroverTesting
import Glibc
import ProxyCore
import Testing

@testable import Proxy

/// Keys wait in memory and then in a file, and come back hottest first.
struct KeySpillTests {
    private static func key(_ number: Int) -> [UInt8] {
        Array("key:\(number):".utf8) + Array(repeating: 107, count: number % 230)
    }

    private static func item(_ number: Int) -> DumpedItem {
        var item = DumpedItem()
        (item.size, item.cas, item.expiry) = (UInt32(number), UInt64(number) << 33, Int64(number) - 1)
        return item
    }

    @Test(arguments: [0, 50_000, 1 << 30], [true, false])
    func allComeBackHottestFirst(memory: Int, keepsItem: Bool) throws {
        let spill = KeySpill(keepsItem: keepsItem, memory: memory)
        let count = 7000
        for number in 0..<count {
            let key = Self.key(number)
            unsafe spill.add(key.span.bytes, Self.item(number), recency: number % 7 == 0 ? 32 : number % 5)
        }
        #expect(spill.count == count)
        var seen = [Bool](repeating: false, count: count)
        var last = 0
        while true {
            let found: (number: Int, isRight: Bool)? = spill.take { record, bytes in
                let number = Int(record.item.size)
                let key = (record.key.start..<record.key.end).map { bytes.byte(at: $0) }
                let isSame = !keepsItem || record.item == Self.item(number)
                return (number, isSame && key == Self.key(number))
            }
            guard let (number, isRight) = found else { break }
            #expect(isRight && !seen[number])
            seen[number] = true
            let recency = number % 7 == 0 ? 32 : number % 5
            #expect(recency >= last)
            last = recency
        }
        #expect(seen.allSatisfy { $0 } && spill.count == 0 && spill.failure == nil)
        let isAtEnd = spill.take { _, _ in true } == nil
        #expect(isAtEnd)
    }

    @Test func nothingIsNothing() {
        let spill = KeySpill(keepsItem: false, memory: 0)
        let isAtEnd = spill.take { _, _ in true } == nil
        #expect(isAtEnd && spill.failure == nil)
    }
}
