import Testing

@testable import ProxyCore

struct LockWaitsTests {
    /// Also where their upper bits are the same, whatever is taken out of the middle.
    @Test func eachKeyHasItsOwn() {
        let waits = LockWaits(limit: 6000)
        var keys: [UInt64] = []
        for number in 0..<3000 as Range<UInt64> { keys += [number << 52 | number, number | 1 << 40] }
        for (index, key) in keys.enumerated() {
            for number in [0, 1] {
                waits.update(key) {
                    if $0.first == none { $0.first = UInt32(index) }
                    $0.last = UInt32(number)
                }
            }
        }
        #expect(waits.count == 6000)
        for start in [1, 2, 0] {
            for index in stride(from: start, to: keys.count, by: 3) {
                #expect(waits.take(keys[index]) == UInt32(index))
                #expect(waits.take(keys[index]) == none)
            }
        }
        #expect(waits.count == 0)
    }

    /// The write found no memory to wait in.
    @Test func aKeyForWhichNothingWaitsIsKeptTillItIsTaken() {
        let waits = LockWaits(limit: 2)
        waits.update(7) { _ in }
        #expect(waits.count == 1 && waits.take(7) == none && waits.count == 0)
    }
}
